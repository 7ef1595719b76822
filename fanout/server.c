#include "server.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "events/intake.h"
#include "messages.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/send_batch.h"
#include "streams/stopping.h"
#include "streams/subscribe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SPARE_DESCRIPTORS = 64 };

uint64_t server_now(const struct server *server)
{
    return uv_now(&server->loop);
}

const char *server_date(struct server *server)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;

    if (now != server->date_second && gmtime_r(&now, &utc) != NULL &&
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0)
        server->date_second = now;
    return server->date;
}

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

    server->max_connections = server->config.max_connections;
    if (server->max_connections == 0 || server->max_connections > allowed)
        server->max_connections = allowed;
    if (server->config.max_connections > allowed)
        message_warning("max_connections is more than the limit of open files allows",
                        message_number("wanted", (int64_t)server->config.max_connections),
                        message_number("allowed", (int64_t)allowed));
    server->bodies.most = server->config.max_body_total;
    server->seen.max_count = server->config.remember_events;
    server->seen.max_age_ms = server->config.remember_time;
    server->events.max_bytes = server->config.log_max_bytes;
    server->events.max_age_ms = server->config.log_max_age;
    server->departed.max_count = server->config.log_max_departed;
    server->departed.max_age_ms = server->config.log_max_age;
    server->secrets.max_age_ms = server->config.log_max_age;
    message_configure("esn-fanout", (enum message_level)server->config.message_level,
                      (enum message_destination)server->config.message_destination);
    message_limit(server->config.message_burst, server->config.message_rate);
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;

    deadlines_advance(&server->deadlines, server_now(server), connection_on_deadline, server);
    event_log_expire(&server->events, server_now(server));
    subscribe_expire_polls(server);
}

static void on_busy(uv_idle_t *idle)
{
    (void)idle; /* its being there is enough: the loop does not sleep */
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;

    replay_run(server);
    delivery_flush(server);
    if (replay_can_go_on(server))
        (void)uv_idle_start(&server->busy, on_busy);
    else
        (void)uv_idle_stop(&server->busy);
}

static void on_after_sleep(uv_check_t *check)
{
    delivery_flush(check->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Every stream and socket is gone: what is left of the loop goes too. */
static void leave_loop(struct server *server)
{
    if (server->bus != NULL)
        bus_reader_stop(server->bus);
    if (server->intake != NULL)
        intake_stop(server->intake);
    close_handle((uv_handle_t *)&server->tick);
    close_handle((uv_handle_t *)&server->before_sleep);
    close_handle((uv_handle_t *)&server->after_sleep);
    close_handle((uv_handle_t *)&server->busy);
    close_handle((uv_handle_t *)&server->on_terminate);
    close_handle((uv_handle_t *)&server->on_interrupt);
    close_handle((uv_handle_t *)&server->on_hangup);
    close_handle((uv_handle_t *)&server->stop_timer);
    acceptor_stop(server);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;

    if (stopping_is_over(server))
        leave_loop(server);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    if (server->stopping)
        return;
    message_info("stopping", message_text("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"),
                 message_number("streams", (int64_t)server->streams.count));
    stopping_begin(server);
    (void)uv_timer_start(&server->stop_timer, on_stop_timer, 10, 10);
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

    if (!ticket_gate_reload(&server->tickets, &server->config, error))
        message_error("ticket secrets not reloaded, the old ones stay",
                      message_text("error", error));
    if (!secret_list_load(&tokens, server->config.admin_token_file, error)) {
        message_error("admin tokens not reloaded, the old ones stay", message_text("error", error));
        return;
    }
    secret_list_free(&server->admin_tokens);
    server->admin_tokens = tokens;
}

static void on_reload_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;

    (void)number;
    struct config fresh;
    char error[CONFIG_ERROR_SIZE];
    if (!config_load(&fresh, server->config.path, error)) {
        message_error("configuration not reloaded, the old one stays",
                      message_text("error", error));
        return;
    }
    config_apply_reload(&server->config, &fresh, tell_not_reloadable, NULL);
    config_free(&fresh);
    reload_secrets(server);
    apply_config(server);
    listener_apply_config(server);
    message_info("configuration reloaded", message_text("file", server->config.path));
}

static int start_handles(struct server *server)
{
    uv_loop_t *loop = &server->loop;
    int error = uv_timer_init(loop, &server->tick);

    server->tick.data = server->before_sleep.data = server->after_sleep.data = server;
    server->on_terminate.data = server->on_interrupt.data = server->on_hangup.data = server;
    if (!error)
        error = acceptor_open(server);
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
    return error;
}

/* Never a connection id that an earlier daemon gave away, short of a thousand connections a
 * millisecond (docs/protocol.md section 1: below 2^53); where the clock was put back meanwhile, the
 * sequences of the log on disk go on all the same. */
static bool open_connids(struct server *server, uint64_t wall_ms, char *error)
{
    uint64_t by_clock = wall_ms << 10;
    uint64_t by_log = (server->events.epoch << 10) + server->events.sequence;

    server->next_connid = by_clock > by_log ? by_clock : by_log;
    if (stream_secrets_open(&server->secrets, intake_stream_key(server->intake),
                            server->next_connid, server_now(server)))
        return true;
    snprintf(error, SERVER_ERROR_SIZE, "out of memory");
    return false;
}

/* Without it each write is a system call of its own, which works as well. */
static void open_batch(struct server *server)
{
    if (!server->config.io_uring)
        return;
    server->delivery.batch = send_batch_open();
    if (server->delivery.batch == NULL)
        message_warning("no io_uring: each write is a system call of its own",
                        message_error_code(errno));
}

static bool open_parts(struct server *server, char *error)
{
    uint64_t wall = clock_wall_ms();
    bool out_of_memory = false;

    server->counters.started_at_ms = server_now(server);
    deadlines_start(&server->deadlines, server_now(server));
    uint64_t seeds[7];
    if (!secret_random(seeds, sizeof seeds)) {
        snprintf(error, SERVER_ERROR_SIZE, "the system gives no random bytes");
        return false;
    }
    server->presence.seed = seeds[0];
    server->seen.seed = seeds[1];
    server->addresses.seed = seeds[4];
    server->rates.seed = seeds[5];
    replay_open(&server->replays, seeds[6]);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        if (!topic_index_open(&server->topics[kind], seeds[2]))
            out_of_memory = true;
    if (out_of_memory || !event_log_open(&server->events, wall, seeds[3])) {
        snprintf(error, SERVER_ERROR_SIZE, "out of memory");
        return false;
    }
    if (!secret_list_load(&server->admin_tokens, server->config.admin_token_file, error) ||
        !ticket_gate_open(&server->tickets, &server->config, error))
        return false;
    apply_config(server);
    open_batch(server);
    server->intake = intake_open(server, error);
    if (server->intake == NULL || !open_connids(server, wall, error) ||
        !listener_open_all(server, error))
        return false;
    server->bus = bus_reader_open(server, error);
    return server->bus != NULL;
}

bool server_open(struct server *server, struct config *config, char error[SERVER_ERROR_SIZE])
{
    memset(server, 0, sizeof *server);
    server->config = *config;
    *config = (struct config){0};
    int failure = uv_loop_init(&server->loop);
    if (failure) {
        snprintf(error, SERVER_ERROR_SIZE, "cannot make an event loop: %s", uv_strerror(failure));
        config_free(&server->config);
        return false;
    }
    failure = start_handles(server);
    if (failure)
        snprintf(error, SERVER_ERROR_SIZE, "cannot join the event loop: %s", uv_strerror(failure));
    if (!failure && open_parts(server, error))
        return true;
    listener_stop_all(server);
    leave_loop(server);
    server_run(server);
    server_close(server);
    return false;
}

void server_run(struct server *server)
{
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
}

void server_close(struct server *server)
{
    bus_reader_free(&server->bus);
    intake_free(&server->intake);
    listener_free_all(server);
    delivery_close(server);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_index_close(&server->topics[kind]);
    event_log_close(&server->events);
    replay_close(&server->replays);
    departed_free(&server->departed);
    poll_gap_free(&server->polls);
    stream_secrets_close(&server->secrets);
    presence_free(&server->presence);
    seen_events_free(&server->seen);
    address_limits_free(&server->addresses);
    rate_limits_free(&server->rates);
    hash_table_free(&server->streams);
    secret_list_free(&server->admin_tokens);
    ticket_gate_close(&server->tickets);
    config_free(&server->config);
    if (uv_loop_close(&server->loop) != 0)
        message_error("the event loop still holds handles");
}
