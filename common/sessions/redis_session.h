/* Whose a PHP session in Redis is, as phpredis keeps it. It is only looked at: an id that is not
 * there stays unknown, and a lock that PHP holds on it is not waited for. */
#ifndef ESN_REDIS_SESSION_H
#define ESN_REDIS_SESSION_H

#include "config/config.h"
#include "redis/redis_client.h"
#include "user_id.h"

#include <stddef.h>

/* What stands before the id in the name of a session's key. */
const char *redis_session_prefix(const struct config *config);

enum redis_session_result {
    REDIS_SESSION_USER,     /* USER_ID_NO_USER too: there is a session, without user */
    REDIS_SESSION_NONE,     /* no such session */
    REDIS_SESSION_NOT_READ, /* not as [redis] session_serializer and session_user say */
    REDIS_SESSION_UNAVAILABLE
};

/* NOT_READ and UNAVAILABLE come with a sentence in error. `id` is a valid one (session_id.h). */
enum redis_session_result redis_session_user(struct redis_client *client,
                                             const struct config *config, const char *id,
                                             size_t length, char user[USER_ID_SIZE],
                                             char error[REDIS_CLIENT_ERROR_SIZE]);

#endif
