/* Which topics have most events at present: a few, bounded, whatever publishers do. A topic that has
 * more than one event of so many as there are places is among them; of the rest the busiest may be. */
#ifndef ESN_BUSY_TOPICS_H
#define ESN_BUSY_TOPICS_H

#include <stddef.h>
#include <stdint.h>

enum { BUSY_TOPICS = 32, BUSY_TOPIC_NAME = 200 };

struct busy_topic {
    uint64_t rate;      /* events a second of late, times BUSY_TOPICS_SCALE */
    uint64_t count;     /* in the present second */
    uint64_t receivers; /* of the newest event */
    uint16_t length;
    char name[BUSY_TOPIC_NAME]; /* the beginning of it */
};

enum { BUSY_TOPICS_SCALE = 1024 };

struct busy_topics {
    uint64_t seed, second_at; /* random; when the present second began, ms of the loop's clock */
    uint64_t hashes[BUSY_TOPICS]; /* of each place; 0: it is free */
    struct busy_topic places[BUSY_TOPICS];
};

/* An event on this topic went to so many. */
void busy_topics_note(struct busy_topics *topics, const char *topic, size_t length,
                      uint64_t receivers);
/* To be called some times a second. */
void busy_topics_pass(struct busy_topics *topics, uint64_t now_ms);
/* The busiest first; returns how many there are. */
size_t busy_topics_list(const struct busy_topics *topics,
                        const struct busy_topic *list[BUSY_TOPICS]);

#endif
