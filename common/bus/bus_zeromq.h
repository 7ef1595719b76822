/* ZeroMQ as both sides of the bus use it: sockets with the right options and endpoints, messages of
 * several parts. With bus_zeromq_inbox.c and bus_zeromq_publisher.c the only code that knows it. */
#ifndef ESN_BUS_ZEROMQ_H
#define ESN_BUS_ZEROMQ_H

#include "bus/bus_engine.h"
#include "bus/bus_message.h"

#include <zmq.h>

/* Parts of a hello (the first two of an event) and of an acknowledgement message. */
enum { BUS_HELLO_PARTS = BUS_ENVELOPE + 1 };
enum { BUS_ACK_PUBLISHER, BUS_ACK_RECORDS, BUS_ACK_PARTS };
enum { BUS_PUBLISHER_ID_SIZE = 8 };

#define BUS_HELLO_TOPIC "@hello@"

struct bus_zeromq {
    void *context;
    void *events; /* the daemon's SUB, the handler's PUB */
    void *acks;   /* the daemon's PUB, the handler's SUB */
};

/* Opens the sockets of one side, without endpoints. False with a sentence in error; close it all
 * the same. */
bool bus_zeromq_open(struct bus_zeromq *zeromq, enum bus_side side,
                     const struct bus_options *options, char error[BUS_ERROR_SIZE]);
/* Binds or connects every endpoint. */
bool bus_zeromq_attach(struct bus_zeromq *zeromq, enum bus_side side,
                       const struct bus_options *options, char error[BUS_ERROR_SIZE]);
/* Closing this socket waits so long for what is not sent yet. */
void bus_socket_linger(void *socket, unsigned limit_ms);
/* Waits for no peer unless a socket lingers. Tolerates an engine that is not open. */
void bus_zeromq_close(struct bus_zeromq *zeromq);

/* Writes "what: the engine's reason"; returns false. */
bool bus_zeromq_fail(char error[BUS_ERROR_SIZE], const char *what);

bool bus_socket_subscribe(void *socket, const void *prefix, size_t length);
/* Makes the engine look now at what its I/O thread has to say, such as new subscriptions. On
 * sending it does so only about once a millisecond. */
void bus_socket_refresh(void *socket);

void bus_parts_open(zmq_msg_t *parts, int count);
void bus_parts_close(zmq_msg_t *parts, int count);
/* Receives one message into open parts, waiting at most wait_ms for it. Number of its parts (those
 * past `most` are dropped), 0: none came, or a signal did; -1: the engine failed. */
int bus_socket_receive(void *socket, zmq_msg_t *parts, int most, unsigned wait_ms);
/* Sends the parts as one message and closes them. Never waits: what cannot be sent is lost, as a
 * PUB socket has it. */
void bus_socket_send(void *socket, zmq_msg_t *parts, int count);
/* Opens a part with a copy of the data; false without memory (the part is open and empty then). */
bool bus_part_fill(zmq_msg_t *part, const void *data, size_t length);

/* The 8 bytes by which a publisher filters its acknowledgements. */
void bus_publisher_id_write(unsigned char out[BUS_PUBLISHER_ID_SIZE], uint64_t publisher);

#endif
