/* Clients that catch up with the same topics, in the same encoding: after a proxy was restarted
 * there are thousands of them. What was found and formatted for one, a slice of the log, is kept
 * for a moment for those that come to the same place. Who may hear what is never shared: a slice
 * that was for one client or user alone is not kept, and one that lacks what was whispered to a
 * client, or has what is for all but that client, is not for it. */
#ifndef ESN_REPLAY_COHORT_H
#define ESN_REPLAY_COHORT_H

#include "events/replay_filter.h"
#include "hash_table.h"
#include "net/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct stream;

enum {
    REPLAY_SLICE_STRANGERS = 16, /* words of a filter: a bit for each connid, roughly */
    REPLAY_SLICE_REPORTS = 16    /* with more of them it is not shared */
};

/* Of the log: everything after `from` up to `to`. */
struct replay_slice {
    TAILQ_ENTRY(replay_slice) by_cohort, by_age;
    struct replay_cohort *cohort;
    struct output frames;
    uint64_t from, to;
    uint64_t first;  /* its first event that matches; there is none between `from` and that */
    uint64_t window; /* bytes after which it was to end */
    uint64_t first_iat, last_iat; /* of its frames */
    uint64_t made_at;             /* ms of the loop's clock */
    uint64_t events;
    uint64_t
        reports[REPLAY_SLICE_REPORTS]; /* events of which it is noted who had them: sequences */
    uint32_t report_count;
    bool is_private; /* something in it depends on whose stream it is */
    uint64_t
        strangers[REPLAY_SLICE_STRANGERS]; /* who hears something else than is in it, by connid */
};

struct replay_member {
    struct replay_cohort *cohort; /* NULL: in none */
    LIST_ENTRY(replay_member) by_cohort;
    const struct stream *stream;
};

struct replay_cohort {
    struct hash_node by_topics;
    LIST_HEAD(, replay_member) members; /* one at least; whichever holds the topics' nodes */
    TAILQ_HEAD(, replay_slice) slices;
    struct replay_filter *filter; /* of their topics; NULL: not begun */
};

/* All of them. */
struct replay_cohorts {
    struct hash_table by_topics;
    uint64_t seed;                     /* random, see hash_bytes() */
    TAILQ_HEAD(, replay_slice) slices; /* of all, oldest first */
    uint64_t max_age_ms;               /* of a slice; may change at any time */
    uint64_t slice_count, bytes;       /* of those, the frames of which they are */
    uint64_t filter_bytes;
};

void replay_cohorts_open(struct replay_cohorts *cohorts, uint64_t seed);
void replay_cohorts_close(struct replay_cohorts *cohorts);
/* Finds those that want the same as the stream, or makes a cohort. The stream's topics have to stay
 * as they are until it leaves. False without memory. */
bool replay_cohorts_join(struct replay_cohorts *cohorts, struct replay_member *member,
                         const struct stream *stream);
/* Harmless for one that is in none. */
void replay_cohorts_leave(struct replay_cohorts *cohorts, struct replay_member *member);

/* Makes the filter of a member's cohort, or as much more of it as so much work is; false without
 * memory: there is none then. */
bool replay_cohorts_make_filter(struct replay_cohorts *cohorts, const struct replay_member *member,
                                size_t most_work, struct replay_hits *scratch);

/* The slice for a member that has everything up to `after`, and whose newest frame has this iat:
 * none that was sent before, and none that would have ended later now. NULL when there is none;
 * then *stop_at is where the next one begins, UINT64_MAX: nowhere. */
const struct replay_slice *replay_cohort_find(const struct replay_member *member, uint64_t after,
                                              uint64_t iat, uint64_t window, uint64_t *stop_at);
/* Notes that a slice is not for this connection: it lacks what was whispered to it, or has what is
 * for all others. */
void replay_slice_note_stranger(struct replay_slice *slice, uint64_t connid);
/* Takes the frames of a slice and keeps it for the other members, when there are any and it may be;
 * else, or without memory, forgets it. */
void replay_cohorts_keep(struct replay_cohorts *cohorts, const struct replay_member *member,
                         struct replay_slice *slice);
/* Forgets the oldest slices: beyond so many bytes, and what is old. */
void replay_cohorts_trim(struct replay_cohorts *cohorts, uint64_t most_bytes, uint64_t now_ms);
/* Memory of them, without frames and filters. */
uint64_t replay_cohorts_bytes(const struct replay_cohorts *cohorts);

#endif
