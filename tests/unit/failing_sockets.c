#include "failing_sockets.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/send_batch.h"
#include "random.h"

enum call { READ, WRITE, ACCEPT };

static struct {
    enum socket_fault fault;
    uint64_t countdown; /* 0: none is to fail */
    uint64_t random;
    unsigned one_in; /* 0: not at random */
    bool failed;
} failing;

/* Threads of the bus have sockets of their own, which shall not fail. */
static _Thread_local bool working;

static bool is_socket(int descriptor)
{
    struct stat status;

    return fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool can_fail(enum call call, enum socket_fault fault)
{
    return !(call == ACCEPT && fault == SOCKET_SHORT) &&
           !(call == READ && fault == SOCKET_NO_BUFFERS);
}

static int error_of(enum call call, enum socket_fault fault)
{
    switch (fault) {
    case SOCKET_AGAIN:
        return EAGAIN;
    case SOCKET_INTERRUPTED:
        return EINTR;
    case SOCKET_RESET:
        return call == ACCEPT ? ECONNABORTED : ECONNRESET;
    default:
        return ENOBUFS;
    }
}

/* Whether this call fails, and how. */
static bool fails(enum call call, int descriptor, enum socket_fault *fault)
{
    bool now;

    if (!working || !is_socket(descriptor))
        return false;
    *fault = failing.fault;
    if (failing.one_in > 0) {
        *fault = (enum socket_fault)random_below(&failing.random, SOCKET_FAULTS);
        now = can_fail(call, *fault) && random_below(&failing.random, failing.one_in) == 0;
    } else {
        now = can_fail(call, *fault) && failing.countdown > 0 && --failing.countdown == 0;
    }
    failing.failed = failing.failed || now;
    return now;
}

static ssize_t act(enum call call, int descriptor, long number, void *bytes, size_t length,
                   int flags)
{
    enum socket_fault fault;

    if (fails(call, descriptor, &fault)) {
        if (fault != SOCKET_SHORT) {
            errno = error_of(call, fault);
            return -1;
        }
        length = length > 0 ? 1 : 0;
    }
    if (number == SYS_read || number == SYS_write)
        return syscall(number, descriptor, bytes, length);
    return syscall(number, descriptor, bytes, length, flags, NULL, 0);
}

ssize_t read(int descriptor, void *bytes, size_t length)
{
    return act(READ, descriptor, SYS_read, bytes, length, 0);
}

ssize_t recv(int descriptor, void *bytes, size_t length, int flags)
{
    return act(READ, descriptor, SYS_recvfrom, bytes, length, flags);
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    return act(WRITE, descriptor, SYS_write, (void *)(uintptr_t)bytes, length, 0);
}

ssize_t send(int descriptor, const void *bytes, size_t length, int flags)
{
    return act(WRITE, descriptor, SYS_sendto, (void *)(uintptr_t)bytes, length, flags);
}

/* One that is short writes a byte of the first piece. */
ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    enum socket_fault fault;

    if (!fails(WRITE, descriptor, &fault))
        return syscall(SYS_writev, descriptor, pieces, count);
    if (fault == SOCKET_SHORT)
        return syscall(SYS_write, descriptor, pieces[0].iov_base, pieces[0].iov_len > 0 ? 1 : 0);
    errno = error_of(WRITE, fault);
    return -1;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    enum socket_fault fault;

    if (!fails(WRITE, descriptor, &fault))
        return syscall(SYS_sendmsg, descriptor, message, flags);
    if (fault == SOCKET_SHORT)
        return syscall(SYS_sendto, descriptor, message->msg_iov[0].iov_base, 1, flags, NULL, 0);
    errno = error_of(WRITE, fault);
    return -1;
}

int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags)
{
    enum socket_fault fault;

    if (fails(ACCEPT, descriptor, &fault)) {
        errno = error_of(ACCEPT, fault);
        return -1;
    }
    return (int)syscall(SYS_accept4, descriptor, address, size, flags);
}

/* ---- many at once ---- */

static struct {
    int results[SEND_BATCH_MOST]; /* of those that fail; 0: is the kernel's */
    size_t count;
} batch;

bool __real_send_batch_add(struct send_batch *of, int descriptor, const void *data, size_t length);
bool __real_send_batch_run(struct send_batch *of, int results[SEND_BATCH_MOST]);
bool __wrap_send_batch_add(struct send_batch *of, int descriptor, const void *data, size_t length);
bool __wrap_send_batch_run(struct send_batch *of, int results[SEND_BATCH_MOST]);

/* One that is to fail is not given to the kernel. */
bool __wrap_send_batch_add(struct send_batch *of, int descriptor, const void *data, size_t length)
{
    enum socket_fault fault;
    bool now = batch.count < SEND_BATCH_MOST && fails(WRITE, descriptor, &fault);

    if (now && fault != SOCKET_SHORT) {
        batch.results[batch.count++] = -error_of(WRITE, fault);
        return true;
    }
    if (!__real_send_batch_add(of, descriptor, data, now ? 1 : length))
        return false;
    batch.results[batch.count++] = 0;
    return true;
}

bool __wrap_send_batch_run(struct send_batch *of, int results[SEND_BATCH_MOST])
{
    int taken[SEND_BATCH_MOST];
    bool works = __real_send_batch_run(of, taken);

    for (size_t i = 0, next = 0; i < batch.count; i++)
        results[i] = batch.results[i] ? batch.results[i] : taken[next++];
    batch.count = 0;
    return works;
}

void failing_sockets_at(enum socket_fault fault, uint64_t n)
{
    failing.fault = fault;
    failing.countdown = n;
    failing.failed = false;
}

void failing_sockets_randomly(uint64_t seed, unsigned one_in)
{
    failing.random = seed;
    failing.one_in = one_in;
    failing.failed = false;
}

void failing_sockets_work(bool begins)
{
    working = begins;
}

bool failing_sockets_stop(void)
{
    bool failed = failing.failed;

    failing.countdown = 0;
    failing.one_in = 0;
    failing.failed = false;
    return failed;
}
