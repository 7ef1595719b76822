#include "bus/bus_engine.h"

/* ---- daemon's side ---- */

struct bus_inbox *bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                 char error[BUS_ERROR_SIZE])
{
    const struct bus_inbox_calls *calls =
        options->engine == BUS_REDIS ? &bus_redis_inbox : &bus_zeromq_inbox;
    return calls->open(options, epoch, error);
}

void bus_inbox_close(struct bus_inbox **inbox)
{
    struct bus_inbox *old = *inbox;
    *inbox = NULL;
    if (old != NULL)
        old->calls->close(old);
}

void bus_inbox_leave(struct bus_inbox *inbox)
{
    if (inbox->calls->leave != NULL)
        inbox->calls->leave(inbox);
}

int bus_inbox_descriptor(const struct bus_inbox *inbox)
{
    return inbox->calls->descriptor(inbox);
}

int bus_inbox_next(struct bus_inbox *inbox, struct bus_message *message)
{
    return inbox->calls->next(inbox, message);
}

void bus_inbox_acknowledge(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack)
{
    inbox->calls->acknowledge(inbox, publisher, ack);
}

void bus_inbox_flush(struct bus_inbox *inbox)
{
    inbox->calls->flush(inbox);
}

void bus_inbox_answer(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack,
                      const char *text, size_t length)
{
    inbox->calls->answer(inbox, publisher, ack, text, length);
}

uint64_t bus_inbox_malformed(const struct bus_inbox *inbox)
{
    return inbox->calls->malformed(inbox);
}

struct bus_facts bus_inbox_facts(const struct bus_inbox *inbox)
{
    return inbox->calls->facts(inbox);
}

void bus_inbox_note(struct bus_inbox *inbox, const char *text, size_t length)
{
    if (inbox->calls->note != NULL)
        inbox->calls->note(inbox, text, length);
}

void bus_inbox_describe(struct bus_inbox *inbox, uint64_t streams, const char *url)
{
    if (inbox->calls->describe != NULL)
        inbox->calls->describe(inbox, streams, url);
}

size_t bus_inbox_nodes(const struct bus_inbox *inbox, struct bus_node *nodes, size_t most)
{
    return inbox->calls->nodes != NULL ? inbox->calls->nodes(inbox, nodes, most) : 0;
}

/* ---- publisher's side ---- */

struct bus_publisher *bus_publisher_open(const struct bus_options *options,
                                         char error[BUS_ERROR_SIZE])
{
    const struct bus_publisher_calls *calls =
        options->engine == BUS_REDIS ? &bus_redis_publisher : &bus_zeromq_publisher;
    return calls->open(options, error);
}

void bus_publisher_close(struct bus_publisher **publisher)
{
    struct bus_publisher *old = *publisher;
    *publisher = NULL;
    if (old != NULL)
        old->calls->close(old);
}

bool bus_publish(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms)
{
    return publisher->calls->publish(publisher, events, count, limit_ms, down_limit_ms);
}

void bus_tell(struct bus_publisher *publisher, struct bus_event *events, size_t count,
              unsigned limit_ms, unsigned down_limit_ms)
{
    publisher->calls->tell(publisher, events, count, limit_ms, down_limit_ms);
}

const char *bus_publisher_trouble(const struct bus_publisher *publisher)
{
    return publisher->calls->trouble != NULL ? publisher->calls->trouble(publisher) : "";
}
