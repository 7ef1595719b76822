/* The daemon's parts, together: for server.c, which puts them together, and handover.c, which has them go
 * over to another program. Each part is given what it works with. */
#ifndef ESN_SERVER_PARTS_H
#define ESN_SERVER_PARTS_H

#include "config/config.h"
#include "events/delivery.h"
#include "events/drops.h"
#include "events/nodes.h"
#include "events/publisher_counts.h"
#include "events/rate_limits.h"
#include "events/replay.h"
#include "events/seen_events.h"
#include "events/undelivered.h"
#include "log/event_log.h"
#include "net/listener.h"
#include "net/net.h"
#include "requests/dropping.h"
#include "requests/leaving.h"
#include "requests/piecewise_answer.h"
#include "requests/service.h"
#include "requests/session_ends.h"
#include "requests/waiting_requests.h"
#include "streams/streams.h"
#include "upgrade/heir.h"
#include "upgrade/upgrade.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum { SERVER_ERROR_SIZE = 512 };

struct bus_reader;
struct intake;

struct server {
    struct config config; /* taken over from main */
    struct net net;
    struct listeners listeners;
    struct event_log log;
    struct streams streams;
    struct delivery delivery;
    struct replay_queue replays;
    struct seen_events seen;
    struct rate_limits rates;
    struct publisher_counts publishers;
    struct drops drops;
    struct dropping dropping;
    struct intake *intake;
    struct undelivered undelivered;
    struct nodes nodes;
    struct bus_reader *bus;
    struct waiting_requests waiting;
    struct piecewise_answers answers;
    struct leaving_streams leaving;
    struct service service;
    struct session_ends session_ends;
    uv_timer_t tick;
    uv_prepare_t before_sleep;
    uv_check_t after_sleep;
    uv_idle_t busy; /* keeps the loop awake while clients catch up */
    uv_signal_t on_terminate, on_interrupt, on_hangup, on_user, on_upgrade;
    uv_timer_t stop_timer;
    uv_timer_t node_timer;
    uint64_t described_at_ms; /* as one of several daemons */
    uint64_t
        unheard_until_ms; /* others that the program before knew count until then; 0: it is over */
    uint64_t stop_deadline;
    struct upgrade upgrade;
    /* Ends the loop when all connections have ended, or at that time (ms of the loop's clock). */
    void (*stop_soon)(struct server *server, uint64_t deadline);
};

#endif
