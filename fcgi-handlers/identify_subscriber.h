/* Who a subscriber is: whose bind key or access token it has (docs/protocol.md section 4). */
#ifndef ESN_IDENTIFY_SUBSCRIBER_H
#define ESN_IDENTIFY_SUBSCRIBER_H

#include "handler_request.h"
#include "identity/access_token.h"
#include "subscribe_settings.h"
#include "subscription_body.h"

#include <stdbool.h>

/* What the threads of a process share. */
struct identify_common;
/* One thread's. */
struct identify;

/* NULL without memory; no thread has one of it open when it is closed. */
struct identify_common *identify_common_open(const struct subscribe_settings *settings);
void identify_common_close(struct identify_common **common);

/* Settings and `common` outlive it. NULL with a sentence in error (CONFIG_ERROR_SIZE). */
struct identify *identify_open(const struct subscribe_settings *settings,
                               struct identify_common *common, char *error);
void identify_close(struct identify **identify);

/* A proof stands in the request's Authorization header. */
bool identify_has_bearer(const struct identify *identify, const struct handler_request *request);

enum identify_result {
    IDENTIFY_NOBODY, /* it has no proof */
    IDENTIFY_KNOWN,  /* *identity is filled, and is to be freed */
    IDENTIFY_REFUSED,
    IDENTIFY_UNAVAILABLE /* nobody can say now */
};

/* Of a bind key by itself; likewise. Not NOBODY. */
enum identify_result identify_bind_key(struct identify *identify,
                                       const struct handler_request *request, const char *key,
                                       size_t length, struct identity *identity,
                                       const char **reason);

/* The session in Redis that a bind key has named; NULL: it named none. Borrowed from the identity. */
const char *identify_session_of(const struct identify *identify, const struct identity *identity);
/* Whose such a session is now. Not NOBODY. */
enum identify_result identify_session(struct identify *identify, const char *session,
                                      struct identity *identity);

/* REFUSED and UNAVAILABLE come with a reason for the client, static. A bind key counts before a
 * token, and a token in the subscription before one in the header. */
enum identify_result identify_subscriber(struct identify *identify,
                                         const struct handler_request *request,
                                         const struct subscription_body *subscription,
                                         struct identity *identity, const char **reason);

#endif
