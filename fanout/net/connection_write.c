/* The writing half of a connection: what is queued goes out at once as far as the socket takes it. */
#include "net/connection.h"

#include "messages.h"
#include "net/backlog.h"
#include "net/send_batch.h"
#include "net/tls_output.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    WRITE_RANGES = 64,
    WRITE_ROUNDS = 16,
    WORTH_BATCH = 4 /* connections; fewer are written one by one */
};

/* Straight to the socket: without a backlog the loop has nothing of this connection to write.
 * send(2) spares the file layer that write(2) goes through. */
static ssize_t send_oldest(const struct connection *connection, size_t *length)
{
    struct iovec vectors[WRITE_RANGES];
    struct msghdr message = {.msg_iov = vectors};
    int count = output_gather(&connection->output, vectors, WRITE_RANGES);
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

    *length = vectors[0].iov_len;
    if (count == 1)
        return send(connection->descriptor, vectors[0].iov_base, vectors[0].iov_len, flags);
    for (int i = 1; i < count; i++)
        *length += vectors[i].iov_len;
    message.msg_iovlen = (size_t)count;
    return sendmsg(connection->descriptor, &message, flags);
}

/* A user may have all that is queued wait for the rest. */
static bool may_write(struct connection *connection)
{
    return connection->state != CONNECTION_CLOSED &&
           (connection->user->before_write == NULL || connection->user->before_write(connection));
}

/* False: there is nothing to be written now. */
static bool begins_writing(struct connection *connection)
{
    if (!may_write(connection))
        return false;
    if (connection->backlog != NULL)
        backlog_apply_limits(connection);
    return connection->backlog == NULL && connection->state != CONNECTION_CLOSED;
}

static bool is_lost(ssize_t sent)
{
    return sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK && sent != -EINTR;
}

/* What became of `length` bytes: how many the socket took, or a negative errno. True when it took
 * all of them. */
static bool take_result(struct connection *connection, ssize_t sent, size_t length)
{
    if (is_lost(sent)) {
        connection_close(connection, CLOSE_RESET);
        return false;
    }
    if (sent > 0)
        output_consume(&connection->output, (size_t)sent);
    if (sent >= 0 && (size_t)sent == length)
        return true;
    backlog_begin(connection);
    return false;
}

/* The same for a piece that is sealed, which is queued no longer. */
static bool take_sealed_result(struct connection *connection, ssize_t sent,
                               const struct iovec *piece)
{
    size_t taken = sent > 0 ? (size_t)sent : 0;
    const char *rest = (const char *)piece->iov_base + taken;

    if (!is_lost(sent) && taken == piece->iov_len)
        return true;
    if (is_lost(sent))
        connection_close(connection, CLOSE_RESET);
    else if (tls_session_keep_waiting(connection_tls(connection), rest, piece->iov_len - taken))
        backlog_begin(connection);
    else
        connection_close(connection, CLOSE_MEMORY);
    return false;
}

static void end_writing(struct connection *connection)
{
    if (connection->output.length > 0)
        connection_mark(connection); /* others first */
    else
        connection_drained(connection);
}

/* What is sealed is to be sent now. */
static bool goes_on_sealed(struct connection *connection, bool is_sealed)
{
    const struct tls_session *session = connection_tls(connection);

    if (!is_sealed)
        connection_close(connection, session->is_cut ? CLOSE_RESET : CLOSE_TLS);
    else if (session->waiting != NULL)
        backlog_begin(connection);
    return is_sealed && session->waiting == NULL;
}

/* Each record as far as the socket takes it. */
static void write_secured(struct connection *connection)
{
    struct tls_session *session = connection_tls(connection);

    for (int round = 0; round < WRITE_ROUNDS && connection->output.length > 0; round++)
        if (!goes_on_sealed(connection, tls_output_seal(&connection->output, session)))
            return;
    end_writing(connection);
}

static void write_now(struct connection *connection)
{
    if (connection->secured) {
        write_secured(connection);
        return;
    }
    bool all = true;

    for (int round = 0; all && round < WRITE_ROUNDS && connection->output.length > 0; round++) {
        size_t length;
        ssize_t sent = send_oldest(connection, &length);
        all = take_result(connection, sent < 0 ? -errno : sent, length);
    }
    if (all)
        end_writing(connection);
}

static bool fits_batch(const struct connection *connection)
{
    if (connection->output.length == 0)
        return false;
    return connection->secured
               ? tls_output_fits_batch(&connection->output, connection_tls(connection))
               : connection->output.rest == NULL;
}

/* One range, which is what an event or a burst of them is, as it is; or the record that is made of
 * what is queued. False: that is at an end. */
static bool make_piece(struct connection *connection, struct iovec *piece)
{
    if (!connection->secured)
        return output_gather(&connection->output, piece, 1) == 1;
    struct tls_session *session = connection_tls(connection);
    return goes_on_sealed(connection,
                          tls_output_seal_for_batch(&connection->output, session, piece));
}

static bool take_piece_result(struct connection *connection, ssize_t sent,
                              const struct iovec *piece)
{
    return connection->secured ? take_sealed_result(connection, sent, piece)
                               : take_result(connection, sent, piece->iov_len);
}

/* With thousands of receivers the processor waits for memory: it may begin with the next ones. */
static void fetch_ahead(struct connection **connections, size_t count, size_t i)
{
    if (i + 2 < count) {
        __builtin_prefetch(connections[i + 2]);
        __builtin_prefetch(&connections[i + 2]->io.handle.data);
    }
    if (i + 1 < count && connections[i + 1]->secured)
        __builtin_prefetch(connection_tls(connections[i + 1])->ssl);
}

/* Leaves those that have a piece in front, and returns how many. Nothing that is done to one
 * connection here closes another, so what is in front stays. */
static size_t make_pieces(struct connection **connections, size_t count, struct iovec *pieces)
{
    size_t made = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *connection = connections[i];
        fetch_ahead(connections, count, i);
        if (!begins_writing(connection))
            continue;
        if (!fits_batch(connection))
            write_now(connection);
        else if (make_piece(connection, &pieces[made]))
            connections[made++] = connection;
    }
    return made;
}

/* What has no room in the batch, which is none, is written by the loop. */
static void send_in_batch(struct send_batch **batch, struct connection **connections, size_t count,
                          const struct iovec *pieces, int *results)
{
    size_t added = 0;

    while (added < count && send_batch_add(*batch, connections[added]->descriptor,
                                           pieces[added].iov_base, pieces[added].iov_len))
        added++;
    for (size_t i = added; i < count; i++)
        results[i] = -EAGAIN;
    if (send_batch_run(*batch, results))
        return;
    message_warning("the kernel takes no more writes in batches: they go one by one");
    send_batch_close(batch);
}

static void send_each(struct connection **connections, size_t count, const struct iovec *pieces,
                      int *results)
{
    for (size_t i = 0; i < count; i++) {
        ssize_t sent = send(connections[i]->descriptor, pieces[i].iov_base, pieces[i].iov_len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        results[i] = sent < 0 ? -errno : (int)sent;
    }
}

/* All are sealed before any is sent: that is quicker even where each is sent by itself. */
static void write_together(struct net *net, struct connection **connections, size_t count)
{
    struct iovec pieces[SEND_BATCH_MOST];
    int results[SEND_BATCH_MOST];

    if (net->tls != NULL)
        tls_context_batch(net->tls)->used = 0;
    count = make_pieces(connections, count, pieces);
    if (net->writes.batch != NULL)
        send_in_batch(&net->writes.batch, connections, count, pieces, results);
    else
        send_each(connections, count, pieces, results);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count)
            __builtin_prefetch(connections[i + 1]);
        if (connections[i]->state != CONNECTION_CLOSED &&
            take_piece_result(connections[i], results[i], &pieces[i]))
            end_writing(connections[i]);
    }
}

void connection_write_all(struct net *net, struct connection **connections, size_t count)
{
    loop_watch_did(&net->loop.watch, LOOP_WRITTEN, count);
    if (count >= WORTH_BATCH && (net->writes.batch != NULL || net->tls != NULL)) {
        write_together(net, connections, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count)
            __builtin_prefetch(connections[i + 1]);
        if (begins_writing(connections[i]))
            write_now(connections[i]);
    }
}
