/* Who a subscriber is by the session that its bind key names, which PHP keeps in Redis
 * (docs/protocol.md section 4). */
#ifndef ESN_REDIS_BINDING_H
#define ESN_REDIS_BINDING_H

#include "backend_gate.h"
#include "binding_answer.h"
#include "config/config.h"
#include "identity/access_token.h"
#include "redis/redis_config.h"
#include "trouble.h"

#include <stdbool.h>
#include <stddef.h>

/* What the threads of a process share. */
struct redis_binding_common {
    struct backend_gate *gate;
    struct trouble trouble; /* the log says that Redis does not answer, */
    struct trouble strange; /* and that sessions cannot be read */
};

/* One thread's connection. */
struct redis_binding;

/* Before any thread opens a connection. False without memory. */
bool redis_binding_common_open(struct redis_binding_common *common, const struct config *config);
void redis_binding_common_close(struct redis_binding_common *common);

/* Connects to nothing yet; all three outlive it. NULL without memory. */
struct redis_binding *redis_binding_open(const struct config *config,
                                         const struct redis_config *redis,
                                         struct redis_binding_common *common);
void redis_binding_close(struct redis_binding **binding);

/* BINDING_USER: *identity is filled, the caller frees it; else it is empty. BINDING_REFUSED: there
 * is no such session. Waits for Redis as long as [redis] says, or not at all while it is known not
 * to answer. */
enum binding_answer redis_binding_ask(struct redis_binding *binding, const char *session,
                                      struct identity *identity);

/* The id of the session whose identity it is; only of one that was found here. Borrowed. */
const char *redis_binding_session(const struct identity *identity);

#endif
