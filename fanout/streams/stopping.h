/* How the daemon ends: it accepts nobody and takes no event any more, so that every event it has
 * acknowledged reaches its receivers; streams end one after the other, each with a hint when to
 * come back, so that ten thousand clients do not return in one moment. */
#ifndef ESN_STOPPING_H
#define ESN_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct server;

/* Once. From now on streams come to their end (stopping_end_stream()) within stop_spread. */
void stopping_begin(struct server *server);
/* How long a client is asked to wait before it comes back: another time for each stream. */
uint64_t stopping_retry_ms(const struct connection *connection);
/* Tells the client, and ends its stream. */
void stopping_end_stream(struct connection *connection);
/* True when every connection has ended or stop_time is over; closes those that are left. */
bool stopping_is_over(struct server *server);

#endif
