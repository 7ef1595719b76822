#include "requests/inspect.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "events/delivery.h"
#include "events/intake.h"
#include "events/node_notes.h"
#include "events/nodes.h"
#include "events/publisher_counts.h"
#include "events/replay.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "net/tls_context.h"
#include "requests/busiest.h"
#include "requests/service.h"
#include "requests/waiting_requests.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply_tree(struct connection *connection, const struct http_request *request,
                       json_t *tree)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;

    if (text != NULL)
        http_reply_json(connection, request, 200, "OK", text, strlen(text));
    else
        http_reply_error(connection, request, 503, "Out of memory");
    free(text);
    json_decref(tree);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void add_disk(json_t *state, const struct service *service)
{
    const struct log_store_figures figures = intake_figures(service->intake);

    if (!intake_has_store(service->intake))
        return;
    set_number(state, "log_stored", figures.stored);
    set_number(state, "log_not_stored", figures.failed);
    set_number(state, "log_transactions", figures.transactions);
    set_number(state, "log_unsynced_bytes", figures.unsynced_bytes);
}

static json_t *closed_counts(const struct service *service)
{
    json_t *closed = json_object();

    for (int reason = 0; reason < CLOSE_REASONS; reason++)
        set_number(closed, close_reason_name(reason), service->net->counters.closed[reason]);
    return closed;
}

static void add_tls(json_t *state, const struct service *service)
{
    if (service->net->tls == NULL)
        return;
    const struct tls_counters *counters = tls_context_counters(service->net->tls);
    json_t *tls = json_object(), *failed = json_object();
    set_number(tls, "connections", counters->sessions);
    set_number(tls, "handshakes", counters->handshakes);
    set_number(tls, "resumed", counters->resumed);
    for (int failure = 0; failure < TLS_FAILURES; failure++)
        set_number(failed, tls_failure_name(failure), counters->failed[failure]);
    (void)json_object_set_new(tls, "failed", failed);
    (void)json_object_set_new(state, "tls", tls);
}

/* Streams by transport; encodings that share a name are one transport. */
static json_t *transport_counts(const struct service *service)
{
    json_t *counts = json_object();

    for (int encoding = 0; encoding < FRAME_ENCODINGS; encoding++) {
        const char *name = service->transports[encoding]->name;
        json_int_t before = json_integer_value(json_object_get(counts, name));
        set_number(counts, name, (uint64_t)before + service->streams->of_encoding[encoding]);
    }
    return counts;
}

static json_t *turn_of(const struct loop_turn *turn, uint64_t now_ms)
{
    json_t *did = json_object();

    for (int work = 0; work < LOOP_WORKS; work++)
        if (turn->did[work] > 0)
            set_number(did, loop_work_names[work], turn->did[work]);
    return json_pack("{s:I, s:I, s:o}", "cpu_us", (json_int_t)(turn->cpu_ns / 1000), "ago_ms",
                     (json_int_t)(now_ms - turn->at_ms), "did", did);
}

/* What everybody has had to wait for. */
static json_t *turns_of(const struct loop *loop)
{
    const struct loop_watch *watch = &loop->watch;
    uint64_t now = loop_now(loop);

    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "count", (json_int_t)watch->turns, "put_off",
                     (json_int_t)watch->put_off, "longest", turn_of(&watch->longest, now),
                     "longest_of_minute",
                     turn_of(loop_watch_longest(watch, now, LOOP_WATCH_SECONDS), now),
                     "longest_of_second", turn_of(loop_watch_longest(watch, now, 2), now));
}

/* What clients without a token make the daemon hold, and how much of it they may. */
static json_t *strangers_of(const struct service *service)
{
    const struct config *config = service->config;
    json_t *strangers = json_object();

    set_number(strangers, "topics_bytes", topic_limits_used(service->streams));
    set_number(strangers, "topics_most", config->max_topics_total);
    set_number(strangers, "topics_most_per_address", config->max_topics_per_address);
    set_number(strangers, "topics_refused", service->streams->refused_topics);
    set_number(strangers, "topics_refused_per_address",
               service->streams->refused_topics_of_address);
    set_number(strangers, "bodies_bytes", service->bodies.used);
    set_number(strangers, "bodies_most", service->bodies.most);
    set_number(strangers, "bodies_given_up", service->bodies.given_up);
    set_number(strangers, "bodies_most_per_address", service->bodies.most_of_address);
    set_number(strangers, "bodies_refused_per_address", service->bodies.refused_of_address);
    set_number(strangers, "replay_bytes", replay_kept_bytes(service->replays));
    set_number(strangers, "replay_most", config->max_replay_kept);
    set_number(strangers, "replay_work", service->replays->work);
    set_number(strangers, "pending_bytes", service->net->frames.bytes_held);
    set_number(strangers, "pending_most", config->max_pending_total);
    set_number(strangers, "addresses", service->net->addresses.by_address.count);
    set_number(strangers, "put_off", service->net->loop.watch.shares.put_off);
    set_number(strangers, "requests_waiting", service->waiting->count);
    set_number(strangers, "requests_refused", service->waiting->refused);
    set_number(strangers, "presence_changes", service->streams->presence.changes);
    return strangers;
}

/* Those that have a name. */
static json_t *publishers_of(const struct service *service)
{
    const struct publisher_counts *counts = service->publishers;
    json_t *publishers = json_object();

    for (size_t i = 0; i < counts->count; i++) {
        const struct publisher_count *one = &counts->list[i];
        (void)json_object_set_new(publishers, one->name,
                                  json_pack("{s:I, s:I, s:I}", "events", (json_int_t)one->events,
                                            "limited", (json_int_t)one->limited, "rate",
                                            (json_int_t)one->rate));
    }
    return publishers;
}

/* The living ones, as their records say. */
static json_t *living_nodes(const struct nodes *nodes)
{
    struct bus_node *living = calloc(BUS_NODES_MOST, sizeof *living);
    json_t *list = json_array();
    size_t count = living != NULL && nodes->inbox != NULL
                       ? bus_inbox_nodes(nodes->inbox, living, BUS_NODES_MOST)
                       : 0;

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_pack("{s:i, s:I, s:s}", "node", (int)living[i].node,
                                                    "streams", (json_int_t)living[i].streams, "url",
                                                    living[i].url));
    free(living);
    return list;
}

/* Of several daemons on one engine. */
static void add_node(json_t *state, const struct service *service)
{
    const struct nodes *nodes = service->nodes;
    const char *trouble = nodes_trouble(nodes);

    if (nodes == NULL || !nodes->facts.numbers_events)
        return;
    json_t *node = json_pack("{s:i, s:s, s:b, s:b}", "number", (int)nodes->facts.node, "engine",
                             "redis", "serves", trouble == NULL, "cut", nodes->is_cut);
    if (trouble != NULL)
        (void)json_object_set_new(node, "trouble", json_string(trouble));
    set_number(node, "cuts", nodes->cuts);
    set_number(node, "lost", nodes->lost);
    set_number(node, "notes", nodes->notes->said);
    set_number(node, "tables_wanted", nodes->notes->shares.wanted);
    set_number(node, "clids_elsewhere", nodes->notes->shares.by_key.count);
    (void)json_object_set_new(node, "nodes", living_nodes(nodes));
    (void)json_object_set_new(state, "node", node);
}

void inspect_state(struct connection *connection, const struct http_request *request)
{
    const struct service *service = service_of(connection);
    const struct net *net = service->net;
    const struct event_log *log = service->log;
    const struct intake_counters *counters = intake_counters(service->intake);
    json_t *state = json_object();
    uint64_t topics = 0, subscriptions = 0;

    (void)json_object_set_new(state, "version", json_string(PACKAGE_VERSION));
    set_number(state, "uptime_ms", loop_now(&net->loop) - service->started_at_ms);
    set_number(state, "epoch", log->epoch);
    set_number(state, "sequence", log->sequence);
    add_node(state, service);
    set_number(state, "connections", service->streams->by_connid.count);
    (void)json_object_set_new(state, "transports", transport_counts(service));
    set_number(state, "polls_between", service->streams->polls.by_connid.count);
    set_number(state, "sockets", service->net->connections);
    set_number(state, "max_sockets", net->max_connections);
    set_number(state, "clids", service->streams->presence.by_clid.count);
    set_number(state, "catching_up", service->replays->catching_up);
    set_number(state, "replayed", service->replays->events);
    set_number(state, "replayed_shared", service->replays->shared);
    set_number(state, "log_events", log->events);
    set_number(state, "log_from", log->forgotten + 1);
    set_number(state, "kept", log->values.count);
    set_number(state, "kept_bytes", last_values_bytes(&log->values));
    set_number(state, "kept_let_go", log->values.let_go);
    add_disk(state, service);
    add_tls(state, service);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        topics += service->streams->topics[kind].topics;
        subscriptions += service->streams->topics[kind].subscriptions;
    }
    set_number(state, "topics", topics);
    (void)json_object_set_new(state, "strangers", strangers_of(service));
    set_number(state, "subscriptions", subscriptions);
    set_number(state, "events", counters->events);
    set_number(state, "events_doubled", counters->doubles);
    set_number(state, "events_not_taken", counters->overloads);
    set_number(state, "events_limited", counters->limited);
    (void)json_object_set_new(state, "publishers", publishers_of(service));
    set_number(state, "bus_malformed", bus_reader_malformed(service->bus));
    set_number(state, "deliveries", service->delivery->deliveries);
    set_number(state, "frames_formatted", service->delivery->frames_formatted);
    set_number(state, "slow", net->backlogs);
    set_number(state, "accepted", net->counters.accepted);
    set_number(state, "refused_full", net->counters.refused_full);
    set_number(state, "streams_begun", service->streams->begun);
    set_number(state, "streams_dropped", service->streams->dropped);
    set_number(state, "revocations", service->streams->revocations.by_name.count);
    set_number(state, "revocations_most", service->streams->revocations.most);
    set_number(state, "reports", service->streams->reports.by_sequence.count);
    set_number(state, "reports_made", service->streams->reports.made);
    set_number(state, "reports_given_up", service->streams->reports.given_up);
    (void)json_object_set_new(state, "closed", closed_counts(service));
    (void)json_object_set_new(state, "turns", turns_of(&net->loop));
    (void)json_object_set_new(state, "busiest_topics", busiest_topics(service));
    (void)json_object_set_new(state, "slowest_streams", slowest_streams(service));
    reply_tree(connection, request, state);
}
