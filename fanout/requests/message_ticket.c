#include "requests/message_ticket.h"

#include "config/config.h"
#include "net/connection.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "requests/subscribe.h"
#include "streams/stream.h"
#include "topic.h"
#include "topics/audience.h"

#include <string.h>

/* A session that ends takes with it what its proofs have opened, so they are of one. */
static const char *find_stranger(const struct stream *stream, const struct ticket *ticket)
{
    if (stream->identity == NULL || ticket->user == NULL)
        return NULL;
    if (strcmp(stream_user(stream), ticket->user) != 0)
        return "Ticket of another user";
    const char *sid = ticket->sid != NULL ? ticket->sid : "";
    return strcmp(stream_identity_sid(stream->identity), sid) != 0 ? "Ticket of another session"
                                                                   : NULL;
}

const char *message_ticket_read(struct message_ticket *brought, struct stream *stream,
                                const char *text, size_t length)
{
    struct service *service = service_of(&stream->connection);

    *brought = (struct message_ticket){0};
    switch (ticket_gate_admit(&service->tickets, service->config, text, length,
                              service_ticket_time(service), &brought->ticket)) {
    case TICKET_GATE_OPEN:
        break;
    case TICKET_GATE_REFUSED:
        return "Invalid ticket";
    case TICKET_GATE_DROPPED:
        return TICKET_GATE_DROPPED_REASON;
    case TICKET_GATE_ELSEWHERE:
        return "Ticket of another daemon";
    case TICKET_GATE_TOO_OLD:
        return "Ticket from before the start";
    default:
        return "Too many tickets at once";
    }
    /* One that stands for a body has no topics. */
    if (brought->ticket.body != NULL)
        return "Invalid ticket";
    const char *fault = find_stranger(stream, &brought->ticket);
    return fault != NULL
               ? fault
               : subscription_body_from_ticket(&brought->body, &brought->ticket, service->config);
}

void message_ticket_free(struct message_ticket *brought)
{
    subscription_body_free(&brought->body);
    ticket_free(&brought->ticket);
}

bool message_ticket_take_identity(const struct message_ticket *brought, struct stream *stream)
{
    if (brought->body.user == NULL)
        return true;
    if (!subscribe_keep_identity(stream, &brought->body))
        return false;
    streaming_shorten(&stream->connection);
    return true;
}

static bool grants(const struct message_ticket *brought, const struct bytes *held)
{
    const struct requested_topics *topics = &brought->body.topics;

    for (size_t i = 0; i < topics->count; i++)
        if (topics->list[i].granted &&
            topic_covers(topics->list[i].text, topics->list[i].length, held->data, held->length))
            return true;
    return false;
}

static bool grants_all(const struct message_ticket *brought, const struct stream *stream)
{
    struct bytes held = BYTES_EMPTY;
    bool all = true;

    for (uint32_t i = 0; all && i < stream->subscriber.count; i++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[i];
        if (subscription->kind != SUBSCRIPTION_PRIVATE)
            continue;
        bytes_clear(&held);
        topic_node_write_name(subscription->node, &held);
        all = bytes_terminate(&held) != NULL && grants(brought, &held);
    }
    bytes_free(&held);
    return all;
}

const char *message_ticket_renew(const struct message_ticket *brought, struct stream *stream)
{
    if (stream->identity == NULL)
        return "The stream is heard as nobody";
    if (brought->body.user == NULL)
        return "Ticket of another user";
    if (stream->identity->withheld != 0)
        return "The proof has ended: subscribe anew";
    if (!grants_all(brought, stream))
        return "Ticket without a private topic that the stream has";
    subscribe_prolong_identity(stream, &brought->body);
    return NULL;
}
