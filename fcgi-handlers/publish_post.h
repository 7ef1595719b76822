/* One post, alone or of a batch: read, decided about, given to the bus. */
#ifndef ESN_PUBLISH_POST_H
#define ESN_PUBLISH_POST_H

#include "authorise_point.h"
#include "bind_key.h"
#include "bus/bus.h"
#include "bytes.h"
#include "config/config.h"
#include "publish_queue.h"
#include "publish_request.h"
#include "publish_words.h"
#include "publishers/publishers.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>

struct publish_post {
    const struct publisher *publisher;
    struct publish_request asked;
    char user[USER_ID_SIZE];          /* of its bind key; "": none */
    struct point_decision *decisions; /* one for each event point */
    uint64_t proof_s;                 /* when its bind key has to be valid, since 1970; 0: now */
    bool of_several_daemons;          /* see struct publish_outcome */
    bool refused;
    struct publish_fault fault; /* when it is refused */
    struct bus_event *events;   /* of what was granted, among those of other posts */
    size_t event_count;
};

/* By what is decided; one thread's. */
struct publish_judge {
    const struct config *config;
    struct authority *authority;
    struct bind_key_reader *bind_keys; /* NULL: none are taken */
    struct publish_queue *queue;
    bool whole; /* publishes nothing of a post that has an event point which was not granted */
};

/* Reads a body. `id` (may be empty): what a post without an id of its own is given. False when it
 * is refused. The caller frees, either way. */
bool publish_post_read(struct publish_post *post, const struct publish_judge *judge,
                       const struct publisher *publisher, const char *body, size_t length,
                       const struct bytes *id);
/* Decides about all posts that are not refused yet, and publishes what was granted in one go. What
 * became of it stays in *events, which the caller frees after the posts were answered; NULL: no
 * memory, and all are refused. */
void publish_posts_serve(struct publish_post **posts, size_t count,
                         const struct publish_judge *judge, struct bus_event **events);
/* Of a post that is not refused. */
struct publish_outcome publish_post_outcome(const struct publish_post *post);
void publish_post_free(struct publish_post *post);

#endif
