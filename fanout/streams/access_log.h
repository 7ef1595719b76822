/* The access log: who subscribed to how much and by which transport, why streams ended, and what
 * was posted; lines of the daemon's messages at level info. What clients prove themselves by is
 * never in it. Each address and each publisher has a limit, and all have one together, so that
 * strangers cannot fill the disk. */
#ifndef ESN_ACCESS_LOG_H
#define ESN_ACCESS_LOG_H

#include "message_limits.h"
#include "net/close_reason.h"

#include <stddef.h>
#include <stdint.h>

struct config;
struct connection;
struct event;
struct stream;
struct unpublished;

/* Addresses and publishers that are told apart; should there be more, some share their limit. */
enum { ACCESS_LOG_SHARES = 1024 };

/* Zeroed in the beginning, but for what its owner sets. */
struct access_log {
    const struct config *config; /* NULL: nothing is written */
    uint64_t seed;               /* random, see hash_bytes() */
    uint64_t left_out;           /* lines, since it was told */
    uint64_t told_at_ms;
    struct message_pace all;
    struct message_pace shares[ACCESS_LOG_SHARES];
};

/* A stream has begun; it has its topics and presence. Each poll is one: of a client that comes
 * back for the next nothing is written. */
void access_log_begun(struct access_log *access, const struct stream *stream);
/* And ends: it still has them. */
void access_log_ended(struct access_log *access, const struct stream *stream,
                      enum close_reason reason);

struct refused_access {
    const char *user, *clid; /* NULL: nobody said */
    const char *reason;
    uint64_t topics;
};
void access_log_refused(struct access_log *access, const struct connection *connection,
                        const struct refused_access *refused);

/* by: the publisher's name; "": it has none. now_ms: of the loop's clock, as in what follows. */
void access_log_posted(struct access_log *access, uint64_t now_ms, const char *by,
                       const struct event *event, uint64_t receivers);
void access_log_unpublished(struct access_log *access, uint64_t now_ms,
                            const struct unpublished *post);
/* Says how many lines were left out, once a minute. */
void access_log_tell(struct access_log *access, uint64_t now_ms);

#endif
