#include "publish_answer.h"

#include "handler_reply.h"
#include "messages.h"
#include "publishers/publisher.h"
#include "retry_after.h"

#include <stdio.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

const char *publish_answer_name(const struct publisher *publisher)
{
    return publisher != NULL && publisher->name[0] != '\0' ? publisher->name : NULL;
}

/* One line for each post that was refused, whoever sent it, without what it proved itself with. */
static void log_refusal(const struct handler_request *request, const struct publisher *publisher,
                        const char *reason, const char *why, const char *topic)
{
    message_info("post refused", message_text("reason", reason), message_text("why", why),
                 message_text("topic", topic), message_text("by", publish_answer_name(publisher)),
                 message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
}

static void log_outcome(const struct handler_request *request,
                        const struct publish_outcome *outcome, int status)
{
    if (status == 403)
        log_refusal(request, outcome->publisher, "No event point was allowed",
                    point_result_word(outcome->decisions[0].result),
                    outcome->post->points[0].topic);
    else if (status == 429)
        log_refusal(request, outcome->publisher, "Too many events", NULL, NULL);
}

void publish_answer_outcome(struct handler_request *request, const struct publish_outcome *outcome)
{
    struct publish_words words;
    char headers[96] = "";
    publish_words_of_outcome(&words, outcome);
    if (words.retry_after_s > 0)
        (void)snprintf(headers, sizeof headers, RETRY_AFTER "%u\r\n", words.retry_after_s);
    log_outcome(request, outcome, words.status);
    const struct handler_reply reply = {.status = words.status,
                                        .reason = words.reason,
                                        .headers = headers[0] != '\0' ? headers : NULL,
                                        .body = &words.body};
    (void)handler_reply_send(request, &reply);
    bytes_free(&words.body);
}

int publish_answer_add_outcome(struct bytes *out, const struct handler_request *request,
                               const struct publish_outcome *outcome)
{
    int status = publish_words_add_outcome(out, outcome);
    log_outcome(request, outcome, status);
    return status;
}

static void log_fault(const struct handler_request *request, const struct publisher *publisher,
                      const struct publish_fault *fault)
{
    log_refusal(request, publisher, fault->reason,
                fault->log[0] != '\0' ? fault->log : fault->detail, NULL);
}

void publish_answer_add_fault(struct bytes *out, const struct handler_request *request,
                              const struct publisher *publisher, const struct publish_fault *fault)
{
    log_fault(request, publisher, fault);
    publish_words_add_fault(out, fault);
}

void publish_answer_stranger(struct handler_request *request, const char *why)
{
    log_refusal(request, NULL, "Not found", why, NULL);
    (void)handler_reply_send_error(request, 404, "Not found", NULL, NULL);
}

void publish_answer_fault(struct handler_request *request, const struct publisher *publisher,
                          const struct publish_fault *fault)
{
    log_fault(request, publisher, fault);
    (void)handler_reply_send_error(request, fault->status, fault->reason, fault->detail,
                                   fault->status == 503 ? retry_header : NULL);
}
