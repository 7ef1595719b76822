#include "fake_inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "clock.h"

enum { PAST_MS = 10000 };

struct given {
    STAILQ_ENTRY(given) next;
    struct bus_message message;
};

struct bus_inbox {
    int descriptor;
    struct given *taken; /* the caller borrows it */
};

struct fake_inbox fake_inbox;
static STAILQ_HEAD(, given) queue = STAILQ_HEAD_INITIALIZER(queue);
static struct bus_inbox inbox = {.descriptor = -1};

/* ---- what the test does ---- */

void fake_inbox_begin(uint64_t sequence)
{
    fake_inbox_end();
    fake_inbox.facts =
        (struct bus_facts){.numbers_events = true,
                           .node = FAKE_NODE,
                           .epoch = FAKE_EPOCH,
                           .sequence = sequence,
                           .first_connid = (UINT64_C(5000) << BUS_NODE_BITS) + FAKE_NODE,
                           .stream_key = "one for all"};
}

static const char *copy(const char *text, size_t length)
{
    char *copied = calloc(1, length + 1);

    assert_non_null(copied);
    if (length > 0)
        memcpy(copied, text, length);
    return copied;
}

static void ring(void)
{
    uint64_t one = 1;

    if (inbox.descriptor >= 0)
        assert_int_equal(write(inbox.descriptor, &one, sizeof one), sizeof one);
}

void fake_inbox_give(const struct bus_message *message)
{
    struct given *given = calloc(1, sizeof *given);

    assert_non_null(given);
    given->message = *message;
    struct bus_message *own = &given->message;
    own->news.text = copy(own->news.text, own->news.length);
    own->event.topic = copy(own->event.topic, own->event.topic_length);
    own->event.json = copy(own->event.json, own->event.json_length);
    own->event.allowed = copy(own->event.allowed, own->event.allowed_length);
    own->drop.name = copy(own->drop.name, own->drop.name_length);
    STAILQ_INSERT_TAIL(&queue, given, next);
    ring();
}

static void free_given(struct given *given)
{
    if (given == NULL)
        return;
    const struct bus_message *own = &given->message;
    free((void *)(uintptr_t)own->news.text);
    free((void *)(uintptr_t)own->event.topic);
    free((void *)(uintptr_t)own->event.json);
    free((void *)(uintptr_t)own->event.allowed);
    free((void *)(uintptr_t)own->drop.name);
    free(given);
}

void fake_inbox_news(enum bus_news_kind kind, uint64_t epoch, uint64_t sequence)
{
    fake_inbox_give(
        &(struct bus_message){.news = {.kind = kind, .epoch = epoch, .sequence = sequence}});
}

void fake_inbox_note(unsigned node, const char *text, size_t length)
{
    fake_inbox_give(&(struct bus_message){
        .news = {.kind = BUS_NEWS_NOTE, .node = node, .text = text, .length = length}});
}

static struct bus_message event_message(uint64_t number, const char *topic, const char *json)
{
    return (struct bus_message){
        .number = number,
        .wall_ms = clock_wall_ms(),
        .envelope = {.kind = ENVELOPE_EVENT, .publisher = 77, .sequence = 1000 + number},
        .event = {.topic = topic,
                  .topic_length = strlen(topic),
                  .json = json,
                  .json_length = strlen(json),
                  .allowed = ""}};
}

void fake_inbox_event(uint64_t number, const char *topic, const char *json)
{
    const struct bus_message message = event_message(number, topic, json);

    fake_inbox_give(&message);
}

void fake_inbox_past(uint64_t number, const char *topic, const char *json, uint16_t flags)
{
    struct bus_message message = event_message(number, topic, json);

    message.past = true;
    message.wall_ms -= PAST_MS;
    message.envelope.flags = message.event.flags = flags;
    fake_inbox_give(&message);
}

void fake_inbox_value(uint64_t number, const char *topic, const char *json)
{
    struct bus_message message = event_message(number, topic, json);

    message.value = true;
    message.envelope.flags = message.event.flags = ENVELOPE_KEEP;
    fake_inbox_give(&message);
}

bool fake_inbox_is_empty(void *nothing)
{
    (void)nothing;
    return STAILQ_EMPTY(&queue);
}

void fake_inbox_end(void)
{
    struct given *given;

    while ((given = STAILQ_FIRST(&queue)) != NULL) {
        STAILQ_REMOVE_HEAD(&queue, next);
        free_given(given);
    }
    free(fake_inbox.note);
    fake_inbox = (struct fake_inbox){0};
}

/* ---- what the daemon calls ---- */

struct bus_inbox *__wrap_bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                        char error[BUS_ERROR_SIZE]);
void __wrap_bus_inbox_close(struct bus_inbox **closed);
int __wrap_bus_inbox_descriptor(const struct bus_inbox *of);
int __wrap_bus_inbox_next(struct bus_inbox *of, struct bus_message *message);
void __wrap_bus_inbox_acknowledge(struct bus_inbox *of, uint64_t publisher, const struct ack *ack);
void __wrap_bus_inbox_flush(struct bus_inbox *of);
void __wrap_bus_inbox_answer(struct bus_inbox *of, uint64_t publisher, const struct ack *ack,
                             const char *text, size_t length);
uint64_t __wrap_bus_inbox_malformed(const struct bus_inbox *of);
void __wrap_bus_inbox_leave(struct bus_inbox *of);
struct bus_facts __wrap_bus_inbox_facts(const struct bus_inbox *of);
void __wrap_bus_inbox_note(struct bus_inbox *of, const char *text, size_t length);
void __wrap_bus_inbox_describe(struct bus_inbox *of, uint64_t streams, const char *url);
size_t __wrap_bus_inbox_nodes(const struct bus_inbox *of, struct bus_node *nodes, size_t most);

struct bus_inbox *__wrap_bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                        char error[BUS_ERROR_SIZE])
{
    (void)epoch;
    (void)error;
    fake_inbox.take_up = options->take_up;
    inbox.descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(inbox.descriptor >= 0);
    fake_inbox.is_open = true;
    return &inbox;
}

void __wrap_bus_inbox_close(struct bus_inbox **closed)
{
    if (*closed == NULL)
        return;
    *closed = NULL;
    free_given(inbox.taken);
    inbox.taken = NULL;
    assert_int_equal(close(inbox.descriptor), 0);
    inbox.descriptor = -1;
    fake_inbox.is_open = false;
}

int __wrap_bus_inbox_descriptor(const struct bus_inbox *of)
{
    return of->descriptor;
}

int __wrap_bus_inbox_next(struct bus_inbox *of, struct bus_message *message)
{
    uint64_t count;

    free_given(of->taken);
    of->taken = STAILQ_FIRST(&queue);
    if (of->taken == NULL) {
        (void)!read(of->descriptor, &count, sizeof count);
        return 0;
    }
    STAILQ_REMOVE_HEAD(&queue, next);
    *message = of->taken->message;
    return 1;
}

void __wrap_bus_inbox_acknowledge(struct bus_inbox *of, uint64_t publisher, const struct ack *ack)
{
    (void)of;
    (void)publisher;
    fake_inbox.acks++;
    fake_inbox.last_ack = *ack;
}

void __wrap_bus_inbox_flush(struct bus_inbox *of)
{
    (void)of;
}

void __wrap_bus_inbox_answer(struct bus_inbox *of, uint64_t publisher, const struct ack *ack,
                             const char *text, size_t length)
{
    (void)text;
    (void)length;
    __wrap_bus_inbox_acknowledge(of, publisher, ack);
}

void __wrap_bus_inbox_leave(struct bus_inbox *of)
{
    (void)of;
    fake_inbox.has_left = true;
}

uint64_t __wrap_bus_inbox_malformed(const struct bus_inbox *of)
{
    (void)of;
    return 0;
}

struct bus_facts __wrap_bus_inbox_facts(const struct bus_inbox *of)
{
    (void)of;
    return fake_inbox.facts;
}

void __wrap_bus_inbox_note(struct bus_inbox *of, const char *text, size_t length)
{
    (void)of;
    free(fake_inbox.note);
    fake_inbox.note = (char *)(uintptr_t)copy(text, length);
    fake_inbox.note_length = length;
    fake_inbox.notes++;
}

void __wrap_bus_inbox_describe(struct bus_inbox *of, uint64_t streams, const char *url)
{
    (void)of;
    (void)url;
    fake_inbox.streams = streams;
    fake_inbox.described++;
}

size_t __wrap_bus_inbox_nodes(const struct bus_inbox *of, struct bus_node *nodes, size_t most)
{
    (void)of;
    if (most > 0)
        nodes[0] = (struct bus_node){.node = FAKE_NODE, .streams = fake_inbox.streams, .url = ""};
    if (fake_inbox.other_url == NULL)
        return 1;
    if (most > 1)
        nodes[1] = (struct bus_node){.node = FAKE_OTHER_NODE, .url = fake_inbox.other_url};
    return 2;
}
