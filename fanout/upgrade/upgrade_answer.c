/* The operator's door: esnctl upgrade. */
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/service.h"
#include "retry_after.h"
#include "upgrade/upgrade.h"

#include <unistd.h>

static void reply_outcome(struct connection *connection, const struct http_request *request,
                          int status, const char *words, const struct upgrade_outcome *outcome)
{
    static const char *const states[] = {[UPGRADE_NONE] = "none",
                                         [UPGRADE_RUNS] = "running",
                                         [UPGRADE_FAILED] = "failed",
                                         [UPGRADE_DONE] = "done"};
    struct bytes json = BYTES_EMPTY;

    bytes_append_format(&json, "{\"number\":%llu,\"state\":\"%s\",\"pid\":%ld",
                        (unsigned long long)outcome->number, states[outcome->state],
                        (long)getpid());
    if (outcome->state == UPGRADE_FAILED) {
        bytes_append_text(&json, ",\"reason\":");
        bytes_append_json_string(&json, outcome->reason, strlen(outcome->reason));
    }
    if (outcome->pause_us > 0)
        bytes_append_format(&json, ",\"pause_ms\":%llu.%03llu",
                            (unsigned long long)outcome->pause_us / 1000,
                            (unsigned long long)outcome->pause_us % 1000);
    bytes_append_text(&json, "}");
    if (json.failed)
        http_reply_error(connection, request, 503, "Out of memory");
    else
        http_reply_json(connection, request, status, words, json.data, json.length);
    bytes_free(&json);
}

void upgrade_answer(struct connection *connection, const struct http_request *request)
{
    struct upgrade *upgrade = service_of(connection)->upgrade;

    if (http_request_method(request) != HTTP_METHOD_POST)
        reply_outcome(connection, request, 200, "OK", &upgrade->outcome);
    else if (connection->net->stopping)
        http_reply_error_with(connection, request, 503, "Stopping", RETRY_AFTER "1");
    else if (upgrade->current != NULL)
        http_reply_error(connection, request, 409, "An upgrade is under way already");
    else if (upgrade_begin(upgrade))
        reply_outcome(connection, request, 202, "Accepted", &upgrade->outcome);
    else
        reply_outcome(connection, request, 200, "OK", &upgrade->outcome);
}
