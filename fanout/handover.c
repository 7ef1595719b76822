#include "handover.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "events/intake.h"
#include "handover_tables.h"
#include "messages.h"
#include "net/connection.h"
#include "node.h"
#include "requests/leaving.h"
#include "requests/presence_events.h"
#include "requests/streaming.h"
#include "server_parts.h"
#include "upgrade/heir.h"
#include "upgrade/saved_connections.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { AHEAD_BYTES = 512 * 1024 /* in a turn of the loop: some tenths of a millisecond */ };

_Static_assert((int)SERVER_ERROR_SIZE >= (int)CHANNEL_ERROR_SIZE, "a sentence has to fit");

/* ---- the old program ---- */

/* Half of the past would be handed over as if it were all of it; and who is cut off would not come back. */
static const char *find_trouble(void *context)
{
    const struct server *server = context;

    return nodes_trouble(&server->nodes);
}

static bool is_quiet(void *context)
{
    const struct server *server = context;

    return server->replays.catching_up == 0 && server->waiting.count == 0 &&
           STAILQ_EMPTY(&server->dropping.jobs) && TAILQ_EMPTY(&server->answers.ready);
}

/* The log of events is the larger part of what is known, and what is in it does not change. */
static bool save_ahead(void *context, struct saved_writer *writer)
{
    struct server *server = context;

    return event_log_save_ahead(&server->log, &server->upgrade.ahead, AHEAD_BYTES, writer);
}

static bool rest(void *context)
{
    struct server *server = context;
    bool rests = intake_rest(server->intake);

    (void)presence_events_flush(&server->service, true);
    leaving_finish_all(&server->service);
    node_flush(server);
    bus_reader_leave(&server->bus);
    server->service.bus = NULL;
    return rests;
}

static void save_service(const struct server *server, struct saved_writer *writer)
{
    saved_put_text(writer, server->config.log_path != NULL ? server->config.log_path : "");
    saved_put(writer, (uint64_t)server->config.bus_engine);
    saved_put(writer, server->nodes.facts.boot);
    saved_put(writer, server->nodes.facts.notes);
    saved_put(writer, server->streams.next_connid);
    saved_put(writer, server->streams.begun);
    saved_put(writer, server->service.started_at_ms);
    saved_put(writer, server->service.released_until);
    saved_put(writer, session_ends_has_sessions(&server->session_ends));
    saved_put(writer, server->upgrade.outcome.number);
    saved_put(writer, server->upgrade.outcome.begun_us);
}

static void save(void *context, struct saved_writer *writer, struct bytes *descriptors)
{
    struct server *server = context;

    saved_connections_choose(&server->service);
    saved_begin(writer);
    saved_begin_section(writer, SAVED_SERVICE);
    save_service(server, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_LISTENERS);
    listeners_save(&server->listeners, writer, descriptors);
    saved_end_section(writer);
    handover_tables_save(server, writer);
    saved_connections_save(&server->service, writer, descriptors);
}

/* What was let go of may be held by somebody else by now. Then a restart is better than a daemon that
 * hears no event. */
static void go_on(void *context)
{
    struct server *server = context;
    char error[SERVER_ERROR_SIZE];

    const struct bus_take_up take_up = nodes_take_up(&server->nodes);

    saved_connections_keep(&server->service);
    server->service.bus = server->bus =
        bus_reader_open(&server->net, server->intake, server->log.epoch, &take_up, error);
    if (server->bus != NULL && node_is_the_same(server, error) &&
        intake_go_on(server->intake, error))
        return;
    message_error("cannot serve on after an upgrade that failed", message_text("error", error));
    server->service.is_succeeded = true;
    (void)raise(SIGTERM);
}

static void leave(void *context)
{
    struct server *server = context;
    uint64_t now = loop_now(&server->net.loop);

    server->service.is_succeeded = true;
    server->net.stopping = true;
    session_ends_stop(&server->session_ends);
    listeners_leave(&server->listeners);
    saved_connections_leave(&server->service);
    streaming_expire_polls(&server->service); /* all of them, as when it stops */
    server->stop_soon(server, now + server->config.stop_time);
}

void handover_open(struct server *server)
{
    server->service.upgrade = &server->upgrade;
    server->upgrade.loop = &server->net.loop.uv;
    server->upgrade.config = &server->config;
    server->upgrade.owner = (struct upgrade_owner){.trouble = find_trouble,
                                                   .save_ahead = save_ahead,
                                                   .is_quiet = is_quiet,
                                                   .rest = rest,
                                                   .save = save,
                                                   .go_on = go_on,
                                                   .leave = leave,
                                                   .context = server};
}

/* ---- the new program ---- */

static bool fail_section(enum saved_section section, char *error)
{
    (void)snprintf(error, SERVER_ERROR_SIZE,
                   "the section \"%s\" of the state cannot be taken over, or there is no memory",
                   saved_section_name(section));
    return false;
}

static bool load_service(struct server *server, struct saved_reader *reader, char *error)
{
    const char *path = server->config.log_path != NULL ? server->config.log_path : "";
    const char *former_path = saved_take_text(reader, NULL);
    uint64_t engine = saved_take(reader);

    server->nodes.facts.boot = saved_take(reader);
    server->nodes.facts.notes = saved_take_within(reader, SAVED_COUNTER_MOST);
    server->streams.next_connid = saved_take_within(reader, SAVED_COUNTER_MOST);
    server->streams.begun = saved_take(reader);
    server->service.started_at_ms = saved_take(reader);
    server->service.released_until = saved_take(reader);
    server->session_ends.had_sessions = saved_take_within(reader, 1) != 0;
    server->upgrade.outcome = (struct upgrade_outcome){.state = UPGRADE_DONE};
    server->upgrade.outcome.number = saved_take(reader);
    server->upgrade.outcome.begun_us = saved_take(reader);
    if (!saved_is_read(reader))
        return fail_section(SAVED_SERVICE, error);
    bool same_path = strcmp(path, former_path) == 0;
    if (same_path && engine == (uint64_t)server->config.bus_engine)
        return true;
    (void)snprintf(error, SERVER_ERROR_SIZE, "%s has changed: that needs a restart",
                   same_path ? "[bus] engine" : "[log] path");
    return false;
}

static bool load_ahead(void *context, struct saved_reader *reader)
{
    struct server *server = context;

    return event_log_load_ahead(&server->log, reader);
}

bool handover_take_tables(struct server *server, struct heir *heir, char *error)
{
    struct saved_reader *sections = heir->state.sections;
    size_t taken;

    if (!heir_receive(heir, load_ahead, server, error))
        return false;
    uv_update_time(&server->net.loop.uv);
    if (!load_service(server, &sections[SAVED_SERVICE], error))
        return false;
    if (!listeners_load(&server->listeners, &sections[SAVED_LISTENERS], heir->descriptors,
                        heir->count, &taken))
        return fail_section(SAVED_LISTENERS, error);
    heir->taken = taken;
    enum saved_section failed;
    return handover_tables_load(server, sections, &failed) || fail_section(failed, error);
}

bool handover_take_clients(struct server *server, struct heir *heir, char *error)
{
    struct upgrade_outcome *outcome = &server->upgrade.outcome;

    if (!saved_connections_load(&server->service, &heir->state, heir->descriptors + heir->taken,
                                heir->count - heir->taken))
        return fail_section(SAVED_CONNECTIONS, error);
    if (!heir_finish(heir, error))
        return false;
    listeners_end_past(&server->listeners);
    outcome->pause_us = clock_monotonic_ns() / 1000 - outcome->begun_us;
    message_info("took over from the program before",
                 message_number("streams", (int64_t)server->streams.by_connid.count),
                 message_number("connections", (int64_t)server->net.connections),
                 message_number("pause_us", (int64_t)outcome->pause_us));
    return true;
}
