#include "net/send_batch.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

struct send_batch {
    struct io_uring ring;
    unsigned count; /* added */
};

struct send_batch *send_batch_open(void)
{
    struct send_batch *batch = calloc(1, sizeof *batch);
    int error = batch != NULL ? -io_uring_queue_init(SEND_BATCH_MOST, &batch->ring, 0) : ENOMEM;

    if (error == 0)
        return batch;
    free(batch);
    errno = error;
    return NULL;
}

void send_batch_close(struct send_batch **batch)
{
    struct send_batch *old = *batch;

    if (old == NULL)
        return;
    *batch = NULL;
    io_uring_queue_exit(&old->ring);
    free(old);
}

/* MSG_DONTWAIT has the kernel say EAGAIN at once, where it would otherwise wait for the socket in
 * the background. So each is done when submitting is. */
bool send_batch_add(struct send_batch *batch, int descriptor, const void *data, size_t length)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);

    if (entry == NULL)
        return false;
    io_uring_prep_send(entry, descriptor, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    io_uring_sqe_set_data64(entry, batch->count++);
    return true;
}

static unsigned take_results(struct send_batch *batch, int results[SEND_BATCH_MOST])
{
    unsigned head, count = 0;

    struct io_uring_cqe *done;
    io_uring_for_each_cqe(&batch->ring, head, done)
    {
        results[done->user_data] = done->res;
        count++;
    }
    io_uring_cq_advance(&batch->ring, count);
    return count;
}

bool send_batch_run(struct send_batch *batch, int results[SEND_BATCH_MOST])
{
    unsigned done = 0;
    bool works = true;

    for (unsigned i = 0; i < batch->count; i++)
        results[i] = -EAGAIN;
    while (done < batch->count && works) {
        int submitted = io_uring_submit_and_wait(&batch->ring, batch->count - done);
        unsigned taken = take_results(batch, results);
        done += taken;
        works = submitted > 0 || submitted == -EINTR || taken > 0;
    }
    batch->count = 0;
    return works;
}
