/* One bus publisher for all threads of a process. A thread that finds the bus idle publishes what
 * has gathered, its own events and those of the threads that came meanwhile, in one go; the others
 * wait for their part of the answer. So the cost of a round trip is shared by as many posts as
 * arrive during one. */
#ifndef ESN_PUBLISH_QUEUE_H
#define ESN_PUBLISH_QUEUE_H

#include "bus/bus.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct publish_queue;

/* The options' and configuration's texts are kept, not copied. NULL without memory. */
struct publish_queue *publish_queue_new(const struct bus_options *options,
                                        const struct config *config);
/* No thread may be publishing. */
void publish_queue_free(struct publish_queue **queue);
/* Opens the bus, so that it is ready before the first event. False (and logged) when it cannot;
 * each event tries again. */
bool publish_queue_connect(struct publish_queue *queue);
/* As bus_publish() with the configuration's time limits; from any thread. Each event says what
 * became of it. Says in the log when the daemon stops and begins to take events. */
void publish_queue_send(struct publish_queue *queue, struct bus_event *events, size_t count);
/* As bus_tell() with them; from any thread. */
void publish_queue_tell(struct publish_queue *queue, struct bus_event *events, size_t count);

#endif
