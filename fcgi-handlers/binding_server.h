/* The application's own server that knows whose a subscriber's bind key is (docs/protocol.md
 * section 4). */
#ifndef ESN_BINDING_SERVER_H
#define ESN_BINDING_SERVER_H

#include "backend_gate.h"
#include "binding_answer.h"
#include "config/config.h"
#include "identity/access_token.h"
#include "trouble.h"

#include <stdbool.h>
#include <stddef.h>

/* What the threads of a process share. */
struct binding_common {
    struct backend_gate *gate;
    struct trouble trouble; /* the log says that the server does not answer */
};

/* One thread's connection, kept between questions. */
struct binding_server;

/* Before any thread opens a connection. False without memory. */
bool binding_common_open(struct binding_common *common, const struct config *config);
void binding_common_close(struct binding_common *common);

/* Connects to nothing yet; configuration and `common` outlive it. NULL without memory. */
struct binding_server *binding_server_open(const struct config *config,
                                           struct binding_common *common);
void binding_server_close(struct binding_server **server);

/* BINDING_USER: *identity is filled, the caller frees it; else it is empty. BINDING_REFUSED: the
 * answer was "", "__DONT__" or another word that is nobody's name. Asks, and waits at most
 * [binding] time_limit, or not at all while the server is known not to answer. A server that fails
 * is logged once, until it answers again. */
enum binding_answer binding_server_ask(struct binding_server *server, const char *key,
                                       size_t length, struct identity *identity);

#endif
