#include "drop_streams.h"

#include "handler_reply.h"
#include "messages.h"
#include "publish_answer.h"
#include "retry_after.h"

#include <openssl/evp.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

bool drop_streams_is_asked(const struct handler_request *request)
{
    static const char name[] = "/drop";
    const char *uri = handler_request_variable(request, "REQUEST_URI");
    size_t length = uri != NULL ? strcspn(uri, "?") : 0, ending = sizeof name - 1;

    return length >= ending && memcmp(uri + length - ending, name, ending) == 0;
}

/* A signed order is known by its signature, so that nobody can give it again. */
static bool make_key(struct drop_order *order, const struct publisher_visit *visit)
{
    struct bytes text = BYTES_EMPTY;
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};

    if (!visit->is_signed)
        return true;
    bytes_append_text(&text, "drop:");
    publisher_gate_write_id(&text, visit);
    order->has_key =
        !text.failed && EVP_Digest(text.data, text.length, digest, NULL, EVP_sha256(), NULL) == 1;
    bytes_free(&text);
    memcpy(order->key, digest, sizeof order->key);
    return order->has_key;
}

static void answer_dropped(struct handler_request *request, uint32_t dropped)
{
    struct bytes body = BYTES_EMPTY;

    bytes_append_format(&body, "{\"dropped\":%u}\n", dropped);
    const struct handler_reply reply = {.status = 200, .reason = "OK", .body = &body};
    (void)handler_reply_send(request, &reply);
    bytes_free(&body);
}

static void refuse_now(struct handler_request *request, const char *reason)
{
    (void)handler_reply_send_error(request, 503, reason, NULL, retry_header);
}

static void answer_outcome(struct handler_request *request, const struct bus_event *event)
{
    if (!event->acknowledged)
        refuse_now(request, "The fan-out daemon did not acknowledge the drop in time");
    else if (event->ack.status == ACK_UNSTORED)
        refuse_now(request, "The fan-out daemon cannot write its log to the disk");
    else if (event->ack.status == ACK_FULL)
        refuse_now(request, "Too many drops are remembered");
    else if (event->ack.status == ACK_DELIVERED || event->ack.status == ACK_DOUBLE)
        answer_dropped(request, event->ack.receivers);
    else
        refuse_now(request, "The fan-out daemon is overloaded");
}

/* Sessions are not named: whatever an application has for one may be a credential. */
static void tell_dropped(const struct drop_order *order, uint32_t dropped)
{
    const struct drop *drop = &order->asked.drop;
    bool has_name = drop->kind == DROP_USER || drop->kind == DROP_CLIENT;

    message_info("streams dropped", message_text("by", publish_answer_name(order->publisher)),
                 message_text("kind", drop_kind_name(drop->kind)),
                 message_text("whose", has_name ? drop->name : NULL),
                 message_number("streams", dropped));
}

bool drop_streams_read(struct drop_order *order, struct handler_request *request,
                       const struct publisher_visit *visit, const struct bytes *body,
                       const struct config *config)
{
    struct publish_fault fault = {.status = 403,
                                  .reason = "Not yours",
                                  .detail = "`may` of the publisher does not have drop"};

    *order = (struct drop_order){.publisher = visit->publisher};
    bool read = (visit->publisher->may & PUBLISHER_MAY_DROP) != 0 &&
                drop_request_parse(&order->asked, body->data != NULL ? body->data : "",
                                   body->length, config, &fault);
    if (read && !make_key(order, visit)) {
        fault = (struct publish_fault){.status = 500, .reason = "Out of memory"};
        read = false;
    }
    if (!read) {
        publish_answer_fault(request, visit->publisher, &fault);
        drop_request_free(&order->asked);
    }
    return read;
}

void drop_streams_answer(struct drop_order *order, struct handler_request *request,
                         struct publish_queue *queue)
{
    unsigned char record[DROP_RECORD_SIZE];
    struct bus_event event = bus_event_of_drop(&order->asked.drop, record);

    event.flags = order->has_key ? ENVELOPE_HAS_POST_KEY : 0;
    memcpy(event.post_key, order->key, sizeof event.post_key);
    publish_queue_send(queue, &event, 1);
    if (event.acknowledged && event.ack.status == ACK_DELIVERED)
        tell_dropped(order, event.ack.receivers);
    answer_outcome(request, &event);
    drop_request_free(&order->asked);
}
