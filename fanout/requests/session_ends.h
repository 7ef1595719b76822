/* What the end of a PHP session in Redis does: the streams that are heard as its user end, as by
 * order of a backend, and proofs of before are worth nothing any more. */
#ifndef ESN_SESSION_ENDS_H
#define ESN_SESSION_ENDS_H

#include "redis/redis_config.h"

#include <stdbool.h>
#include <uv.h>

struct config;
struct drops;
struct session_watch;
struct streams;

struct session_ends {
    /* Parts of the owner, which outlive it. */
    const struct config *config;
    const struct streams *streams;
    struct drops *drops;
    bool had_sessions; /* the program before has seen some in Redis */
    /* Its own. */
    struct redis_config redis;
    struct session_watch *watch; /* NULL: no Redis is listened to */
};

/* Begins to listen when [redis] url and watch_sessions are set. Of one in which the owner's parts
 * are set. False with a sentence in error (SECRET_ERROR_SIZE). */
bool session_ends_open(struct session_ends *ends, uv_loop_t *loop, char *error);
/* There have been some in Redis: one that is not there has ended. */
bool session_ends_has_sessions(const struct session_ends *ends);
/* So that the loop can end. */
void session_ends_stop(struct session_ends *ends);
void session_ends_close(struct session_ends *ends);

#endif
