/* What two programs say to each other when one hands over to the next: messages with descriptors on
 * a pair of sockets (docs/upgrade.md). */
#ifndef ESN_UPGRADE_CHANNEL_H
#define ESN_UPGRADE_CHANNEL_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum channel_kind {
    CHANNEL_HELLO = 1,   /* from the new one: the form of the state that it reads, as text */
    CHANNEL_REFUSAL,     /* from the new one: it does not come up, and why: a sentence */
    CHANNEL_STATE,       /* from the old one: how many descriptors follow; with that of the state */
    CHANNEL_DESCRIPTORS, /* from the old one: some of them */
    CHANNEL_PREPARED,    /* from the new one: all was read, and it could serve */
    CHANNEL_GO,          /* from the old one, which does nothing any more: serve */
    CHANNEL_AHEAD        /* from the old one, while it serves: a part of the state, before that */
};

enum {
    CHANNEL_TEXT_SIZE = 400,
    CHANNEL_MOST_DESCRIPTORS = 250, /* in one message: Linux takes 253 (unix(7)) */
    CHANNEL_ERROR_SIZE = 256
};

struct channel_message {
    enum channel_kind kind;
    char text[CHANNEL_TEXT_SIZE]; /* ended by NUL */
    int descriptors[CHANNEL_MOST_DESCRIPTORS];
    size_t count; /* of those; they are whoever receives the message's */
};

/* Two ends that close on exec; false with errno. */
bool channel_open(int ends[2]);
/* The other end is closed: its program has ended, or is about to. */
bool channel_is_over(int channel);
/* Waits until `deadline` (ms of the monotonic clock) for room; false with a sentence in error. */
bool channel_send(int channel, enum channel_kind kind, const char *text, const int *descriptors,
                  size_t count, uint64_t deadline, char error[CHANNEL_ERROR_SIZE]);
/* Waits for the next message. False with a sentence in error, also when the other end is gone; then
 * it is of kind 0. */
bool channel_receive(int channel, struct channel_message *message, uint64_t deadline,
                     char error[CHANNEL_ERROR_SIZE]);
/* Likewise, for one of this kind: false with the other end's own words when it refuses. */
bool channel_await(int channel, enum channel_kind kind, struct channel_message *message,
                   uint64_t deadline, char error[CHANNEL_ERROR_SIZE]);
/* Whether the other end has refused, as one that has ended may have without its being read; waits for
 * nothing. Then `message` has its words. */
bool channel_hear_refusal(int channel, struct channel_message *message);
/* The state, in a file in memory that cannot change any more, and all descriptors (ints). Frees the
 * state, of which there are two otherwise. False with a sentence in error: the other end's own words,
 * in a message of that kind, when it refuses. */
bool channel_send_state(int channel, struct bytes *state, const struct bytes *descriptors,
                        struct channel_message *message, uint64_t deadline,
                        char error[CHANNEL_ERROR_SIZE]);
/* A part of the state, before that, when there is room now: false otherwise, with a sentence in error when
 * it is no use to try again, which is empty else. */
bool channel_send_ahead(int channel, const struct bytes *part, struct channel_message *message,
                        char error[CHANNEL_ERROR_SIZE]);

#endif
