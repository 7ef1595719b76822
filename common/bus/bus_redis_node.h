/* One daemon among those that share a Redis: what its threads and its loop have in common. The loop never waits for
 * Redis: the reader (bus_redis_reader.h) reads the log for it, the keeper (bus_redis_keeper.h) does all the rest. */
#ifndef ESN_BUS_REDIS_NODE_H
#define ESN_BUS_REDIS_NODE_H

#include "bus/bus_redis_link.h"
#include "bus/bus_redis_queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Second half of an id and the first, compared as Redis does. */
struct redis_place {
    uint64_t epoch, sequence;
};

static inline bool redis_place_is_before(struct redis_place a, struct redis_place b)
{
    return a.epoch != b.epoch ? a.epoch < b.epoch : a.sequence < b.sequence;
}

/* Something to be published on a channel. */
struct redis_outgoing {
    STAILQ_ENTRY(redis_outgoing) next;
    uint64_t publisher; /* whose acknowledgements; 0: a note */
    uint64_t number;    /* of a note */
    struct bytes text;
};
STAILQ_HEAD(redis_outgoings, redis_outgoing);

/* The living nodes as they were at one look; texts lie behind the list. */
struct redis_node_list {
    size_t count;
    struct bus_node nodes[];
};

struct redis_node {
    struct bus_redis_options options; /* these four do not change */
    struct bus_take_up take_up;
    size_t max_message_bytes;
    uint64_t boot;

    struct redis_queue queue;
    int stop; /* eventfd: can be read from the moment that the threads are to end */
    int wake; /* eventfd: the keeper has something to publish */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool is_stopping;
    bool leaves;                     /* when it stops */
    bool is_agreed;                  /* the keeper: on the server that it is connected to */
    bool is_ready;                   /* the reader knows where it begins; facts are complete */
    char run[REDIS_RUN_SIZE];        /* of the server of the keeper */
    char reader_run[REDIS_RUN_SIZE]; /* "": the reader has read nothing yet */
    char trouble[REDIS_CLIENT_ERROR_SIZE];
    struct bus_facts facts;
    struct redis_place seen;  /* by the reader: nothing beyond has been given to the loop */
    struct redis_place given; /* all up to here has been given to the loop */
    struct redis_outgoings outgoing;
    size_t outgoing_bytes;
    uint64_t last_note;
    uint64_t streams;
    char *url;
    struct redis_node_list *nodes; /* the newest that the loop has not taken over */
};

/* False with a sentence in error. */
bool redis_node_open(struct redis_node *node, const struct bus_options *options,
                     char error[BUS_ERROR_SIZE]);
void redis_node_free(struct redis_node *node);
/* Tells the threads to end. */
void redis_node_stop(struct redis_node *node, bool leaves);
bool redis_node_is_stopping(struct redis_node *node);
/* Waits so long, or until the threads are to end. */
void redis_node_pause(struct redis_node *node, uint64_t ms);
/* Notes what is in the way of one thread. */
void redis_node_note_trouble(struct redis_node *node, const char *words);
/* Puts news in that are rare and must not be lost. */
void redis_node_tell(struct redis_node *node, struct bus_news news);
/* Takes the bytes over. Dropped when too much waits, as a note that is missed or an acknowledgement that is not waited
 * for any more. */
void redis_node_send(struct redis_node *node, uint64_t publisher, struct bytes *text);

#endif
