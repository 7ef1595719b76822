/* What a client missed: events of the log after its last id, in order, before it goes live; and, of
 * one that was not there before, the last values of its topics (log/last_values.h) before those. A
 * stream that catches up holds a cursor instead of receiving live events, gets a slice whenever
 * its output has room, and joins the living in the same turn of the loop in which it reached the
 * head of the log: no gap, no double. Slices are small and taken in turn, so that thousands who
 * come back at once do not hold up live events.
 *
 * What one client is given, those get too that want the same and have come to the same place
 * (replay_cohort.h).
 *
 * Its events are found topic by topic where few topics match what it asked for. Where that would
 * cost more, it walks through the log in order and looks at each event: so no choice of patterns
 * costs more than the log is long, and what a connection keeps does not grow with the topics. */
#ifndef ESN_REPLAY_H
#define ESN_REPLAY_H

#include "events/replay_queue.h"
#include "log/event_log.h"

#include <stdbool.h>
#include <stdint.h>

struct past_rights;
struct stream;

struct replay_start {
    struct log_position position;
    uint32_t first_slot; /* last values are for the stream's subscriptions from this one on */
    bool may_have_gap;   /* the client was told that the log does not reach back so far */
};

/* Begins where the client is. `past`, copied: which bound events its user may still hear; NULL: none
 * are replayed of before it asked. `due`, copied: what it is to be told of presence. False without
 * memory. */
bool replay_begin(struct replay_queue *queue, struct stream *stream,
                  const struct replay_start *start, const struct past_rights *past,
                  const struct presence_due *due);
/* How far it was told of presence; NULL: it does not catch up. */
const struct presence_due *replay_presence(const struct stream *stream);
/* Everything for the stream up to here is queued, or was never to be. */
struct log_position replay_position(const struct replay_queue *queue, const struct stream *stream);
/* The stream ends, or has room again; harmless when it does not catch up. */
void replay_abandon(struct stream *stream);
void replay_continue(struct stream *stream);
/* A client that said where it was has been given so many events; those that catch up are counted when
 * that is over. */
void replay_count_resume(struct replay_queue *queue, uint64_t events);
/* Its topics are not what they were; harmless likewise. */
void replay_topics_changed(struct stream *stream);
/* It has topics more, from this slot on, of which it is to be given the last values; harmless
 * likewise. */
void replay_add_values(struct stream *stream, uint32_t first_slot);
/* Bound topics have come to it of which past events may not be replayed, each followed by NUL;
 * harmless likewise. False without memory. */
bool replay_withhold(struct stream *stream, const struct bytes *topics);

void replay_open(struct replay_queue *queue, struct delivery *delivery, replay_tell *tell,
                 uint64_t seed);
/* Gives slices to those that have room, within the measure of one turn. */
void replay_run(struct replay_queue *queue);
/* The log, which others share, has come further: so may those that were ahead of it. */
void replay_log_grew(struct replay_queue *queue);
/* True when one has room and may go on at once: the loop is not to sleep. Known when what the
 * slices queued was written, since that makes room. */
bool replay_can_go_on(const struct replay_queue *queue);
/* Memory of all, without frames. */
uint64_t replay_bytes(const struct replay_queue *queue);
void replay_close(struct replay_queue *queue);

#endif
