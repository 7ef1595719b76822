/* The daemon: its parts, and what they share. One of these is one loop on one thread; nothing in
 * the daemon is global, so that several may run in one process. */
#ifndef ESN_SERVER_H
#define ESN_SERVER_H

#include "bus/bus.h"
#include "config/config.h"
#include "events/delivery.h"
#include "events/rate_limits.h"
#include "events/replay.h"
#include "events/seen_events.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "net/acceptor.h"
#include "net/address_limits.h"
#include "net/deadlines.h"
#include "requests/ticket_gate.h"
#include "secret.h"
#include "streams/departed.h"
#include "streams/poll_gap.h"
#include "streams/presence.h"
#include "streams/stream_secrets.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { SERVER_ERROR_SIZE = 512, SERVER_READ_BUFFER = 64 * 1024, SERVER_CLOSE_REASONS = 16 };

/* What /state shows besides what the parts know themselves. */
struct server_counters {
    uint64_t started_at_ms; /* of the loop's clock */
    uint64_t accepted;      /* connections, those refused at once too */
    uint64_t refused_full;  /* connections answered 503 */
    uint64_t streams_begun;
    uint64_t events;                       /* taken from the bus, doubles not counted */
    uint64_t doubles;                      /* recognised and dropped */
    uint64_t overloads;                    /* not taken: no memory, or not kept on disk */
    uint64_t limited;                      /* not taken: their token has published too much */
    uint64_t closed[SERVER_CLOSE_REASONS]; /* by enum connection_close_reason */
};

struct server {
    uv_loop_t loop;
    struct config config; /* taken over from main */
    struct secret_list admin_tokens;
    struct stream_secrets secrets;
    struct ticket_gate tickets;
    struct topic_index topics[SUBSCRIPTION_KINDS];
    struct presence presence;
    struct poll_gap polls;
    struct event_log events;
    struct seen_events seen;
    struct departed departed;
    struct rate_limits rates;
    struct replay_queue replays;
    struct input_budget bodies; /* of all requests under way */
    struct deadlines deadlines;
    struct delivery delivery;
    struct intake *intake;
    struct bus_reader *bus;
    struct listener *listeners; /* chained */
    struct acceptor acceptor;
    struct address_limits addresses;
    struct hash_table streams; /* held streams by connid */
    struct server_counters counters;
    uint64_t next_connid;
    struct backlog *oldest_backlog,
        *newest_backlog; /* slow connections, by the time they began to be */
    uint64_t backlogs;
    uint64_t streams_of[FRAME_ENCODINGS];
    uint64_t connections; /* open sockets, streams or not */
    uint64_t max_connections;
    uv_timer_t tick;
    uv_prepare_t before_sleep;
    uv_check_t after_sleep;
    uv_idle_t busy; /* keeps the loop awake while clients catch up */
    uv_signal_t on_terminate, on_interrupt, on_hangup;
    uv_timer_t stop_timer;
    uint64_t stop_deadline;
    bool stopping;
    char date[32]; /* HTTP date of date_second */
    int64_t date_second;
    char read_buffer[SERVER_READ_BUFFER]; /* one for all connections: reading is done by the end of
                                             its callback */
};

/* Takes over *config. Opens everything, or nothing: false with a sentence in error. Free with
 * server_close(). */
bool server_open(struct server *server, struct config *config, char error[SERVER_ERROR_SIZE]);
/* Serves until SIGTERM or SIGINT has ended every stream. */
void server_run(struct server *server);
void server_close(struct server *server);

/* Milliseconds of the loop's monotonic clock, as of this turn of the loop. */
uint64_t server_now(const struct server *server);
/* The Date header's value (RFC 9110, section 6.6.1). */
const char *server_date(struct server *server);

#endif
