/* The log of recent events: gives every event its id, and keeps the newest ones so that a client
 * that comes back can have what it missed; and the last values of topics (last_values.h). Bounded by
 * bytes and age, oldest forgotten first; found by topic through an index of its own, so that what
 * one client missed is found without walking what it did not subscribe to. Ids are
 * "<epoch>-<sequence>": the epoch is the time when the log was begun, the sequence grows with each
 * event. */
#ifndef ESN_EVENT_LOG_H
#define ESN_EVENT_LOG_H

#include "bytes.h"
#include "event.h"
#include "log/last_values.h"
#include "log/log_marks.h"
#include "log/logged_event.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far a client has come. As text an id: "<epoch>-<sequence>", and "-<values_after>" when values
 * are missing. */
struct log_position {
    uint64_t sequence;     /* it has every event up to this one, and of last values ... */
    uint64_t values_after; /* ... those up to this one, the next ones up to sequence are to come;
                              sequence or more: it has all */
    uint64_t epoch;        /* of a log of before; 0: of the present one */
};

static inline bool log_position_lacks_values(struct log_position position)
{
    return position.values_after < position.sequence;
}

struct event_log {
    uint64_t epoch;     /* milliseconds since 1970 when the log was begun */
    uint64_t sequence;  /* of the newest event that was delivered; 0: none yet */
    uint64_t given;     /* newest sequence given to an event, which may be on its way to the disk */
    uint64_t forgotten; /* every logged event up to this sequence is gone */
    /* When it went on from what was on disk: no event between these two was ever kept ... */
    uint64_t stored_head, resumed_at;
    uint64_t lost_through;    /* ... and up to this one some may be missing */
    uint64_t newest_bound;    /* of those whose users the database named, and ... */
    uint64_t newest_targeted; /* ... of those for their inboxes: sequence; 0: none yet */
    uint64_t last_iat;
    bool
        is_shared; /* an engine numbers events, which other daemons have too, perhaps earlier; set by the owner */
    struct topic_index topics;
    struct topic_index targeted;  /* of events for inboxes, which are looked for apart */
    struct topic_matches matches; /* scratch */
    struct logged_event *oldest, *newest;
    struct log_marks marks;
    struct last_values values;
    uint64_t events, bytes; /* without the indexes */
    uint64_t
        max_bytes; /* set by the owner, like the next; may change at any time; 0: nothing is kept */
    uint64_t max_age_ms;
};

/* False without memory. */
bool event_log_open(struct event_log *log, uint64_t wall_ms, uint64_t seed);
void event_log_close(struct event_log *log);
/* What a log on disk held was appended: goes on after it, with a sequence that no client can have.
 * sure: nothing acknowledged is missing. */
void event_log_resume(struct event_log *log, uint64_t head, uint64_t lost_through, bool sure,
                      uint64_t wall_ms);
/* A sequence for a new event; events are to be appended in this order. */
uint64_t event_log_take_sequence(struct event_log *log);
/* The same, of those that an engine has numbered: it is greater than all before. */
void event_log_note_given(struct event_log *log, uint64_t sequence);
/* What came under this sequence, given before, is not kept: who has what was before has that too. */
void event_log_pass(struct event_log *log, uint64_t sequence);
/* What came up to this sequence is missing: who does not have it cannot have it here. */
void event_log_lose(struct event_log *log, uint64_t through);
/* Begins anew after this sequence, perhaps under another epoch: of before it keeps last values alone, and those
 * only that are not newer. */
void event_log_begin_anew(struct event_log *log, uint64_t epoch, uint64_t sequence);
/* Keeps an event; false without memory, and nothing is kept then. One larger than max_bytes is
 * forgotten at once. */
bool event_log_append(struct event_log *log, const struct event *event, uint64_t now_ms);
/* Nobody gets events up to this sequence any more. */
void event_log_forget(struct event_log *log, uint64_t through);
/* True when a client that received everything up to this sequence can have everything after it. */
bool event_log_has_all_after(const struct event_log *log, uint64_t sequence);
/* A client that has come so far is ahead of this log, which gets there in a moment. */
static inline bool event_log_is_ahead(const struct event_log *log, uint64_t sequence)
{
    enum { AHEAD_MOST = 1 << 20 }; /* more than daemons that hear of each other are apart */

    return log->is_shared && sequence > log->sequence && sequence - log->sequence <= AHEAD_MOST;
}
/* Forgets what is too old; appending does so too. */
void event_log_expire(struct event_log *log, uint64_t now_ms);
/* wall_ms, or the last value given when the wall clock went back: iat never does (docs/protocol.md
 * section 2). */
uint64_t event_log_iat(struct event_log *log, uint64_t wall_ms);

/* Memory of all that is kept, and of what finds it by topic. */
uint64_t event_log_bytes(const struct event_log *log);
/* Some event after it is kept. */
bool event_log_has_any_after(const struct event_log *log, uint64_t sequence);

/* The first event after a sequence, or NULL: the next ones are behind it. Borrowed until events are
 * forgotten. */
const struct logged_event *event_log_first_after(const struct event_log *log, uint64_t sequence);
/* How many there are: never too few, and too many by less than LOG_MARKS_EVERY. */
uint64_t event_log_count_after(const struct event_log *log, uint64_t sequence);

/* The id that stands for a position; event_id_read_place() reads it. */
void event_log_write_id(const struct event_log *log, struct log_position position,
                        struct bytes *out);
/* Finds the logged topics that match a requested one, or all with targeted events; borrowed until
 * the next call or append. NULL without memory. Both give up past so much work, with `cut` of what
 * they give. */
const struct topic_matches *event_log_match(struct event_log *log, const char *topic, size_t length,
                                            size_t most_work);
const struct topic_matches *event_log_match_targeted(struct event_log *log, size_t most_work);
/* The same, with what the C library takes beside it. */
uint64_t event_log_heap_bytes(const struct event_log *log);
struct saved_reader;
struct saved_writer;

/* Events after *through, which is set to the last of them, until that is `most` bytes or more. True:
 * there are others. */
bool event_log_save_ahead(const struct event_log *log, uint64_t *through, size_t most,
                          struct saved_writer *writer);
/* The figures, and the events after one, without last values. */
void event_log_save(const struct event_log *log, uint64_t after, struct saved_writer *writer);
/* Of one that was just opened; false when it is not as it should be, or without memory. What was saved
 * ahead comes first, in that order. */
bool event_log_load_ahead(struct event_log *log, struct saved_reader *reader);
bool event_log_load(struct event_log *log, struct saved_reader *reader);

#endif
