/* GET /connections (docs/protocol.md section 6): who is there, for holders of the admin token. With
 * tens of thousands of streams it is written piece by piece, one in a turn of the loop, each when
 * the one before it was taken: so nobody waits for it, and no memory holds it. Streams that come or
 * go meanwhile may be in it or not. */
#ifndef ESN_CONNECTIONS_REPORT_H
#define ESN_CONNECTIONS_REPORT_H

#include <stdbool.h>
#include <sys/queue.h>

struct connection;
struct connections_report;
struct http_request;
struct service;

struct connections_reports {
    TAILQ_HEAD(, connections_report) ready; /* for their next piece */
};

/* Of a zeroed one. */
void connections_reports_open(struct connections_reports *reports);
void connections_report_answer(struct connection *connection, const struct http_request *request);
/* Writes the next piece of one of them. */
void connections_report_run(struct service *service);
/* Whether one of them could go on at once: what was written of it has been taken. */
bool connections_report_can_go_on(const struct service *service);

#endif
