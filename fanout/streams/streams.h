/* All streams: by connection id, by what they subscribe to, by who holds them, and what is
 * remembered of those that ended. */
#ifndef ESN_STREAMS_H
#define ESN_STREAMS_H

#include "hash_table.h"
#include "net/frame.h"
#include "streams/departed.h"
#include "streams/poll_gap.h"
#include "streams/presence.h"
#include "streams/stream.h"
#include "streams/stream_secrets.h"
#include "topics/audience.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stdint.h>

struct streams {
    struct hash_table by_connid;
    struct topic_index topics[SUBSCRIPTION_KINDS];
    struct presence presence;
    struct poll_gap polls;
    struct departed departed;
    struct stream_secrets secrets;
    uint64_t next_connid;
    uint64_t of_encoding[FRAME_ENCODINGS];
    uint64_t begun; /* since the start */
};

/* Of a zeroed one. False without memory; to be closed either way. */
bool streams_open(struct streams *streams, uint64_t topics_seed, uint64_t presence_seed);
/* Every stream has ended. */
void streams_close(struct streams *streams);
/* NULL: no stream has this connection id. */
struct stream *streams_find(const struct streams *streams, uint64_t connid);

#endif
