#include "stand_in.h"

#include "handler_reply.h"
#include "retry_after.h"
#include "secret.h"

#include <string.h>

static bool stands_for_failure(const struct handler_request *request)
{
    const char *status = handler_request_variable(request, "REDIRECT_STATUS");

    return status != NULL &&
           (strcmp(status, "502") == 0 || strcmp(status, "503") == 0 || strcmp(status, "504") == 0);
}

/* As the daemon spreads those whom it tells itself: no sooner than a quarter of the time, and not
 * all at once. */
static uint64_t retry_ms(const struct config *config)
{
    uint64_t random = 0, least = config->retry_time / 4;

    (void)secret_random(&random, sizeof random);
    return least + random % (config->retry_time - least + 1);
}

static void answer_event_stream(struct handler_request *request, const struct config *config)
{
    struct bytes answer = BYTES_EMPTY;

    handler_reply_write_head(&answer, 200, "OK", handler_reply_reach(request));
    bytes_append_text(&answer, "Content-Type: text/event-stream;charset=utf-8\r\n\r\nretry: ");
    bytes_append_number(&answer, retry_ms(config));
    bytes_append_text(&answer, "\n\n");
    if (!answer.failed)
        (void)handler_request_write(request, answer.data, answer.length);
    bytes_free(&answer);
}

bool stand_in_answer(struct handler_request *request, const struct config *config)
{
    const char *accept = handler_request_variable(request, "HTTP_ACCEPT");

    if (!stands_for_failure(request))
        return false;
    if (accept != NULL && strstr(accept, "text/event-stream") != NULL)
        answer_event_stream(request, config);
    else
        (void)handler_reply_send_error(request, 503, "The broker is away", NULL,
                                       RETRY_AFTER "2\r\n");
    return true;
}
