/* All streams: by connection id, by what they subscribe to, by who holds them, and what is
 * remembered of those that ended. */
#ifndef ESN_STREAMS_H
#define ESN_STREAMS_H

#include "hash_table.h"
#include "log/event_log.h"
#include "net/frame.h"
#include "streams/access_log.h"
#include "streams/decisions.h"
#include "streams/departed.h"
#include "streams/identities.h"
#include "streams/poll_gap.h"
#include "streams/presence.h"
#include "streams/reports.h"
#include "streams/revocations.h"
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
    struct identities identities;
    struct revocations revocations;
    struct reports reports;
    struct decisions decisions;
    struct access_log access;
    struct stream_secrets secrets;
    uint64_t next_connid;
    uint64_t connid_gap;           /* of other daemons, between two of this one */
    struct log_position behind_at; /* where those are that are behind */
    uint64_t of_encoding[FRAME_ENCODINGS];
    uint64_t begun;                                     /* since the start, like the next */
    uint64_t resumes[2];                                /* not recovered, recovered */
    uint64_t dropped;                                   /* polls between two requests included */
    uint64_t refused_topics, refused_topics_of_address; /* requests for more than there is room */
    uint64_t headers_bytes;                             /* memory of all that are kept */
};

/* Random, see hash_bytes(); each is for one table. */
struct streams_seeds {
    uint64_t topics, presence, identities, revocations, reports;
};

/* Of a zeroed one. False without memory; to be closed either way. */
bool streams_open(struct streams *streams, const struct streams_seeds *seeds);
/* Every stream has ended. */
void streams_close(struct streams *streams);
/* Takes over the headers of a stream that has none yet. */
void streams_keep_headers(struct streams *streams, struct stream *stream,
                          struct kept_headers *headers);
/* Harmless when it has none. */
void streams_forget_headers(struct streams *streams, struct stream *stream);
/* Memory that streams take beside their connections. */
uint64_t streams_bytes(const struct streams *streams);
/* Nobody comes back as this one, which has ended; where clients go from one daemon to the other, to none of them. */
void streams_bar(struct streams *streams, uint64_t connid, uint64_t now_ms);
/* NULL: no stream has this connection id. */
struct stream *streams_find(const struct streams *streams, uint64_t connid);

#endif
