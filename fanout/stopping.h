/* How the daemon ends: it accepts nobody and takes no event any more, so that every event it has
 * acknowledged reaches its receivers; streams end one after the other, each with a hint when to
 * come back, so that ten thousand clients do not return in one moment. */
#ifndef ESN_STOPPING_H
#define ESN_STOPPING_H

#include <stdbool.h>

struct connection;
struct server;

/* Once. From now on streams come to their end (stopping_end_stream()) within stop_spread. */
void stopping_begin(struct server *server);
/* Tells the client, and ends its stream with the last chunk. */
void stopping_end_stream(struct connection *connection);
/* True when every connection has ended or stop_time is over; closes those that are left. */
bool stopping_is_over(struct server *server);

#endif
