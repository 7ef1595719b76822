#include "publish_position.h"

#include "handler_reply.h"
#include "retry_after.h"

#include <inttypes.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

void publish_position_answer(struct handler_request *request, struct publish_queue *queue)
{
    struct bus_event asked = bus_event_of_position();
    struct bytes body = BYTES_EMPTY;

    publish_queue_send(queue, &asked, 1);
    if (!asked.acknowledged) {
        (void)handler_reply_send_error(request, 503,
                                       "The fan-out daemon did not say its position in time", NULL,
                                       retry_header);
        return;
    }
    bytes_append_format(&body, "{\"id\":\"%" PRIu64 "-%" PRIu64 "\"}\n", asked.epoch,
                        asked.ack.event_sequence);
    const struct handler_reply reply = {.status = 200, .reason = "OK", .body = &body};
    (void)handler_reply_send(request, &reply);
    bytes_free(&body);
}
