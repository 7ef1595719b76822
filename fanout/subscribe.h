/* A request becomes a held stream (docs/protocol.md section 2), and a stream ceases to be one.
 */
#ifndef ESN_SUBSCRIBE_H
#define ESN_SUBSCRIBE_H

#include "frame.h"

#include <stdbool.h>

struct connection;
struct http_request;
struct server;
struct subscription_body;

/* Begins the stream and queues its first bytes. request: NULL when it was none. False without
 * memory: the connection is to be closed. */
bool subscribe_begin(struct connection *connection, const struct http_request *request,
                     const struct subscription_body *body, enum frame_encoding encoding);
/* The same, or the answer that says why not: fault, as subscription_body_read() gives it. */
void subscribe_begin_or_refuse(struct connection *connection, const struct http_request *request,
                               const struct subscription_body *body, enum frame_encoding encoding,
                               const char *fault);
/* Takes the stream out of the index, of presence and of the table of streams, and tells who watches
 * its client id. The connection itself goes on. */
void subscribe_leave(struct connection *connection);
/* The same for a stream that ended as it should; one that was a poll may stay present for a while.
 */
void subscribe_leave_answered(struct connection *connection);
/* Those who have not polled again in time are gone; all, when the daemon stops. */
void subscribe_expire_polls(struct server *server);
/* Tells a client that has caught up how many streams the client ids have that it watches. False
 * without memory. */
bool subscribe_send_available(struct connection *connection);
/* For an answer that comes all at once: `connected`, and who is there. */
bool subscribe_send_first_frames(struct connection *connection);

#endif
