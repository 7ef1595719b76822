/* `GET /event/ID` (docs/protocol.md section 3): who had an event that was posted with `report`. */
#ifndef ESN_PUBLISH_REPORT_H
#define ESN_PUBLISH_REPORT_H

#include "handler_request.h"
#include "publish_queue.h"
#include "publisher_gate.h"
#include "question.h"

#include <stdbool.h>

/* The path ends with /event/ and something behind it. */
bool publish_report_is_asked(const struct handler_request *request);

/* A question that was read and not yet asked. */
struct report_order {
    struct question question;
    uint64_t publisher; /* whose events it may be about; 0: anybody's */
};

/* False when it was refused, and answered. */
bool publish_report_read(struct report_order *order, struct handler_request *request,
                         const struct publisher_visit *visit);
/* Asks the daemon, and answers. */
void publish_report_answer(const struct report_order *order, struct handler_request *request,
                           struct publish_queue *queue);

#endif
