/* A subscription that stands in a query, for requests without a body: ep=TOPIC&ep=TOPIC&clid=NAME
 * (docs/protocol.md section 8). Pure. */
#ifndef ESN_SUBSCRIPTION_QUERY_H
#define ESN_SUBSCRIPTION_QUERY_H

#include "bytes.h"

#include <stdbool.h>

struct json_t;

/* Fills body, an empty object, with what a request with a body would have said there. NULL, or the
 * static reason why the query is refused (REQUESTED_TOPICS_NO_MEMORY: no fault
 * of the client). */
const char *subscription_query_read(struct json_t *body, const char *query);

/* `report=true`: it will say which events it had. */
bool subscription_query_says_had(const char *query);

/* What a client of Server-Sent Events that cannot set a header says in its place when it comes
 * back: `lastEventId` and the other spellings that are in use. Newer than the `last_id` that it
 * began with. False: it says nothing. */
bool subscription_query_last_event(const char *query, struct bytes *id);

#endif
