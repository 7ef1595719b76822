/* What an engine of the bus has to have: one table for the daemon's side, one for the handlers'. The functions are
 * those of bus.h, which says what they do; bus_front.c calls them. */
#ifndef ESN_BUS_ENGINE_H
#define ESN_BUS_ENGINE_H

#include "bus/bus.h"

struct bus_inbox_calls {
    struct bus_inbox *(*open)(const struct bus_options *options, uint64_t epoch,
                              char error[BUS_ERROR_SIZE]);
    void (*close)(struct bus_inbox *inbox);
    int (*descriptor)(const struct bus_inbox *inbox);
    int (*next)(struct bus_inbox *inbox, struct bus_message *message);
    void (*acknowledge)(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack);
    void (*flush)(struct bus_inbox *inbox);
    void (*answer)(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack,
                   const char *text, size_t length);
    uint64_t (*malformed)(const struct bus_inbox *inbox);
    struct bus_facts (*facts)(const struct bus_inbox *inbox);
    /* Of daemons that share the engine; NULL: there is one daemon alone. */
    void (*note)(struct bus_inbox *inbox, const char *text, size_t length);
    void (*leave)(struct bus_inbox *inbox);
    void (*describe)(struct bus_inbox *inbox, uint64_t streams, const char *url);
    size_t (*nodes)(const struct bus_inbox *inbox, struct bus_node *nodes, size_t most);
};

struct bus_publisher_calls {
    struct bus_publisher *(*open)(const struct bus_options *options, char error[BUS_ERROR_SIZE]);
    void (*close)(struct bus_publisher *publisher);
    bool (*publish)(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                    unsigned limit_ms, unsigned down_limit_ms);
    void (*tell)(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms);
    const char *(*trouble)(const struct bus_publisher *publisher); /* NULL: nothing is known */
};

/* An engine's own inbox or publisher begins with this. */
struct bus_inbox {
    const struct bus_inbox_calls *calls;
};
struct bus_publisher {
    const struct bus_publisher_calls *calls;
};

extern const struct bus_inbox_calls bus_zeromq_inbox, bus_redis_inbox;
extern const struct bus_publisher_calls bus_zeromq_publisher, bus_redis_publisher;

#endif
