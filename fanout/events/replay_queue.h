/* Those that catch up, as replay.c and replay_send.c see them. */
#ifndef ESN_REPLAY_QUEUE_H
#define ESN_REPLAY_QUEUE_H

#include "events/past_audience.h"
#include "events/replay_cohort.h"
#include "events/replay_filter.h"
#include "histogram.h"
#include "log/replay_sources.h"
#include "streams/presence_past.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delivery;
struct stream;

/* One of them. */
struct replay {
    struct stream *stream;
    struct replay_queue *queue;
    uint64_t after; /* everything of the log up to this sequence is queued */
    /* Before that come last values, of those that are not newer than `after`: everything up to this
     * one is queued. */
    bool in_values;
    uint64_t values_after;
    uint32_t first_slot; /* values are for its subscriptions from this one on */
    uint64_t asked_at; /* newest event when it asked: who may hear later ones was looked at then */
    bool may_have_gap;
    struct past_audience past;
    struct presence_due due;
    bool tells_first;            /* what is due, before the log */
    bool waits;                  /* for the socket: counted in the queue */
    bool is_ahead;               /* of the log: it waits for that */
    bool walks;                  /* through the log, not topic by topic */
    struct replay_sources kept;  /* topic by topic, for the next slice */
    uint64_t kept_bytes;         /* of those, counted in the queue */
    struct replay_member member; /* of those that want the same */
    uint64_t iat;                /* of its newest frame */
    uint64_t events;             /* replayed so far */
    bool is_resume;              /* it said where it was */
    struct replay *next,
        **link; /* in the queue while it has room, or among those that are ahead; link NULL while it waits for the
                   socket */
};

/* What a slice may cost. */
struct replay_measure {
    uint64_t window;  /* bytes queued for the connection */
    size_t most_work; /* in the units of replay_queue.work */
    size_t work;      /* done */
};

enum replay_telling {
    REPLAY_TOLD,
    REPLAY_MORE,  /* there is more to be told */
    REPLAY_FAILED /* without memory: the connection is closed */
};

/* Tells a slice of what it missed and the log does not have: presence. */
typedef enum replay_telling replay_tell(struct stream *stream, struct presence_due *due,
                                        struct replay_measure *measure);

/* All that catch up. */
struct replay_queue {
    struct delivery *delivery;
    /* Called for each that has caught up with the log, until all is told: then it is live. For
     * those who poll also before that, since the answer says that they have what was before. */
    replay_tell *tell;
    struct replay *first, **last;  /* those that have room */
    struct replay *ahead;          /* those that have come further than the log */
    struct replay_sources scratch; /* of one slice */
    struct replay_hits hits;       /* of one event */
    struct replay_slice slice;     /* that is being made */
    struct replay_cohorts cohorts; /* those that want the same */
    uint64_t told;                 /* delivery's count of what those who catch up were told */
    uint64_t kept_bytes;           /* what connections keep from one slice to the next */
    uint64_t catching_up;          /* connections, with room or without */
    uint64_t waiting;              /* those without */
    uint64_t window;               /* bytes queued for one before it waits, in the present turn */
    uint64_t events;               /* replayed since the start */
    uint64_t shared;               /* of those, what was found and formatted for another one */
    uint64_t shared_bytes;         /* of their frames */
    struct histogram lengths;      /* events of resumes that are over, in histogram_counts */
    uint64_t work; /* topics, events and subscriptions looked at, and frames made; see replay.c */
};

/* Memory of what they keep of their topics: that is bounded. */
static inline uint64_t replay_kept_bytes(const struct replay_queue *queue)
{
    return queue->kept_bytes + queue->cohorts.filter_bytes;
}

#endif
