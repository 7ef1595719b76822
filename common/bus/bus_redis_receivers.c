#include "bus/bus_redis_receivers.h"

#include "bus/bus_redis_message.h"

#include <stdlib.h>

enum said { SAID_NOTHING, SAID_RECEIVERS, SAID_OVER_LIMITS };

static bool is_question(const struct bus_event *event)
{
    return event->kind == ENVELOPE_QUESTION;
}

static bool is_awaited(const struct bus_event *event)
{
    bool is_said = event->kind == 0 || event->kind == ENVELOPE_EVENT ||
                   event->kind == ENVELOPE_DROP || is_question(event);
    return event->acknowledged && event->ack.status == ACK_DELIVERED && is_said;
}

static unsigned char *said_of(const struct redis_receivers *receivers, size_t event)
{
    return receivers->said + event * receivers->node_count;
}

bool redis_receivers_begin(struct redis_receivers *receivers, struct bus_event *events,
                           size_t count, uint64_t first_sequence, const unsigned *nodes,
                           size_t node_count)
{
    *receivers = (struct redis_receivers){.events = events,
                                          .count = count,
                                          .first_sequence = first_sequence,
                                          .nodes = nodes,
                                          .node_count = node_count};
    receivers->said = calloc(count * node_count + 1, 1);
    if (receivers->said == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_awaited(&events[i]))
            continue;
        if (is_question(&events[i])) {
            events[i].ack.status = ACK_UNKNOWN;
            receivers->missing_answers += node_count;
        }
        receivers->missing += node_count;
    }
    return true;
}

/* False when it has said so before, or is not waited for: a node that came a moment ago counts, but nobody waits. */
static bool note_said(struct redis_receivers *receivers, size_t index, unsigned node,
                      enum said what)
{
    for (size_t i = 0; i < receivers->node_count; i++) {
        if (receivers->nodes[i] != node)
            continue;
        unsigned char *said = said_of(receivers, index) + i;
        if (*said != SAID_NOTHING)
            return false;
        *said = (unsigned char)what;
        receivers->missing--;
        receivers->missing_answers -= is_question(&receivers->events[index]);
        return true;
    }
    return !is_question(&receivers->events[index]);
}

static struct bus_event *find_event(struct redis_receivers *receivers, unsigned node,
                                    const struct ack *ack)
{
    uint64_t index = ack->sequence - receivers->first_sequence;
    enum said what = ack->status == ACK_TOPIC ? SAID_OVER_LIMITS : SAID_RECEIVERS;
    if (index >= receivers->count)
        return NULL;
    struct bus_event *event = &receivers->events[index];
    bool is_awaited_still = is_awaited(event) || (is_question(event) && event->acknowledged);
    return is_awaited_still && note_said(receivers, index, node, what) ? event : NULL;
}

static void take_ack(struct redis_receivers *receivers, unsigned node, const struct ack *ack)
{
    struct bus_event *event = find_event(receivers, node, ack);
    if (event == NULL || is_question(event))
        return;
    if (ack->status == ACK_DELIVERED)
        event->ack.receivers += ack->receivers;
    else if (event->kind == ENVELOPE_DROP && ack->status == ACK_FULL)
        event->ack.status = ACK_FULL;
}

static void take_answer(struct redis_receivers *receivers, unsigned node, const char *data,
                        size_t length)
{
    struct ack ack;
    struct bus_event *event = ack_read(&ack, data, 0) ? find_event(receivers, node, &ack) : NULL;
    if (event == NULL || !is_question(event) || ack.status == ACK_UNKNOWN)
        return;
    event->ack.status = ack.status;
    size_t text = length - ACK_HEADER_SIZE - ACK_RECORD_SIZE;
    if (event->answer == NULL || text == 0)
        return;
    if (event->answer->length > 0)
        bytes_append_text(event->answer, "\n");
    bytes_append(event->answer, data + ACK_HEADER_SIZE + ACK_RECORD_SIZE, text);
}

void redis_receivers_take(struct redis_receivers *receivers, const char *data, size_t length)
{
    unsigned node;
    uint64_t epoch;
    if (!redis_ack_read_node(&node, &data, &length))
        return;
    if (answer_read(data, length, &epoch)) {
        take_answer(receivers, node, data, length);
        return;
    }
    int records = ack_count(data, length, &epoch);
    for (int i = 0; i < records; i++) {
        struct ack ack;
        if (ack_read(&ack, data, i))
            take_ack(receivers, node, &ack);
    }
}

static bool everybody_has_said(const struct redis_receivers *receivers, size_t index)
{
    for (size_t i = 0; i < receivers->node_count; i++)
        if (said_of(receivers, index)[i] == SAID_NOTHING)
            return false;
    return receivers->node_count > 0;
}

/* By those who have said anything: daemons have smaller limits than the handler, and nobody has it. */
static bool is_over_all_limits(const struct redis_receivers *receivers, size_t index)
{
    bool is_over = false;
    for (size_t i = 0; i < receivers->node_count; i++) {
        enum said what = said_of(receivers, index)[i];
        if (what == SAID_RECEIVERS)
            return false;
        is_over = is_over || what == SAID_OVER_LIMITS;
    }
    return is_over;
}

void redis_receivers_end(struct redis_receivers *receivers)
{
    for (size_t i = 0; i < receivers->count; i++) {
        struct bus_event *event = &receivers->events[i];
        if (is_question(event)) {
            event->complete = everybody_has_said(receivers, i);
            event->acknowledged =
                event->acknowledged && (event->complete || event->ack.status != ACK_UNKNOWN);
        } else {
            event->complete = !is_awaited(event) || everybody_has_said(receivers, i);
            if (is_awaited(event) && is_over_all_limits(receivers, i))
                event->ack.status = ACK_TOPIC;
        }
    }
    free(receivers->said);
    receivers->said = NULL;
}
