/* A subscription that stands in a query, for requests without a body: ep=TOPIC&ep=TOPIC&clid=NAME
 * (docs/protocol.md section 8). Pure. */
#ifndef ESN_SUBSCRIPTION_QUERY_H
#define ESN_SUBSCRIPTION_QUERY_H

struct json_t;

/* Fills body, an empty object, with what a request with a body would have said there. NULL, or the
 * static reason why the query is refused (REQUESTED_TOPICS_NO_MEMORY: no fault
 * of the client). */
const char *subscription_query_read(struct json_t *body, const char *query);

#endif
