/* Sockets that fail when a test says so: the calls stand before the C library's, also for libuv,
 * and only those of sockets in the thread that asked, while its daemon works. Batches of writes
 * fail one by one; for programs linked with -Wl,--wrap=send_batch_add,--wrap=send_batch_run. */
#ifndef ESN_TEST_FAILING_SOCKETS_H
#define ESN_TEST_FAILING_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

enum socket_fault {
    SOCKET_AGAIN,       /* EAGAIN, although there is something or room */
    SOCKET_INTERRUPTED, /* EINTR */
    SOCKET_SHORT,       /* one byte is read or written; the next connection is accepted as always */
    SOCKET_RESET,       /* ECONNRESET; ECONNABORTED for one that is to be accepted */
    SOCKET_NO_BUFFERS,  /* ENOBUFS; reading is not concerned */
    SOCKET_FAULTS
};

/* From now on the n-th call fails (1: the next), once. */
void failing_sockets_at(enum socket_fault fault, uint64_t n);
/* From now on one call in so many fails, in any way, by a series of random numbers. */
void failing_sockets_randomly(uint64_t seed, unsigned one_in);
/* Only between the two of these calls fail or are counted. */
void failing_sockets_work(bool begins);
/* No more failures. True when there was one since the last call. */
bool failing_sockets_stop(void);

#endif
