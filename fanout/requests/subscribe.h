/* A subscription becomes a held stream (docs/protocol.md section 2).
 */
#ifndef ESN_SUBSCRIBE_H
#define ESN_SUBSCRIBE_H

#include "log/event_log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct http_request;
struct past_rights;
struct stream;
struct subscription_body;
struct transport;

/* Begins the stream and queues its first bytes. request: NULL when it was none. False without
 * memory: the connection is to be closed. */
bool subscribe_begin(struct connection *connection, const struct http_request *request,
                     const struct subscription_body *body, const struct transport *transport);
/* NULL, or why topics that are valid may not be held all the same (streams/topic_limits.h). */
const char *subscribe_fault(struct connection *connection, const struct subscription_body *body);
/* The same, or the answer that says why not: fault, as subscription_body_read() gives it. */
void subscribe_begin_or_refuse(struct connection *connection, const struct http_request *request,
                               const struct subscription_body *body,
                               const struct transport *transport, const char *fault);
/* Where a stream goes on: where the client was, or the head of the log; without last values, unless
 * something may be missing. Notes in the stream whether it asked (last_id is not NULL) and whether
 * nothing is missing. */
struct log_position subscribe_find_start(struct connection *connection, const char *last_id,
                                         size_t length);
/* Where bound events after the start may be among those that are not replayed, since nobody has
 * looked whether the stream's user may still hear them, something is missing. Counts how it ended,
 * for one that asked. */
void subscribe_settle_recovery(struct stream *stream, struct log_position *start,
                               const struct past_rights *past);
/* The stream is heard as the user of a ticket, if that has one, and no longer than the proof lasts;
 * of several proofs of one user, than the first to end. False without memory. */
bool subscribe_keep_identity(struct stream *stream, const struct subscription_body *body);
/* 503, since it may be taken a little later. An EventSource, which would not ask again, is told to
 * come back instead. */
void subscribe_refuse_for_now(struct connection *connection, const struct http_request *request,
                              const struct transport *transport, const char *reason,
                              unsigned seconds);
/* The same user has a proof that may last longer. */
void subscribe_prolong_identity(struct stream *stream, const struct subscription_body *body);

#endif
