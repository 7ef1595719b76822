/* Tells a client that comes back which client ids that it watches ("@CONNECTION@/...") came and
 * went while it was away (docs/protocol.md section 6): a little at a time, as with the log. */
#ifndef ESN_PRESENCE_CATCH_UP_H
#define ESN_PRESENCE_CATCH_UP_H

#include "events/replay.h"
#include "streams/presence_past.h"

#include <stdbool.h>
#include <stddef.h>

struct service;
struct stream;

/* It watches client ids by patterns. */
bool presence_catch_up_is_needed(const struct stream *stream);
/* What is to be told to one that had everything up to last_id; NULL: nothing of before. was_here: it had that from
 * this daemon; else perhaps from another one. heard: by its last poll. */
struct presence_due presence_catch_up_begin(const struct service *service, const char *last_id,
                                            size_t length, bool was_here,
                                            const struct presence_heard *heard);
/* Tells some of it; for a replay_queue. What a poll is told of before its time does not end its
 * waiting. */
enum replay_telling presence_catch_up_tell(struct stream *stream, struct presence_due *due,
                                           struct replay_measure *measure);

#endif
