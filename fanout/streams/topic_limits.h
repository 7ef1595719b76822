/* What the topics of one stream, and those of all streams, may take: strangers choose them. */
#ifndef ESN_TOPIC_LIMITS_H
#define ESN_TOPIC_LIMITS_H

#include "requested_topics.h"
#include "streams/streams.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The reasons that are no fault of the client, which may try again later: compare pointers. */
extern const char TOPIC_LIMITS_FULL[], TOPIC_LIMITS_ADDRESS[];

/* NULL, or the static reason why these topics may not be added to those that a stream holds.
 * Counted is what they would take if nobody else held any of them. The less room is left for all,
 * the smaller is the share that one may still take: so those with few topics come in while those
 * with many are told to wait. */
const char *topic_limits_fault(struct streams *streams, const struct stream *stream,
                               const struct requested_topic *topics, size_t count);
/* What the topics that a stream holds take, counted likewise. */
uint64_t topic_limits_weight(const struct stream *stream);
/* Its topics have changed; they took so much before: its address is charged for what they take
 * now. */
void topic_limits_charge(struct stream *stream, uint64_t before);
/* It holds them no longer, though they may still leave the index. */
void topic_limits_release(struct stream *stream);
/* True of a topic that watches more than one client id. */
bool topic_limits_watches_many(const struct topic_node *node);
/* Memory of all topics that are held. */
uint64_t topic_limits_used(const struct streams *streams);

#endif
