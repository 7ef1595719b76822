/* N subscriber sockets in one epoll instance: opened in step with the server, read as fast as they
 * come. */
#ifndef BENCH_SUBSCRIBERS_H
#define BENCH_SUBSCRIBERS_H

#include "message.h"
#include "tally.h"

struct subscribers;

struct subscribers_options {
    size_t maximum;
    unsigned port;
    bool tls;
    struct message *request;  /* numbered for each subscriber; borrowed */
    struct marker subscribed; /* bytes in the answer that mean: events will be heard from now on */
    struct tally *tally;      /* told of each stamp read; borrowed */
};

/* NULL with a message. The caller frees. */
struct subscribers *subscribers_create(const struct subscribers_options *options);
/* Closes every socket with a reset. */
void subscribers_free(struct subscribers **subscribers);

/* Opens more until `count` are subscribed, with at most 64 answers outstanding at a time. False
 * with a message when the server refuses one or does not answer for ten seconds. */
bool subscribers_grow(struct subscribers *subscribers, size_t count);

/* Waits at most timeout_ms for something to read and reads it. False with a message when a stream
 * has ended. */
bool subscribers_read(struct subscribers *subscribers, int timeout_ms);

/* Calls readable(context) from subscribers_read() whenever fd has something to read. One at most.
 */
bool subscribers_watch(struct subscribers *subscribers, int fd, void (*readable)(void *context),
                       void *context);

/* Bytes read from all streams so far. */
uint64_t subscribers_bytes(const struct subscribers *subscribers);

#endif
