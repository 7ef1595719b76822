/* How many lines of one kind may be written: strangers can make some kinds of them as often as they
 * like. Pure: no clock of its own. */
#ifndef ESN_MESSAGE_LIMITS_H
#define ESN_MESSAGE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum { MESSAGE_KINDS = 64 }; /* told apart; should there be more, some share their limit */

struct message_pace {
    uint64_t due_us; /* when what was written would have come at the pace it may */
};

struct message_kind {
    const char *text; /* a literal: told by its address; NULL: free */
    struct message_pace pace;
    uint64_t left_out, left_out_since_ms;
};

struct message_limits {
    uint64_t burst;      /* lines at once; 0: no limit */
    uint64_t per_minute; /* at least 1 */
    struct message_kind kinds[MESSAGE_KINDS];
};

/* True when one more may be written now, of which there may be so many at once (at least 1) and so
 * many a minute (1 to 60,000). Of a zeroed one. */
bool message_pace_admit(struct message_pace *pace, uint64_t burst, uint64_t per_minute,
                        uint64_t now_ms);
/* True when a line of this kind may be written now; *left_out says how many were not before it. */
bool message_limits_admit(struct message_limits *limits, const char *text, uint64_t now_ms,
                          uint64_t *left_out);
/* A kind of which lines were left out first so long ago, and how many: it is told once. NULL: there
 * is none. */
const char *message_limits_take_left_out(struct message_limits *limits, uint64_t now_ms,
                                         uint64_t since_ms, uint64_t *left_out);

#endif
