/* How the daemon ends: it accepts nobody and takes no event any more, so that every event it has
 * acknowledged reaches its receivers; streams end one after the other, each with a hint when to
 * come back, so that ten thousand clients do not return in one moment. */
#ifndef ESN_STOPPING_H
#define ESN_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

struct bus_reader;
struct listeners;
struct service;

/* Ends the streams alone, as a stopping does, while the daemon goes on: for a web server or proxy
 * before it that is to be restarted, and would wait for them. */
void stopping_release_streams(struct service *service);
/* The same, but ends none in this call: for what happens while others are served. */
void stopping_release_later(struct service *service);
/* The same of streams that have a gap where the log is now: nothing of what follows is given to them
 * (streaming_leave_behind()). */
void stopping_leave_behind(struct service *service);

/* Once; bus may be NULL. From now on connections come to their end (the user's `stop`), streams within stop_spread.
 * Returns when the stopping is to be over, ms of the loop's clock. */
uint64_t stopping_begin(struct service *service, struct listeners *listeners,
                        struct bus_reader *bus);
/* True when every connection has ended or that time is over; closes those that are left. */
bool stopping_is_over(struct service *service, uint64_t deadline);

#endif
