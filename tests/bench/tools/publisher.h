/* The load tool's publishing side. Either prepared messages over one or several sockets, in turn;
 * or a program of its own (bus_publish), which is told of each event through a pipe; or nobody:
 * somebody else publishes. */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "message.h"

struct publisher;

struct publisher_options {
    unsigned port;
    size_t connections;    /* sockets, used in turn */
    const char *hello;     /* file of bytes to send first on each socket, or NULL */
    struct marker greeted; /* then these are awaited; length 0: nothing is */
    const char *message;   /* file with a stamp's place, or NULL */
    const char *command;   /* shell command of the program, or NULL */
};

/* NULL with a message. Waits until the program has said that it is ready. */
struct publisher *publisher_open(const struct publisher_options *options);
/* False when the program failed; with a message. Tolerates NULL. */
bool publisher_close(struct publisher **publisher);

/* Publishes one event, by one write of its own as independent publishers would. */
bool publisher_send(struct publisher *publisher, const struct stamp *stamp);

/* Becomes readable when answers wait; -1 when there are none to read. */
int publisher_descriptor(const struct publisher *publisher);
/* Reads and forgets answers. */
void publisher_read_answers(struct publisher *publisher);
/* The beginning of the last answer, to show when something went wrong; empty text without one. */
const char *publisher_last_answer(const struct publisher *publisher);

#endif
