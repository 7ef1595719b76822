#include "handover.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "events/intake.h"
#include "messages.h"
#include "net/connection.h"
#include "requests/leaving.h"
#include "requests/presence_events.h"
#include "requests/streaming.h"
#include "server_parts.h"
#include "upgrade/heir.h"
#include "upgrade/saved_connections.h"
#include "used_tickets.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)SERVER_ERROR_SIZE >= (int)CHANNEL_ERROR_SIZE, "a sentence has to fit");

/* ---- the old program ---- */

static bool is_quiet(void *context)
{
    const struct server *server = context;

    return server->replays.catching_up == 0 && server->waiting.count == 0 &&
           STAILQ_EMPTY(&server->dropping.jobs) && TAILQ_EMPTY(&server->answers.ready);
}

static void rest(void *context)
{
    struct server *server = context;

    intake_rest(server->intake);
    (void)presence_events_flush(&server->service, true);
    leaving_finish_all(&server->service);
    bus_reader_leave(&server->bus);
    server->service.bus = NULL;
}

static void save_service(const struct server *server, struct saved_writer *writer)
{
    saved_put_text(writer, server->config.log_path != NULL ? server->config.log_path : "");
    saved_put(writer, server->streams.next_connid);
    saved_put(writer, server->streams.begun);
    saved_put(writer, server->service.started_at_ms);
    saved_put(writer, server->upgrade.outcome.number);
    saved_put(writer, server->upgrade.outcome.begun_us);
}

static void save_tickets(const struct server *server, struct saved_writer *writer)
{
    saved_put(writer, server->service.tickets.opened_ms);
    used_tickets_save(server->service.tickets.used, writer);
}

/* In the order of enum saved_section. */
static void save(void *context, struct saved_writer *writer, struct bytes *descriptors)
{
    struct server *server = context;
    struct streams *streams = &server->streams;

    saved_connections_choose(&server->service);
    saved_begin(writer);
    saved_begin_section(writer, SAVED_SERVICE);
    save_service(server, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_LISTENERS);
    listeners_save(&server->listeners, writer, descriptors);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_SECRETS);
    stream_secrets_save(&streams->secrets, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_TICKETS);
    save_tickets(server, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_RATES);
    rate_limits_save(&server->rates, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_REVOCATIONS);
    revocations_save(&streams->revocations, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_SEEN);
    seen_events_save(&server->seen, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_EVENTS);
    event_log_save(&server->log, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_VALUES);
    last_values_save(&server->log.values, writer);
    saved_end_section(writer);
    saved_begin_section(writer, SAVED_PRESENCE);
    presence_save(&streams->presence, writer);
    saved_end_section(writer);
    saved_connections_save(&server->service, writer, descriptors);
}

/* What was let go of may be held by somebody else by now. Then a restart is better than a daemon that
 * hears no event. */
static void go_on(void *context)
{
    struct server *server = context;
    char error[SERVER_ERROR_SIZE];

    server->service.bus = server->bus =
        bus_reader_open(&server->net, server->intake, server->log.epoch, error);
    if (server->bus != NULL && intake_go_on(server->intake, error))
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
    server->upgrade.owner = (struct upgrade_owner){.is_quiet = is_quiet,
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

    server->streams.next_connid = saved_take_within(reader, SAVED_COUNTER_MOST);
    server->streams.begun = saved_take(reader);
    server->service.started_at_ms = saved_take(reader);
    server->upgrade.outcome = (struct upgrade_outcome){.state = UPGRADE_DONE};
    server->upgrade.outcome.number = saved_take(reader);
    server->upgrade.outcome.begun_us = saved_take(reader);
    if (!saved_is_read(reader))
        return fail_section(SAVED_SERVICE, error);
    if (strcmp(path, former_path) == 0)
        return true;
    (void)snprintf(error, SERVER_ERROR_SIZE, "[log] path has changed: that needs a restart");
    return false;
}

static bool load_tickets(struct server *server, struct saved_reader *reader)
{
    server->service.tickets.opened_ms = saved_take(reader);
    return used_tickets_load(server->service.tickets.used, reader);
}

static bool load_table(struct server *server, enum saved_section section,
                       struct saved_reader *reader)
{
    struct streams *streams = &server->streams;

    switch (section) {
    case SAVED_SECRETS:
        return stream_secrets_load(&streams->secrets, reader);
    case SAVED_TICKETS:
        return load_tickets(server, reader);
    case SAVED_RATES:
        return rate_limits_load(&server->rates, reader);
    case SAVED_REVOCATIONS:
        return revocations_load(&streams->revocations, reader, clock_wall_ms());
    case SAVED_SEEN:
        return seen_events_load(&server->seen, reader);
    case SAVED_EVENTS:
        return event_log_load(&server->log, reader);
    case SAVED_VALUES:
        return last_values_load(&server->log.values, reader);
    default:
        return presence_load(&streams->presence, reader);
    }
}

bool handover_take_tables(struct server *server, struct heir *heir, char *error)
{
    struct saved_reader *sections = heir->state.sections;
    size_t taken;

    if (!heir_receive(heir, error))
        return false;
    uv_update_time(&server->net.loop.uv);
    if (!load_service(server, &sections[SAVED_SERVICE], error))
        return false;
    if (!listeners_load(&server->listeners, &sections[SAVED_LISTENERS], heir->descriptors,
                        heir->count, &taken))
        return fail_section(SAVED_LISTENERS, error);
    heir->taken = taken;
    for (int section = SAVED_SECRETS; section <= SAVED_PRESENCE; section++)
        if (!load_table(server, (enum saved_section)section, &sections[section]) ||
            !saved_is_read(&sections[section]))
            return fail_section((enum saved_section)section, error);
    return true;
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
