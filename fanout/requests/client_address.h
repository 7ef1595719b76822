/* Whose a request is, when it comes from a trusted proxy ([fanout] trusted_proxies). */
#ifndef ESN_CLIENT_ADDRESS_H
#define ESN_CLIENT_ADDRESS_H

#include <stdbool.h>

struct connection;
struct http_request;
struct ip_address;

/* Counts the connection to the client of this request, until its answer or its stream is over.
 * False when its address has as many as it may have: the request was answered then. */
bool client_address_enter(struct connection *connection, const struct http_request *request);
/* Of a connection that is kept: the next request may be anybody's. */
void client_address_leave(struct connection *connection);

/* Who asks: of a trusted proxy the client that it names. False when that is not known, since another
 * proxy passed the request on, or it came through a socket file. */
bool client_address_find(const struct connection *connection, const struct http_request *request,
                         struct ip_address *client);

#endif
