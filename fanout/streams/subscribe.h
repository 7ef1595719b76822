/* A request becomes a held stream (docs/protocol.md section 2), and a stream ceases to be one.
 */
#ifndef ESN_SUBSCRIBE_H
#define ESN_SUBSCRIBE_H

#include "net/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/* The same of the topics in the slots from this one on. */
bool subscribe_send_available_from(struct connection *connection, uint32_t first);
/* The sequence after which a stream goes on: where the client was, or the head of the log. Notes in
 * the connection whether it asked (last_id is not NULL) and whether nothing is missing. */
uint64_t subscribe_find_start(struct connection *connection, const char *last_id, size_t length);

#endif
