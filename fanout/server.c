/* Puts the daemon together. One turn of its loop (docs/tour.md):
 *   1. it wakes: sockets and bus, as the kernel names them; between batches of clients the bus,
 *   2. what was queued is written (on_after_sleep), and what was closed is freed,
 *   3. every tick: deadlines, events and polls that are too old (on_tick),
 *   4. what was left over of a batch of the bus (bus_reader.c),
 *   5. requests that wait for their client's share are answered, streams that are dropped end, a slice
 *      of the log for each that catches up, then all that is queued is written,
 *   6. sockets that the turn had no time to read are looked at again, and it sleeps, unless
 *      somebody has to wait or can go on catching up (on_before_sleep). */
#include "server.h"

#include "clock.h"
#include "config/config_messages.h"
#include "events/bus_reader.h"
#include "events/intake.h"
#include "handover.h"
#include "messages.h"
#include "net/connection.h"
#include "net/send_batch.h"
#include "node.h"
#include "requests/memory_report.h"
#include "requests/presence_catch_up.h"
#include "requests/presence_events.h"
#include "requests/request_reader.h"
#include "requests/streaming.h"
#include "requests/subscribe.h"
#include "routes.h"
#include "stopping.h"
#include "transports/transports.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { SPARE_DESCRIPTORS = 64 };

/* Raises the limit of open files as far as it goes and says how many connections that allows. */
static uint64_t descriptors_for_connections(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - SPARE_DESCRIPTORS;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024 - SPARE_DESCRIPTORS;
    return limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? limit.rlim_cur - SPARE_DESCRIPTORS
                                                  : limit.rlim_cur / 2;
}

static void apply_config(struct server *server)
{
    uint64_t allowed = descriptors_for_connections();

    server->net.max_connections = server->config.max_connections;
    if (server->net.max_connections == 0 || server->net.max_connections > allowed)
        server->net.max_connections = allowed;
    if (server->config.max_connections > allowed)
        message_warning("max_connections is more than the limit of open files allows",
                        message_number("wanted", (int64_t)server->config.max_connections),
                        message_number("allowed", (int64_t)allowed));
    if (!net_trust_proxies(&server->net))
        message_error("trusted_proxies not taken over, the old ones stay",
                      message_error_code(ENOMEM));
    server->service.bodies.most = server->config.max_body_total;
    server->service.bodies.most_of_address = server->config.max_body_per_address;
    server->seen.max_count = server->config.remember_events;
    server->seen.max_age_ms = server->config.remember_time;
    server->log.max_bytes = server->config.log_max_bytes;
    server->log.values.max_bytes = server->config.log_max_kept;
    server->log.max_age_ms = server->config.log_max_age;
    server->streams.presence.past.most = server->config.max_presence_missed;
    server->streams.polls.most = server->config.max_polls_between;
    server->streams.departed.max_count = server->config.log_max_departed;
    server->streams.departed.max_age_ms = server->config.log_max_age;
    server->streams.secrets.max_age_ms = server->config.log_max_age;
    server->streams.secrets.lives_ms = server->config.stream_time + server->config.log_max_age;
    server->streams.secrets.moved.max_count = server->config.log_max_departed;
    server->streams.secrets.moved.max_age_ms = server->streams.secrets.lives_ms;
    server->streams.revocations.most = server->config.max_revocations;
    server->streams.reports.max_bytes = server->config.max_report_bytes;
    server->streams.reports.max_age_ms = server->config.report_time;
    server->streams.decisions.max_bytes = server->config.max_decisions_bytes;
    config_messages_apply(&server->config, "esn-fanout");
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uint64_t now = loop_now(&server->net.loop);

    deadlines_advance(&server->net.deadlines, now, connection_on_deadline, NULL);
    (void)uv_timer_start(timer, on_tick,
                         deadlines_are_late(&server->net.deadlines) ? 1 : DEADLINES_TICK_MS,
                         DEADLINES_TICK_MS);
    event_log_expire(&server->log, now);
    busy_topics_pass(&server->delivery.busy, now);
    last_values_trim(&server->log.values);
    streaming_expire_polls(&server->service);
    revocations_expire(&server->streams.revocations, clock_wall_ms());
    if (!server->service.is_succeeded)
        undelivered_tell(&server->undelivered);
    reports_expire(&server->streams.reports, now);
    access_log_tell(&server->streams.access, now);
}

static void on_busy(uv_idle_t *idle)
{
    (void)idle; /* its being there is enough: the loop does not sleep */
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;

    bool all_dropped = server->service.is_succeeded || dropping_run(&server->dropping);
    bool all_noted = node_run(server);
    bool all_told = presence_events_flush(&server->service, false);
    bool all_left = !leaving_run(&server->service);
    bool all_answered = !waiting_requests_run(&server->service);
    piecewise_answers_run(&server->service);
    replay_run(&server->replays);
    bool all_written = !connection_flush(&server->net);
    loop_watch_end_turn(&server->net.loop.watch, loop_now(&server->net.loop));
    bool all_read = !connection_resume_put_off(&server->net);
    bool is_about_to = upgrade_run(&server->upgrade);
    if (is_about_to || replay_can_go_on(&server->replays) ||
        piecewise_answers_can_go_on(&server->service) || !all_noted || !all_told || !all_dropped ||
        !all_answered || !all_left || !all_written || !all_read)
        (void)uv_idle_start(&server->busy, on_busy);
    else
        (void)uv_idle_stop(&server->busy);
}

static void on_after_sleep(uv_check_t *check)
{
    struct server *server = check->data;

    (void)presence_events_flush(&server->service, false);
    (void)connection_flush(&server->net);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Every stream and socket is gone: what is left of the loop goes too. */
static void leave_loop(struct server *server)
{
    node_stop(server);
    (void)presence_events_flush(&server->service, true);
    listeners_stop(&server->listeners);
    if (server->bus != NULL)
        bus_reader_stop(server->bus);
    if (server->intake != NULL)
        intake_stop(server->intake);
    session_ends_stop(&server->session_ends);
    close_handle((uv_handle_t *)&server->tick);
    close_handle((uv_handle_t *)&server->before_sleep);
    close_handle((uv_handle_t *)&server->after_sleep);
    close_handle((uv_handle_t *)&server->busy);
    close_handle((uv_handle_t *)&server->on_terminate);
    close_handle((uv_handle_t *)&server->on_interrupt);
    close_handle((uv_handle_t *)&server->on_hangup);
    close_handle((uv_handle_t *)&server->on_user);
    close_handle((uv_handle_t *)&server->on_upgrade);
    close_handle((uv_handle_t *)&server->stop_timer);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;

    if (stopping_is_over(&server->service, server->stop_deadline))
        leave_loop(server);
}

static void stop_soon(struct server *server, uint64_t deadline)
{
    server->stop_deadline = deadline;
    (void)uv_timer_start(&server->stop_timer, on_stop_timer, 10, 10);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (upgrade_pass_on(&server->upgrade, number) || server->net.stopping)
        return;
    message_info("stopping", message_text("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"),
                 message_number("streams", (int64_t)server->streams.by_connid.count));
    upgrade_abandon(&server->upgrade, "this program was told to stop");
    stop_soon(server, stopping_begin(&server->service, &server->listeners, server->bus));
}

static void tell_not_reloadable(const struct config_key *key, void *context)
{
    (void)context;
    message_warning("changed in the file, but needs a restart",
                    message_text("section", key->section), message_text("key", key->name));
}

static void reload_secrets(struct server *server)
{
    struct secret_list tokens = {0};
    char error[SECRET_ERROR_SIZE];

    if (!ticket_gate_reload(&server->service.tickets, &server->config, error))
        message_error("ticket secrets not reloaded, the old ones stay",
                      message_text("error", error));
    if (!secret_list_load(&tokens, server->config.admin_token_file, error)) {
        message_error("admin tokens not reloaded, the old ones stay", message_text("error", error));
        return;
    }
    secret_list_free(&server->service.admin_tokens);
    server->service.admin_tokens = tokens;
}

static void reload_certificates(struct server *server)
{
    char error[NET_ERROR_SIZE];

    if (!net_load_tls(&server->net, error))
        message_error("certificates not reloaded, the old ones stay", message_text("error", error));
}

/* Without the file the daemon works, but for what the file says of it. */
static void load_publishers(struct server *server)
{
    char error[PUBLISHERS_ERROR_SIZE];

    if (!publisher_counts_load(&server->publishers, server->config.publishers_file, error))
        message_error("publishers not read: names and rates are those of before, or none",
                      message_text("error", error));
}

static void on_reload_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    struct config fresh;
    char error[CONFIG_ERROR_SIZE];

    if (upgrade_pass_on(&server->upgrade, number))
        return;
    if (!config_load(&fresh, server->config.path, error)) {
        message_error("configuration not reloaded, the old one stays",
                      message_text("error", error));
        return;
    }
    config_apply_reload(&server->config, &fresh, tell_not_reloadable, NULL);
    config_free(&fresh);
    reload_secrets(server);
    reload_certificates(server);
    load_publishers(server);
    apply_config(server);
    listeners_apply_config(&server->listeners);
    message_info("configuration reloaded", message_text("file", server->config.path));
}

static void on_release_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (upgrade_pass_on(&server->upgrade, number))
        return;
    message_info("streams are released",
                 message_number("connections", (int64_t)server->net.connections));
    if (!server->net.stopping)
        stopping_release_streams(&server->service);
}

static void on_upgrade_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (!upgrade_pass_on(&server->upgrade, number) && !server->net.stopping)
        (void)upgrade_begin(&server->upgrade);
}

static int start_handles(struct server *server)
{
    uv_loop_t *loop = &server->net.loop.uv;
    int error = uv_timer_init(loop, &server->tick);

    server->tick.data = server->before_sleep.data = server->after_sleep.data = server;
    server->on_terminate.data = server->on_interrupt.data = server->on_hangup.data = server;
    server->on_user.data = server->on_upgrade.data = server;
    if (!error)
        error = uv_timer_init(loop, &server->stop_timer);
    server->stop_timer.data = server;
    if (!error)
        error = uv_prepare_init(loop, &server->before_sleep);
    if (!error)
        error = uv_check_init(loop, &server->after_sleep);
    if (!error)
        error = uv_idle_init(loop, &server->busy);
    if (!error)
        error = uv_signal_init(loop, &server->on_terminate);
    if (!error)
        error = uv_signal_init(loop, &server->on_interrupt);
    if (!error)
        error = uv_signal_init(loop, &server->on_hangup);
    if (!error)
        error = uv_signal_init(loop, &server->on_user);
    if (!error)
        error = uv_signal_init(loop, &server->on_upgrade);
    if (!error)
        error = uv_timer_start(&server->tick, on_tick, DEADLINES_TICK_MS, DEADLINES_TICK_MS);
    if (!error)
        error = uv_prepare_start(&server->before_sleep, on_before_sleep);
    if (!error)
        error = uv_check_start(&server->after_sleep, on_after_sleep);
    if (!error)
        error = uv_signal_start(&server->on_terminate, on_stop_signal, SIGTERM);
    if (!error)
        error = uv_signal_start(&server->on_interrupt, on_stop_signal, SIGINT);
    if (!error)
        error = uv_signal_start(&server->on_hangup, on_reload_signal, SIGHUP);
    if (!error)
        error = uv_signal_start(&server->on_user, on_release_signal, SIGUSR1);
    if (!error)
        error = uv_signal_start(&server->on_upgrade, on_upgrade_signal, SIGUSR2);
    return error;
}

/* Never a connection id that an earlier daemon gave away, short of a thousand connections a
 * millisecond (docs/protocol.md section 1: below 2^53); where the clock was put back meanwhile, the
 * sequences of the log on disk go on all the same. */
static bool open_connids(struct server *server, uint64_t wall_ms, char *error)
{
    struct streams *streams = &server->streams;
    const struct bus_facts *facts = &server->nodes.facts;
    uint64_t by_clock = wall_ms << 10;
    uint64_t by_log = (server->log.epoch << 10) + server->log.sequence;

    streams->next_connid = by_clock > by_log ? by_clock : by_log;
    if (facts->numbers_events)
        streams->next_connid = facts->first_connid;
    const unsigned char *key =
        facts->numbers_events ? facts->stream_key : intake_stream_key(server->intake);
    if (!stream_secrets_open(&streams->secrets, key, streams->next_connid,
                             loop_now(&server->net.loop))) {
        snprintf(error, SERVER_ERROR_SIZE, "out of memory");
        return false;
    }
    if (facts->numbers_events)
        stream_secrets_share(&streams->secrets, facts->node);
    return true;
}

/* Without it each write is a system call of its own, which works as well. */
static void open_batch(struct server *server)
{
    if (!server->config.io_uring)
        return;
    server->net.writes.batch = send_batch_open();
    if (server->net.writes.batch == NULL)
        message_warning("no io_uring: each write is a system call of its own",
                        message_error_code(errno));
}

static void greet_client(struct connection *connection, struct arrival arrival)
{
    connection->user = arrival.speaks_lines ? &transport_lines_user : &request_reader_user;
}

static void open_service(struct server *server)
{
    server->net.client = (struct net_client){sizeof(struct stream),
                                             offsetof(struct stream, connection), greet_client};
    server->net.service = &server->service;
    server->service = (struct service){.config = &server->config,
                                       .net = &server->net,
                                       .streams = &server->streams,
                                       .log = &server->log,
                                       .delivery = &server->delivery,
                                       .replays = &server->replays,
                                       .waiting = &server->waiting,
                                       .answers = &server->answers,
                                       .leaving = &server->leaving,
                                       .transports = transports,
                                       .seen = &server->seen,
                                       .publishers = &server->publishers,
                                       .nodes = &server->nodes,
                                       .started_at_ms = loop_now(&server->net.loop),
                                       .answer = routes_answer};
    waiting_requests_open(&server->waiting, &request_reader_user, request_reader_answer);
    leaving_open(&server->leaving);
    piecewise_answers_open(&server->answers);
    delivery_open(&server->delivery, &server->net, &server->streams, &server->log);
}

/* Random, so that nobody can foresee what shares a bucket, or when a client is told to come back:
 * each is for one thing. */
struct seeds {
    struct streams_seeds streams;
    uint64_t log, seen, addresses, rates, replays, retry, stop, busy, access;
};

static bool open_tables(struct server *server, uint64_t wall_ms, char *error)
{
    struct seeds seeds;

    if (!secret_random(&seeds, sizeof seeds)) {
        snprintf(error, SERVER_ERROR_SIZE, "the system gives no random bytes");
        return false;
    }
    seen_events_open(&server->seen, seeds.seen);
    rate_limits_open(&server->rates, seeds.rates);
    server->net.addresses.seed = seeds.addresses;
    replay_open(&server->replays, &server->delivery, presence_catch_up_tell, seeds.replays);
    server->service.retry_seed = seeds.retry;
    server->delivery.busy.seed = seeds.busy;
    server->service.stop_seed = seeds.stop;
    server->streams.access.config = &server->config;
    server->streams.access.seed = seeds.access;
    bool has_streams = streams_open(&server->streams, &seeds.streams);
    bool has_log = event_log_open(&server->log, wall_ms, seeds.log);
    server->streams.decisions.newest = &server->log.sequence;
    if (!has_streams || !has_log)
        snprintf(error, SERVER_ERROR_SIZE, "out of memory");
    return has_streams && has_log;
}

static bool begin_drop(void *context, const struct drop *drop, const struct drop_receipt *receipt)
{
    struct server *server = context;

    return dropping_begin(&server->dropping, drop, receipt);
}

static void drop_is_done(void *context, const struct drop_receipt *receipt, uint32_t dropped)
{
    struct server *server = context;

    drops_done(&server->drops, receipt, dropped);
}

static void open_drops(struct server *server)
{
    server->drops = (struct drops){.config = &server->config,
                                   .loop = &server->net.loop,
                                   .seen = &server->seen,
                                   .revocations = &server->streams.revocations,
                                   .begin = begin_drop,
                                   .context = server};
    server->dropping = (struct dropping){.done = drop_is_done, .context = server};
    dropping_open(&server->dropping, &server->service);
}

static bool open_session_ends(struct server *server, char *error)
{
    server->session_ends.config = &server->config;
    server->session_ends.streams = &server->streams;
    server->session_ends.drops = &server->drops;
    return session_ends_open(&server->session_ends, &server->net.loop.uv, error);
}

static bool open_intake(struct server *server, bool goes_on, char *error)
{
    const struct intake_parts parts = {.config = &server->config,
                                       .loop = &server->net.loop,
                                       .delivery = &server->delivery,
                                       .log = &server->log,
                                       .seen = &server->seen,
                                       .rates = &server->rates,
                                       .publishers = &server->publishers,
                                       .drops = &server->drops,
                                       .nodes = &server->nodes,
                                       .goes_on = goes_on};

    server->service.intake = server->intake = intake_open(&parts, error);
    server->undelivered = (struct undelivered){.delivery = &server->delivery,
                                               .seen = &server->seen,
                                               .publishers = &server->publishers,
                                               .intake = server->intake};
    return server->intake != NULL;
}

static bool open_bus(struct server *server, bool goes_on, char *error)
{
    const struct bus_take_up take_up = nodes_take_up(&server->nodes);

    server->service.bus = server->bus =
        bus_reader_open(&server->net, server->intake, server->log.epoch, &take_up, error);
    if (server->bus == NULL)
        return false;
    return node_open(server, goes_on, error);
}

static bool open_streams(struct server *server, struct heir *heir, uint64_t wall, char *error)
{
    if (heir != NULL)
        return true;
    /* Ids of before are those of now where others have them too. */
    presence_past_begin(&server->streams.presence.past,
                        server->log.sequence + server->log.is_shared);
    return open_connids(server, wall, error);
}

static bool open_parts(struct server *server, struct heir *heir, char *error)
{
    uint64_t wall = clock_wall_ms();
    struct service *service = &server->service;

    open_service(server);
    if (!open_tables(server, wall, error) ||
        !secret_list_load(&service->admin_tokens, server->config.admin_token_file, error) ||
        !ticket_gate_open(&service->tickets, &server->config, wall, error))
        return false;
    service->tickets.revocations = &server->streams.revocations;
    service->tickets.decisions = &server->streams.decisions;
    apply_config(server);
    open_batch(server);
    open_drops(server);
    node_prepare(server);
    load_publishers(server);
    server->stop_soon = stop_soon;
    handover_open(server);
    return (heir == NULL || handover_take_tables(server, heir, error)) &&
           open_intake(server, heir != NULL, error) && open_bus(server, heir != NULL, error) &&
           open_streams(server, heir, wall, error) &&
           listeners_open(&server->listeners, &server->net, error) &&
           open_session_ends(server, error) &&
           (heir == NULL || handover_take_clients(server, heir, error));
}

bool server_open(struct server *server, struct config *config, char error[SERVER_ERROR_SIZE])
{
    return server_open_as_heir(server, config, NULL, error);
}

bool server_open_as_heir(struct server *server, struct config *config, struct heir *heir,
                         char error[SERVER_ERROR_SIZE])
{
    memset(server, 0, sizeof *server);
    server->config = *config;
    *config = (struct config){0};
    int failure = net_open(&server->net, &server->config);
    if (failure) {
        snprintf(error, SERVER_ERROR_SIZE, "cannot make an event loop: %s", uv_strerror(failure));
        config_free(&server->config);
        return false;
    }
    failure = start_handles(server);
    if (failure)
        snprintf(error, SERVER_ERROR_SIZE, "cannot join the event loop: %s", uv_strerror(failure));
    if (!failure && open_parts(server, heir, error)) {
        server->service.heap_at_start = memory_report_unexplained(&server->service);
        return true;
    }
    if (heir != NULL)
        return false;
    leave_loop(server);
    server_run(server);
    server_close(server);
    return false;
}

void server_run(struct server *server)
{
    (void)uv_run(&server->net.loop.uv, UV_RUN_DEFAULT);
}

void server_close(struct server *server)
{
    node_close(server);
    bus_reader_free(&server->bus);
    intake_free(&server->intake);
    listeners_free(&server->listeners);
    delivery_close(&server->delivery);
    replay_close(&server->replays);
    leaving_finish_all(&server->service);
    streams_close(&server->streams);
    session_ends_close(&server->session_ends);
    dropping_close(&server->dropping);
    event_log_close(&server->log);
    seen_events_free(&server->seen);
    rate_limits_free(&server->rates);
    publisher_counts_free(&server->publishers);
    secret_list_free(&server->service.admin_tokens);
    ticket_gate_close(&server->service.tickets);
    connection_drop_marks(&server->net);
    net_close(&server->net);
    config_free(&server->config);
}
