/* TCP connections to 127.0.0.1 from many source addresses, so that ports never run out. */
#ifndef BENCH_DIAL_H
#define BENCH_DIAL_H

#include <stdbool.h>
#include <stddef.h>

enum { DIAL_BLOCKING = 0, DIAL_NONBLOCKING = 1 };

/* Connects from 127.0.x.y, with x by process and y by index (any number below 1,250,000). Returns
 * the socket, with TCP_NODELAY set, or -1 with a message. With DIAL_NONBLOCKING the connection may
 * still be under way. */
int dial_local(unsigned port, size_t index, int mode);

/* Sends all bytes on a blocking socket; false with a message. */
bool dial_send_all(int fd, const void *data, size_t length);

/* Closes with a reset: neither side keeps the connection's remains for a minute. */
void dial_abort(int fd);

/* Raises the limit of open files to the hard limit; false with a message when that is below
 * `needed`. */
bool dial_allow_files(size_t needed);

#endif
