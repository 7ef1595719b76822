/* What the tests of the bus have in common: a folder with endpoints, one daemon in a thread, one
 * publisher. */
#ifndef ESN_TEST_BUS_SCENE_H
#define ESN_TEST_BUS_SCENE_H

#include "bus/bus.h"
#include "bytes.h"

#include <pthread.h>

/* A message as the daemon saw it; the texts are ended by NUL. */
struct bus_seen {
    uint64_t publisher, sequence;
    struct envelope envelope;
    struct bytes topic, allowed, event;
};

/* A daemon of few words. What it saw can be looked at when it has stopped. */
struct bus_daemon {
    struct bus_inbox *inbox;
    uint64_t epoch;
    unsigned answer_first; /* so many messages are acknowledged before those of drop_first */
    unsigned drop_first;   /* acknowledgements of so many messages are not sent */
    const char *answer;    /* said to each, as if it was a question; NULL: nothing */
    bool wrong_acks_first; /* says something about other sequences before each answer */
    enum ack_status status;
    int stop;
    pthread_t thread;
    struct bus_seen *seen;
    size_t seen_count;
};

struct bus_scene {
    char folder[32];
    char events[64], acks[64];
    const char *event_endpoints[2], *ack_endpoints[2];
    struct bus_options options;
    struct bus_daemon daemon;
    struct bus_publisher *publisher;
    char error[BUS_ERROR_SIZE];
};

/* Set-up and tear-down of a test; *state is a struct bus_scene. */
int bus_scene_set_up(void **state);
int bus_scene_tear_down(void **state);

void bus_scene_start_daemon(struct bus_scene *scene, uint64_t epoch);
/* Tolerates that none runs. */
void bus_scene_stop_daemon(struct bus_scene *scene);
/* Forgets what the daemon, which has stopped, saw. */
void bus_scene_forget(struct bus_scene *scene);

/* Fails the test when there is none. */
struct bus_publisher *bus_scene_open_publisher(struct bus_scene *scene);

#endif
