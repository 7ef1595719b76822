#include "requests/metrics_report.h"

#include "config/config.h"
#include "events/bus_reader.h"
#include "events/delivery.h"
#include "events/intake.h"
#include "events/nodes.h"
#include "events/publisher_counts.h"
#include "events/replay.h"
#include "exposition.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "net/tls_context.h"
#include "process_metrics.h"
#include "requests/service.h"
#include "requests/waiting_requests.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"

#include <string.h>

enum { REPORT_SIZE = 16 * 1024 }; /* bytes of most reports: they are written without growing */

static void write_build(struct exposition *out)
{
    exposition_gauge(out, "esn_build_info", "The version that runs; always 1.");
    exposition_sample(out, "version", PACKAGE_VERSION, 1);
}

/* ---- clients ---- */

/* Encodings that share a name are one transport, and stand one after the other. */
static void write_transports(struct exposition *out, const struct service *service)
{
    exposition_gauge(out, "esn_streams", "Streams that are open.");
    for (int encoding = 0; encoding < FRAME_ENCODINGS; encoding++) {
        const char *name = service->transports[encoding]->name;
        uint64_t count = 0;
        bool said = false;
        for (int other = 0; other < FRAME_ENCODINGS; other++) {
            if (strcmp(service->transports[other]->name, name) != 0)
                continue;
            said = said || other < encoding;
            count += service->streams->of_encoding[other];
        }
        if (!said)
            exposition_sample(out, "transport", name, count);
    }
}

static void write_streams(struct exposition *out, const struct service *service)
{
    const struct streams *streams = service->streams;
    uint64_t topics = 0, subscriptions = 0;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        topics += streams->topics[kind].topics;
        subscriptions += streams->topics[kind].subscriptions;
    }
    write_transports(out, service);
    exposition_one_gauge(out, "esn_polls_between", "Clients that are between two polls.",
                         streams->polls.by_connid.count);
    exposition_one_gauge(out, "esn_clients", "Client ids that are present.",
                         streams->presence.by_clid.count);
    exposition_one_gauge(out, "esn_topics", "Topics and patterns that are subscribed to.", topics);
    exposition_one_gauge(out, "esn_subscriptions", "Subscriptions of all streams.", subscriptions);
    exposition_one_counter(out, "esn_streams_opened", "Streams that have begun.", streams->begun);
    exposition_one_counter(out, "esn_streams_dropped", "Streams that were ended by order.",
                           streams->dropped);
    exposition_counter(out, "esn_resumes",
                       "Clients that came back, by whether the log had all that they missed.");
    exposition_sample(out, "recovered", "yes", streams->resumes[true]);
    exposition_sample(out, "recovered", "no", streams->resumes[false]);
    exposition_histogram(out, "esn_resume_events", "Events that a client that came back was given.",
                         &service->replays->lengths, &histogram_counts);
    exposition_one_gauge(out, "esn_catching_up", "Streams that catch up with the log.",
                         service->replays->catching_up);
    exposition_one_counter(out, "esn_replayed_events", "Events that were given from the log.",
                           service->replays->events);
}

static void write_connections(struct exposition *out, const struct service *service)
{
    const struct net *net = service->net;

    exposition_one_gauge(out, "esn_connections", "Connections that are open.", net->connections);
    exposition_one_gauge(out, "esn_connections_limit", "Most connections at once.",
                         net->max_connections);
    exposition_one_counter(out, "esn_connections_accepted", "Connections that came.",
                           net->counters.accepted);
    exposition_counter(out, "esn_connections_closed", "Connections that ended, by why.");
    for (int reason = 0; reason < CLOSE_REASONS; reason++)
        exposition_sample(out, "reason", close_reason_name(reason), net->counters.closed[reason]);
    exposition_one_gauge(out, "esn_slow_connections",
                         "Connections whose client does not take what waits for it.",
                         net->backlogs);
    exposition_one_gauge(out, "esn_pending_bytes", "Bytes of events that wait for slow clients.",
                         net->frames.bytes_held);
    exposition_one_gauge(out, "esn_pending_bytes_limit", "Most bytes that may wait.",
                         net->config->max_pending_total);
}

static void write_tls(struct exposition *out, const struct net *net)
{
    if (net->tls == NULL)
        return;
    const struct tls_counters *counters = tls_context_counters(net->tls);
    exposition_counter(out, "esn_tls_handshakes",
                       "TLS handshakes, by whether a ticket resumed one.");
    exposition_sample(out, "resumed", "yes", counters->resumed);
    exposition_sample(out, "resumed", "no", counters->handshakes - counters->resumed);
    exposition_counter(out, "esn_tls_failures", "TLS connections that failed, by why.");
    for (int failure = 0; failure < TLS_FAILURES; failure++)
        exposition_sample(out, "reason", tls_failure_name(failure), counters->failed[failure]);
}

/* ---- events ---- */

static void write_results(struct exposition *out, const struct intake_counters *counters)
{
    exposition_counter(out, "esn_events", "Events from the bus, by what became of them.");
    exposition_sample(out, "result", "delivered", counters->events);
    exposition_sample(out, "result", "double", counters->doubles);
    exposition_sample(out, "result", "id_of_another", counters->others);
    exposition_sample(out, "result", "limited", counters->limited);
    exposition_sample(out, "result", "refused", counters->refused);
    exposition_sample(out, "result", "not_stored", counters->unstored);
    exposition_sample(out, "result", "topic_over_limits", counters->topics);
    exposition_sample(out, "result", "no_memory",
                      counters->overloads - counters->unstored - counters->topics);
}

static void write_publishers(struct exposition *out, const struct publisher_counts *publishers)
{
    static const char *const labels[] = {"publisher", "result"};

    exposition_counter(out, "esn_publisher_events",
                       "Events of the publishers that have a name, by whether they were taken.");
    for (size_t i = 0; i < publishers->count; i++) {
        const struct publisher_count *one = &publishers->list[i];
        exposition_sample_of_two(out, labels, (const char *const[]){one->name, "taken"},
                                 one->events);
        exposition_sample_of_two(out, labels, (const char *const[]){one->name, "limited"},
                                 one->limited);
    }
}

static void write_events(struct exposition *out, const struct service *service)
{
    const struct delivery *delivery = service->delivery;

    write_results(out, intake_counters(service->intake));
    write_publishers(out, service->publishers);
    exposition_one_counter(out, "esn_bus_malformed_messages",
                           "Messages of the bus that were none of this version.",
                           bus_reader_malformed(service->bus));
    exposition_one_counter(out, "esn_deliveries", "Events given to streams.", delivery->deliveries);
    exposition_one_counter(out, "esn_frames_formatted", "Frames that were written out.",
                           delivery->frames_formatted);
    exposition_one_counter(out, "esn_formatted_bytes", "Bytes of those frames.",
                           delivery->bytes_formatted);
    exposition_histogram(out, "esn_event_write_seconds",
                         "From the bus until all sockets had an event, or took no more.",
                         &service->net->written.times, &histogram_times);
}

/* ---- the log, and what is bounded ---- */

static void write_log(struct exposition *out, const struct service *service)
{
    const struct event_log *log = service->log;
    const struct log_store_figures figures = intake_figures(service->intake);

    exposition_one_gauge(out, "esn_log_events", "Events in the log.", log->events);
    exposition_one_gauge(out, "esn_log_bytes", "Memory of the log.", event_log_bytes(log));
    exposition_one_gauge(out, "esn_kept_values", "Last values of topics that are kept.",
                         log->values.count);
    exposition_one_gauge(out, "esn_kept_values_bytes", "Memory of those.",
                         last_values_bytes(&log->values));
    if (!intake_has_store(service->intake))
        return;
    exposition_counter(out, "esn_log_writes",
                       "Entries for the log on disk, by what became of them.");
    exposition_sample(out, "result", "stored", figures.stored);
    exposition_sample(out, "result", "failed", figures.failed);
    exposition_one_gauge(out, "esn_log_unsynced_bytes", "Bytes on their way to the disk.",
                         figures.unsynced_bytes);
    exposition_histogram(out, "esn_log_sync_seconds",
                         "How long a transaction took, with what the disk needs to keep it.",
                         &figures.times, &histogram_times);
}

static void write_bounds(struct exposition *out, const struct service *service)
{
    exposition_one_gauge(out, "esn_topics_bytes", "Memory of what clients subscribe to.",
                         topic_limits_used(service->streams));
    exposition_one_gauge(out, "esn_topics_bytes_limit", "Most of it.",
                         service->config->max_topics_total);
    exposition_one_gauge(out, "esn_bodies_bytes", "Memory of requests that come in.",
                         service->bodies.used);
    exposition_one_gauge(out, "esn_bodies_bytes_limit", "Most of it.", service->bodies.most);
    exposition_one_gauge(out, "esn_requests_waiting",
                         "Requests that wait for their address's share of the loop.",
                         service->waiting->count);
    exposition_one_counter(out, "esn_requests_refused", "Requests for which there was no place.",
                           service->waiting->refused);
}

/* Of several daemons on one engine. */
static void write_node(struct exposition *out, const struct nodes *nodes)
{
    if (nodes == NULL || !nodes->facts.numbers_events)
        return;
    exposition_one_gauge(out, "esn_node", "The number of this daemon among others.",
                         nodes->facts.node);
    exposition_one_gauge(out, "esn_node_serves", "1: subscribers are taken; 0: they are not.",
                         nodes_trouble(nodes) == NULL);
    exposition_one_counter(out, "esn_node_cuts", "How often it was cut off from the others.",
                           nodes->cuts);
    exposition_one_counter(
        out, "esn_node_losses",
        "How often events were missing here, and streams were told to come back.", nodes->lost);
}

static void write_loop(struct exposition *out, const struct loop *loop)
{
    const struct loop_watch *watch = &loop->watch;
    const struct loop_turn *longest = loop_watch_longest(watch, loop_now(loop), LOOP_WATCH_SECONDS);

    exposition_one_counter(out, "esn_loop_turns", "Turns of the loop.", watch->turns);
    exposition_gauge(out, "esn_loop_longest_turn_seconds",
                     "Processor time of the longest turn of the last minute.");
    exposition_fraction(out, (double)longest->cpu_ns / 1e9);
}

void metrics_report_answer(struct connection *connection, const struct http_request *request)
{
    const struct service *service = service_of(connection);
    struct bytes text = BYTES_EMPTY;
    struct exposition out = {
        .out = &text,
        .format = exposition_choose(http_request_header(request, HTTP_HEADER_ACCEPT))};

    (void)bytes_reserve(&text, REPORT_SIZE);
    write_build(&out);
    write_streams(&out, service);
    write_connections(&out, service);
    write_tls(&out, service->net);
    write_events(&out, service);
    write_log(&out, service);
    write_node(&out, service->nodes);
    write_bounds(&out, service);
    write_loop(&out, &service->net->loop);
    process_metrics_write(&out);
    exposition_end(&out);
    if (text.failed)
        http_reply_error(connection, request, 503, "Out of memory");
    else
        http_reply_text(connection, request, exposition_content_type(out.format), text.data,
                        text.length);
    bytes_free(&text);
}
