/* Sends to many sockets with one system call, in place of one send(2) for each (io_uring). The only
 * code that knows liburing. */
#ifndef ESN_SEND_BATCH_H
#define ESN_SEND_BATCH_H

#include <stdbool.h>
#include <stddef.h>

enum { SEND_BATCH_MOST = 64 };

struct send_batch;

/* NULL with errno: the kernel has no io_uring or allows none, or there is no memory. */
struct send_batch *send_batch_open(void);
void send_batch_close(struct send_batch **batch);

/* Adds one; false: there is no room. The data stays the caller's and as it is until it was sent. */
bool send_batch_add(struct send_batch *batch, int descriptor, const void *data, size_t length);
/* Sends what was added, in that order, and waits for nothing: results[i] is how many bytes the i-th
 * socket took, or a negative errno (-EAGAIN: none now). The batch is empty then. False: the kernel
 * does not take any more, and the batch is of no use; what was not sent has -EAGAIN. */
bool send_batch_run(struct send_batch *batch, int results[SEND_BATCH_MOST]);

#endif
