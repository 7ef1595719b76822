#include "publish_report.h"

#include "event_id.h"
#include "handler_reply.h"
#include "publish_answer.h"
#include "report_merge.h"
#include "retry_after.h"

#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";
static const char fresh_header[] = "Cache-Control: no-store\r\n";

/* The last part of the path, when the one before is `event`; NULL: it is not. */
static const char *find_id(const struct handler_request *request, size_t *length)
{
    static const char name[] = "/event/";
    const char *uri = handler_request_variable(request, "REQUEST_URI");
    size_t path = uri != NULL ? strcspn(uri, "?") : 0, start = path, before = sizeof name - 1;

    while (start > 0 && uri[start - 1] != '/')
        start--;
    if (start == path || start < before || memcmp(uri + start - before, name, before) != 0)
        return NULL;
    *length = path - start;
    return uri + start;
}

bool publish_report_is_asked(const struct handler_request *request)
{
    size_t length;

    return find_id(request, &length) != NULL;
}

bool publish_report_read(struct report_order *order, struct handler_request *request,
                         const struct publisher_visit *visit)
{
    const struct publisher *publisher = visit->publisher;
    struct publish_fault fault = {.status = 403,
                                  .reason = "Not yours",
                                  .detail = "`may` of the publisher does not have report"};
    size_t length = 0;
    const char *id = find_id(request, &length);

    /* Who has no name may do everything. */
    *order = (struct report_order){.question.kind = QUESTION_REPORT,
                                   .publisher = publisher->name[0] != '\0' ? publisher->id : 0};
    if ((publisher->may & PUBLISHER_MAY_REPORT) == 0) {
        publish_answer_fault(request, publisher, &fault);
        return false;
    }
    if (id == NULL ||
        !event_id_read(id, length, &order->question.epoch, &order->question.sequence)) {
        fault = (struct publish_fault){
            .status = 400, .reason = "Invalid id", .detail = "it should be that of an event"};
        publish_answer_fault(request, publisher, &fault);
        return false;
    }
    return true;
}

static void answer_known(struct handler_request *request, const struct bytes *report)
{
    const struct handler_reply reply = {
        .status = 200, .reason = "OK", .headers = fresh_header, .body = report};

    if (report->failed)
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
    else
        (void)handler_reply_send(request, &reply);
}

void publish_report_answer(const struct report_order *order, struct handler_request *request,
                           struct publish_queue *queue)
{
    unsigned char record[QUESTION_SIZE];
    struct bytes report = BYTES_EMPTY;
    struct bus_event asked =
        bus_event_of_question(&order->question, order->publisher, record, &report);

    publish_queue_send(queue, &asked, 1);
    if (!asked.acknowledged)
        (void)handler_reply_send_error(request, 503, "The fan-out daemon did not answer in time",
                                       NULL, retry_header);
    else if (asked.ack.status == ACK_UNKNOWN)
        (void)handler_reply_send_error(request, 404, "No report of this event",
                                       "it was posted without report, or longer ago than [log] "
                                       "report_time, or before the daemon was started",
                                       fresh_header);
    else if (asked.ack.status != ACK_DELIVERED)
        (void)handler_reply_send_error(request, 503, "The fan-out daemon is overloaded", NULL,
                                       retry_header);
    else if (!report_merge(&report))
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
    else
        answer_known(request, &report);
    bytes_free(&report);
}
