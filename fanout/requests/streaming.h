/* A stream while it lasts, and how it ends. */
#ifndef ESN_STREAMING_H
#define ESN_STREAMING_H

#include "net/close_reason.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct presence_entry;
struct service;
struct stream;
struct transport;

/* From now on the stream is the connection's user, also when what begins it fails. */
void streaming_take(struct connection *connection, const struct transport *transport);
/* It is held for so long. */
void streaming_begin(struct connection *connection, uint64_t hold_ms);
/* Ends it cleanly, as its transport does; the connection is reused when the client keeps it. */
void streaming_end(struct connection *connection, enum close_reason reason);
/* Tells its client that it was dropped and ends it cleanly; nobody comes back as this one. */
void streaming_drop(struct connection *connection);
/* stream_time starts anew; not for a poll, which has the time it asked for. */
void streaming_renew(struct connection *connection);
/* Renewing it now would more than double what is left of its time. */
bool streaming_is_half_over(const struct connection *connection);
/* The client has promised to be heard of within so many ms, by a request of its own: else it is
 * gone. Nothing where it says something on the stream itself, or answers its pings. */
void streaming_expect(struct connection *connection, uint64_t within_ms);
/* The proof of its user may end sooner than it did. */
void streaming_shorten(struct connection *connection);
/* How long a client is asked to wait before it comes back: another time for each stream. */
uint64_t streaming_retry_ms(const struct connection *connection);
/* Counts one stream of a client id less, and tells who watches it. */
void streaming_leave_presence(struct service *service, struct presence_entry *presence);
/* Those who have not polled again in time are gone; all, when the daemon stops. */
void streaming_expire_polls(struct service *service);

/* A stream that another program began goes on here: everything of it is set. */
void streaming_go_on(struct connection *connection);
/* Ends the stream as the daemon's stopping does, but now. */
void streaming_stop_now(struct connection *connection);
/* The same at its time within stop_spread. Ends nothing in this call, so topics may be walked. */
void streaming_stop_later(struct connection *connection);
/* What follows is no more for this stream, which has a gap where the log is: it ends within stop_spread, and comes back
 * there (streams.behind_at), or ends soon, when it is not there. Ends nothing in this call either. */
void streaming_leave_behind(struct connection *connection);

#endif
