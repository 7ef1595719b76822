/* What serving clients works with, found from any of their connections. */
#ifndef ESN_SERVICE_H
#define ESN_SERVICE_H

#include "http/input_budget.h"
#include "requests/ticket_gate.h"
#include "secret.h"

#include <stdbool.h>
#include <stdint.h>

struct bus_reader;
struct config;
struct connection;
struct delivery;
struct dropping;
struct event_log;
struct http_request;
struct intake;
struct leaving_streams;
struct net;
struct nodes;
struct piecewise_answers;
struct publisher_counts;
struct replay_queue;
struct seen_events;
struct streams;
struct transport;
struct upgrade;
struct waiting_requests;

struct service {
    /* Parts of the owner, which outlive it. */
    const struct config *config;
    struct net *net;
    struct streams *streams;
    struct event_log *log;
    struct delivery *delivery;
    struct replay_queue *replays;
    struct waiting_requests *waiting;
    struct piecewise_answers *answers;
    struct leaving_streams *leaving;
    const struct transport *const *transports; /* by enum frame_encoding */
    /* To be looked into alone. */
    const struct seen_events *seen;
    const struct publisher_counts *publishers;
    const struct intake *intake;
    const struct nodes *nodes; /* NULL: of an engine for one daemon alone */
    const struct bus_reader *bus;
    uint64_t started_at_ms; /* of the loop's clock */
    uint64_t heap_at_start; /* bytes, see memory_report.h */

    /* Answers a whole request, or makes a stream of it. */
    void (*answer)(struct connection *connection, const struct http_request *request);
    struct ticket_gate tickets;
    struct secret_list admin_tokens;
    struct dropping *dropping;
    struct upgrade *upgrade;
    bool is_succeeded;          /* another program has taken over: nothing is answered here */
    struct input_budget bodies; /* of all requests, lines and messages under way */
    uint64_t retry_seed;        /* random, like the next: spread clients over the time ... */
    uint64_t stop_seed;         /* ... after which they come back, and in which they end */
    uint64_t released_until;    /* streams that end before are told to come back; loop's clock */
};

struct service *service_of(const struct connection *connection);
/* For ticket_gate_admit(). */
struct ticket_gate_time service_ticket_time(const struct service *service);

#endif
