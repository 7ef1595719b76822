/* The topics that one stream holds: they come and go while it lives. Knows no connection. */
#ifndef ESN_HELD_TOPICS_H
#define ESN_HELD_TOPICS_H

#include "requested_topics.h"
#include "topics/topic_index.h"

#include <stddef.h>

/* Adds those that are not held yet, behind the others and in their order; `user` is whose inbox
 * a bound @USER@ means. `indexes` are those of all kinds. NULL, or the static reason why
 * nothing was changed: no memory, or more than `most` would be held. */
const char *held_topics_add(struct topic_index *indexes, struct subscriber *subscriber,
                            const char *user, const struct requested_topic *topics, size_t count,
                            uint64_t most);
/* Takes out those that are held; the order of the others may change. False without memory: nothing
 * was changed. */
bool held_topics_remove(struct topic_index *indexes, struct subscriber *subscriber,
                        const char *user, const struct requested_topic *topics, size_t count);
/* Takes out some; true when there are none left, and the list is freed. */
bool held_topics_clear_some(struct topic_index *indexes, struct subscriber *subscriber,
                            uint32_t most);
/* Takes out all and frees the list. */
void held_topics_clear(struct topic_index *indexes, struct subscriber *subscriber);
struct saved_reader;
struct saved_writer;

void held_topics_save(const struct subscriber *subscriber, struct saved_writer *writer);
/* Of one that has none; false when it is not as it should be, or without memory: it has some of them
 * then. */
bool held_topics_load(struct topic_index *indexes, struct subscriber *subscriber,
                      struct saved_reader *reader);

#endif
