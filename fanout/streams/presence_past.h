/* What has become of presence lately, for those who were away: from which change on it is news to
 * who had an event of the log, and who has gone since. Bounded: what is older is not known. */
#ifndef ESN_PRESENCE_PAST_H
#define ESN_PRESENCE_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { PRESENCE_MARKS = 1024 };

/* The first change that was told with this sequence of the log, or a later one, comes after this
 * one. */
struct presence_mark {
    uint64_t sequence, change;
};

/* A client id that no stream has had since this change; it may be there again. */
struct presence_gone {
    STAILQ_ENTRY(presence_gone) next;
    uint64_t change;
    uint32_t length;
    char clid[];
};

/* What a client that comes back has to be told of. */
struct presence_due {
    bool is_known;      /* it has heard of all changes up to `change` */
    bool names_told;    /* how many streams the client ids have that it watches by name */
    bool announced;     /* it was told which ones follow */
    uint64_t change;    /* up to this one it was told */
    uint64_t gone_from; /* who has gone up to this one it need not know */
    uint64_t news_from; /* of a poll: what comes after this one ends its waiting */
};

/* What a poll was told, as far as the client had asked for it again, and in all. */
struct presence_heard {
    bool is_poll;
    bool before_is_known;
    uint32_t before, through; /* changes, the last 32 bits */
};

struct presence_past {
    struct presence_mark marks[PRESENCE_MARKS]; /* a ring, oldest first */
    uint32_t first_mark, mark_count;
    uint64_t known_from; /* who had an event before this sequence of the log may have missed what is
                            not known any more */
    uint64_t told;       /* the newest change that was told */
    STAILQ_HEAD(, presence_gone) gone; /* oldest first */
    uint64_t forgotten;                /* who has gone up to this change is not known any more */
    uint64_t gone_count, gone_bytes;
    uint64_t most; /* of those that have gone; set by the owner, may change at any time */
};

/* Of a zeroed one. Nothing is known of what was before; sequence: of the log. */
void presence_past_begin(struct presence_past *past, uint64_t sequence);
/* A change was told when the log had come to this sequence; they are told in order. */
void presence_past_note_told(struct presence_past *past, uint64_t sequence, uint64_t change);
/* The last stream of a client id has gone. Without memory it is not known, as when it is old. */
void presence_past_note_gone(struct presence_past *past, uint64_t change, const char *clid,
                             size_t length);
/* Who has every event up to this sequence, and what was told between them, has heard of all changes
 * up to *change. False: that is not known any more. */
bool presence_past_find(const struct presence_past *past, uint64_t sequence, uint64_t *change);
/* The first that has gone after this change, NULL: none. */
const struct presence_gone *presence_past_first_gone(const struct presence_past *past,
                                                     uint64_t change);
void presence_past_free(struct presence_past *past);
/* Memory beside the struct. */
uint64_t presence_past_bytes(const struct presence_past *past);
struct saved_reader;
struct saved_writer;

void presence_past_save(const struct presence_past *past, struct saved_writer *writer);
/* Of a zeroed one; false when it is not as it should be. What there is no memory for is not known. */
bool presence_past_load(struct presence_past *past, struct saved_reader *reader);

#endif
