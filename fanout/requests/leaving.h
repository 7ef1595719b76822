/* Streams that have ended and whose topics are still in the index: a thousand topics cost half a
 * millisecond to take out, and a thousand such streams may end in one moment, when an event comes
 * that they poll for, say. So they are taken out in slices. Meanwhile nothing is delivered to them. */
#ifndef ESN_LEAVING_H
#define ESN_LEAVING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct leaving_stream;
struct service;
struct stream;

struct leaving_streams {
    TAILQ_HEAD(, leaving_stream) queue;
    uint64_t count;
};

/* Of a zeroed one. */
void leaving_open(struct leaving_streams *leaving);
/* The stream has ended: its topics go, at once where they are few. */
void leaving_begin(struct stream *stream);
/* All of them go now, since its connection begins another one; harmless where there are none. */
void leaving_finish(struct stream *stream);
/* Takes out some of all. True while others are left. */
bool leaving_run(struct service *service);
/* The daemon ends. */
void leaving_finish_all(struct service *service);

#endif
