/* Hears from Redis when PHP sessions end or change hands, and tells the loop. A thread of its own
 * talks to Redis, so that the daemon never waits for it; what it finds comes to the loop, in which
 * everything below is called.
 *
 * A session's end that falls into a break of the connection is not missed: when there is one again,
 * each session that somebody holds a stream of is looked at; and from time to time, since Redis says
 * nothing of FLUSHDB. One that is not there has ended, unless there has never been any: then
 * sessions are elsewhere, and this Redis serves something else. */
#ifndef ESN_SESSION_WATCH_H
#define ESN_SESSION_WATCH_H

#include "bytes.h"
#include "config/config.h"
#include "redis/redis_config.h"

#include <stdbool.h>
#include <uv.h>

struct session_watch;

/* Whoever has the streams. A sid is as session_id.h makes it. */
struct session_watch_user {
    bool (*holds)(void *context, const char *sid);
    /* Appends the sids of some of the sessions that are held, each with its NUL: begin with 0 and
     * go on with what is returned, until that is 0. */
    size_t (*list)(void *context, size_t cursor, struct bytes *sids);
    void (*ended)(void *context, const char *sid);
    /* It was looked at, and is this user's. */
    void (*is_of)(void *context, const char *sid, const char *user);
    void *context;
};

/* Configuration and `redis` outlive it. has_sessions: some were seen there before. NULL without memory or
 * thread. */
struct session_watch *session_watch_open(uv_loop_t *loop, const struct config *config,
                                         const struct redis_config *redis,
                                         const struct session_watch_user *user, bool has_sessions);
/* Some were seen there, at any time. */
bool session_watch_has_sessions(const struct session_watch *watch);
/* Nothing is called any more, so that the loop can end. Waits for the thread, which waits for Redis
 * no longer than [redis] says. Harmless when it is NULL. */
void session_watch_stop(struct session_watch *watch);
/* After the loop has ended. */
void session_watch_free(struct session_watch **watch);

#endif
