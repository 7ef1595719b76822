#include "bus/bus_zeromq.h"
#include "clock.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* docs/bus.md gives the reasons for these numbers. */
enum {
    WINDOW_EVENTS = 256,
    WINDOW_BYTES = 8 << 20,
    AWARE_EVENTS = 128,
    CAUTIOUS_WINDOW = 8, /* events, after a silence */
    FIRST_HELLO_MS = 1,
    LAST_HELLO_MS = 20,
    FIRST_RESEND_MS = 30,
    LAST_RESEND_MS = 250,
    LINGER_MS = 100 /* for what was told and nobody waited for */
};

struct zeromq_publisher {
    struct bus_publisher base; /* first */
    struct bus_zeromq zeromq;
    uint64_t id;
    uint64_t last_sequence;
    bool ready;             /* the daemon answered, and so it did to every publish since */
    bool down;              /* the last publish was not answered in time */
    bool has_told;          /* something may not be sent yet */
    unsigned sent_unaware;  /* events since the engine was made to see what the daemon has taken */
    uint64_t asks_again_at; /* while down: nobody waits before (ms of the monotonic clock) */
};

/* One call of bus_publish(). */
struct publication {
    struct zeromq_publisher *publisher;
    struct bus_event *events;
    size_t count;
    uint64_t first_sequence;
    size_t
        next; /* the event to send next; what was sent before it and not answered is on the way */
    size_t farthest; /* events before this one were sent at least once */
    size_t answered; /* in any order */
    size_t window;   /* most events on the way */
    size_t events_on_the_way;
    size_t bytes_on_the_way;
    uint64_t deadline;
    zmq_msg_t body; /* one text for all messages that carry the same event */
    const char *body_source;
};

static bool prepare_publisher(struct zeromq_publisher *publisher, const struct bus_options *options,
                              char error[BUS_ERROR_SIZE])
{
    if (!secret_random(&publisher->id, sizeof publisher->id)) {
        snprintf(error, BUS_ERROR_SIZE, "the system has no random bytes");
        return false;
    }
    if (!bus_zeromq_open(&publisher->zeromq, BUS_HANDLER, options, error))
        return false;
    unsigned char id[BUS_PUBLISHER_ID_SIZE];
    bus_publisher_id_write(id, publisher->id);
    if (!bus_socket_subscribe(publisher->zeromq.acks, id, sizeof id))
        return bus_zeromq_fail(error, "cannot prepare the bus");
    return bus_zeromq_attach(&publisher->zeromq, BUS_HANDLER, options, error);
}

static void close_publisher(struct bus_publisher *base)
{
    struct zeromq_publisher *old = (struct zeromq_publisher *)base;
    if (old->has_told)
        bus_socket_linger(old->zeromq.events, LINGER_MS);
    bus_zeromq_close(&old->zeromq);
    free(old);
}

static struct bus_publisher *open_publisher(const struct bus_options *options,
                                            char error[BUS_ERROR_SIZE])
{
    struct zeromq_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    publisher->base.calls = &bus_zeromq_publisher;
    if (prepare_publisher(publisher, options, error))
        return &publisher->base;
    close_publisher(&publisher->base);
    return NULL;
}

/* ---- answers ---- */

static size_t size_of(const struct bus_event *event)
{
    return event->topic_length + ENVELOPE_SIZE_MAX + event->allowed_length + event->event_length;
}

/* NULL: it is of an earlier call, or said twice. */
static struct bus_event *take_ack(struct publication *now, const struct ack *ack, uint64_t epoch)
{
    uint64_t index = ack->sequence - now->first_sequence;
    if (index >= now->farthest || now->events[index].acknowledged)
        return NULL;
    struct bus_event *event = &now->events[index];
    event->acknowledged = event->complete = true;
    event->epoch = epoch;
    event->ack = *ack;
    if (ack->status == ACK_LIMITED && event->sent_again)
        event->ack.status = ACK_OVERLOAD;
    now->answered++;
    if (index < now->next) {
        now->events_on_the_way--;
        now->bytes_on_the_way -= size_of(event);
    }
    if (now->window < WINDOW_EVENTS)
        now->window++;
    return event;
}

/* Of a question: an acknowledgement with a text behind it. */
static bool take_answer_text(struct publication *now, const char *text, size_t length)
{
    struct ack ack;
    uint64_t epoch;
    if (!answer_read(text, length, &epoch))
        return false;
    struct bus_event *event = ack_read(&ack, text, 0) ? take_ack(now, &ack, epoch) : NULL;
    if (event != NULL && event->answer != NULL)
        bytes_append(event->answer, text + ACK_HEADER_SIZE + ACK_RECORD_SIZE,
                     length - ACK_HEADER_SIZE - ACK_RECORD_SIZE);
    return true;
}

/* Waits until `until` for one message of acknowledgements. 1: taken, 0: none, or not ours to
 * understand; -1: the engine failed. */
static int take_answer(struct publication *now, uint64_t until)
{
    uint64_t time = clock_monotonic_ms();
    zmq_msg_t parts[BUS_ACK_PARTS];
    bus_parts_open(parts, BUS_ACK_PARTS);
    int count = bus_socket_receive(now->publisher->zeromq.acks, parts, BUS_ACK_PARTS,
                                   time < until ? (unsigned)(until - time) : 0);
    const void *text = zmq_msg_data(&parts[BUS_ACK_RECORDS]);
    uint64_t epoch = 0;
    int records = count == BUS_ACK_PARTS
                      ? ack_count(text, zmq_msg_size(&parts[BUS_ACK_RECORDS]), &epoch)
                      : -1;
    for (int i = 0; i < records; i++) {
        struct ack ack;
        if (ack_read(&ack, text, i))
            (void)take_ack(now, &ack, epoch);
    }
    bool taken =
        records >= 0 || (count == BUS_ACK_PARTS &&
                         take_answer_text(now, text, zmq_msg_size(&parts[BUS_ACK_RECORDS])));
    bus_parts_close(parts, BUS_ACK_PARTS);
    return count < 0 ? -1 : taken;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- hello ---- */

static void send_hello(struct zeromq_publisher *publisher)
{
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    struct envelope envelope = {.kind = ENVELOPE_HELLO, .publisher = publisher->id};
    size_t size = envelope_write(bytes, &envelope);
    zmq_msg_t parts[BUS_HELLO_PARTS];
    bus_parts_open(parts, BUS_HELLO_PARTS);
    bus_socket_refresh(publisher->zeromq.events);
    if (bus_part_fill(&parts[BUS_TOPIC], BUS_HELLO_TOPIC, strlen(BUS_HELLO_TOPIC)) &&
        bus_part_fill(&parts[BUS_ENVELOPE], bytes, size))
        bus_socket_send(publisher->zeromq.events, parts, BUS_HELLO_PARTS);
    else
        bus_parts_close(parts, BUS_HELLO_PARTS);
}

/* Says hello, again and again, until it is answered; false when it was not before `until`. */
static bool become_ready(struct publication *now, uint64_t until)
{
    /* What lies there is of an earlier call and says nothing of today. */
    int taken;
    do {
        taken = take_answer(now, 0);
    } while (taken > 0);
    uint64_t pause = FIRST_HELLO_MS;
    uint64_t next = 0;
    for (uint64_t time; taken == 0 && (time = clock_monotonic_ms()) < until;) {
        if (time >= next) {
            send_hello(now->publisher);
            next = time + pause;
            pause = earlier(pause * 2, LAST_HELLO_MS);
        }
        taken = take_answer(now, earlier(next, until));
    }
    now->publisher->ready = taken > 0;
    return taken > 0;
}

/* ---- events ---- */

static bool prepare_body(struct publication *now, const struct bus_event *event)
{
    if (now->body_source == event->event && zmq_msg_size(&now->body) == event->event_length)
        return true;
    zmq_msg_close(&now->body);
    bool filled = bus_part_fill(&now->body, event->event, event->event_length);
    now->body_source = filled ? event->event : NULL;
    return filled;
}

/* The engine looks for what the daemon has taken once in a millisecond at most, and is told of every 512 messages:
 * whoever is quick would fill its queue in between, and what does not fit into that is lost and waited for. */
static void stay_aware(struct zeromq_publisher *publisher)
{
    if (++publisher->sent_unaware < AWARE_EVENTS)
        return;
    bus_socket_refresh(publisher->zeromq.events);
    publisher->sent_unaware = 0;
}

/* What cannot be sent is like what is lost: it is sent again later. */
static void send_event(struct publication *now, size_t index)
{
    stay_aware(now->publisher);
    const struct bus_event *event = &now->events[index];
    struct envelope envelope =
        bus_event_envelope(event, now->publisher->id, now->first_sequence + index);
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    size_t size = envelope_write(bytes, &envelope);
    zmq_msg_t parts[BUS_EVENT_PARTS];
    bus_parts_open(parts, BUS_EVENT_PARTS);
    if (prepare_body(now, event) &&
        bus_part_fill(&parts[BUS_TOPIC], event->topic, event->topic_length) &&
        bus_part_fill(&parts[BUS_ENVELOPE], bytes, size) &&
        bus_part_fill(&parts[BUS_ALLOWED], event->allowed, event->allowed_length) &&
        zmq_msg_copy(&parts[BUS_EVENT], &now->body) == 0)
        bus_socket_send(now->publisher->zeromq.events, parts, BUS_EVENT_PARTS);
    else
        bus_parts_close(parts, BUS_EVENT_PARTS);
}

static bool is_full(const struct publication *now, size_t size)
{
    return now->events_on_the_way > 0 &&
           (now->events_on_the_way >= now->window || now->bytes_on_the_way + size > WINDOW_BYTES);
}

/* Sends what fits into the window, which keeps one publisher from filling the daemon's memory. */
static void send_more(struct publication *now)
{
    for (; now->next < now->count; now->next++) {
        size_t size = size_of(&now->events[now->next]);
        if (now->events[now->next].acknowledged)
            continue;
        if (is_full(now, size))
            return;
        now->events_on_the_way++;
        now->bytes_on_the_way += size;
        now->events[now->next].sent_again = now->next < now->farthest;
        send_event(now, now->next);
        if (now->farthest == now->next)
            now->farthest++;
    }
}

/* Begins again with the oldest unanswered event, a few at first: a daemon that is slow, not gone,
 * would fall ever farther behind if it was given the whole window again and again. */
static void go_back(struct publication *now)
{
    bus_socket_refresh(now->publisher->zeromq.events);
    now->next = 0;
    now->events_on_the_way = 0;
    now->bytes_on_the_way = 0;
    now->window = CAUTIOUS_WINDOW;
}

/* True when every event was answered before the deadline. What is answered puts off sending the
 * rest again. */
static bool send_all(struct publication *now)
{
    uint64_t pause = FIRST_RESEND_MS;
    uint64_t again = clock_monotonic_ms() + pause;
    size_t answered_before = 0;
    while (now->answered < now->count) {
        uint64_t time = clock_monotonic_ms();
        if (time >= now->deadline)
            return false;
        if (now->answered > answered_before) {
            again = time + pause;
            answered_before = now->answered;
        } else if (time >= again) {
            go_back(now);
            pause = earlier(pause * 2, LAST_RESEND_MS);
            again = time + pause;
        }
        send_more(now);
        if (take_answer(now, earlier(again, now->deadline)) < 0)
            return false;
    }
    return true;
}

static bool all_taken(const struct bus_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ack_is_overload(events[i].ack.status))
            return false;
    }
    return true;
}

static void note(struct zeromq_publisher *publisher, bool answered, unsigned down_limit_ms)
{
    publisher->ready = answered;
    publisher->down = !answered;
    publisher->asks_again_at = clock_monotonic_ms() + down_limit_ms;
}

static bool publish(struct bus_publisher *base, struct bus_event *events, size_t count,
                    unsigned limit_ms, unsigned down_limit_ms)
{
    struct zeromq_publisher *publisher = (struct zeromq_publisher *)base;
    uint64_t start = clock_monotonic_ms();
    uint64_t hello_ms = publisher->down ? earlier(down_limit_ms, limit_ms) : limit_ms;
    struct publication now = {.publisher = publisher,
                              .events = events,
                              .count = count,
                              .first_sequence = publisher->last_sequence + 1,
                              .window = WINDOW_EVENTS,
                              .deadline = start + limit_ms};
    for (size_t i = 0; i < count; i++)
        events[i].acknowledged = events[i].sent_again = false;
    if (publisher->down && start < publisher->asks_again_at)
        return false;
    publisher->last_sequence += count;
    zmq_msg_init(&now.body);
    bool answered = (publisher->ready || become_ready(&now, start + hello_ms)) && send_all(&now);
    zmq_msg_close(&now.body);
    note(publisher, answered, down_limit_ms);
    return answered && all_taken(events, count);
}

static bool find_ready(struct publication *now, unsigned limit_ms, unsigned down_limit_ms)
{
    struct zeromq_publisher *publisher = now->publisher;
    uint64_t start = clock_monotonic_ms();
    if (publisher->ready)
        return true;
    if (publisher->down && start < publisher->asks_again_at)
        return false;
    bool answered =
        become_ready(now, start + (publisher->down ? earlier(down_limit_ms, limit_ms) : limit_ms));
    note(publisher, answered, down_limit_ms);
    return answered;
}

static void tell(struct bus_publisher *base, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms)
{
    struct zeromq_publisher *publisher = (struct zeromq_publisher *)base;
    struct publication now = {.publisher = publisher,
                              .events = events,
                              .count = count,
                              .first_sequence = publisher->last_sequence + 1};
    if (!find_ready(&now, limit_ms, down_limit_ms))
        return;
    publisher->last_sequence += count;
    publisher->has_told = true;
    zmq_msg_init(&now.body);
    for (size_t i = 0; i < count; i++)
        send_event(&now, i);
    zmq_msg_close(&now.body);
}

const struct bus_publisher_calls bus_zeromq_publisher = {
    .open = open_publisher, .close = close_publisher, .publish = publish, .tell = tell};
