/* What the daemon's memory is used for: GET /memory. */
#ifndef ESN_MEMORY_REPORT_H
#define ESN_MEMORY_REPORT_H

#include <stdint.h>

struct connection;
struct http_request;
struct service;

/* The whole is what the C library says; each part is counted by who holds it, with what the C
 * library takes beside it. `at_start` is what there was before the first client came: libraries and
 * buffers. What none of them explains is said as well. */
void memory_report_answer(struct connection *connection, const struct http_request *request);
/* What is in use and belongs to no part: to be noted in the service when the daemon has started. */
uint64_t memory_report_unexplained(const struct service *service);

#endif
