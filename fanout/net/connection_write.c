/* The writing half of a connection: what is queued goes out at once as far as the socket takes it;
 * a slow client's rest waits in a backlog, which only slow clients have. */
#include "net/connection.h"

#include "heap.h"
#include "messages.h"
#include "net/send_batch.h"
#include "net/tls_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    WRITE_RANGES = 64,
    WRITE_ROUNDS = 16,
    SEALED_RECORDS = 4,
    WORTH_BATCH = 4 /* connections; fewer are written one by one */
};

struct backlog {
    uv_write_t write;
    struct net *net;
    struct connection *connection; /* NULL once it is closed */
    TAILQ_ENTRY(backlog) by_backlog;
    size_t in_flight; /* bytes handed to the loop */
    char *sealed;     /* those, of one that is secured; owned */
    uint64_t since;   /* when it began */
    uint64_t written; /* bytes since then, without those in flight */
    int64_t seen;     /* what the other end had, when last looked at; from some number on */
    uint64_t seen_at;
    uint64_t over_soft_since; /* 0: below max_pending_soft */
};

static void continue_backlog(struct connection *connection);

static void link_backlog(struct net *net, struct backlog *backlog)
{
    TAILQ_INSERT_TAIL(&net->by_backlog, backlog, by_backlog);
    net->backlogs++;
}

static void unlink_backlog(struct net *net, struct backlog *backlog)
{
    TAILQ_REMOVE(&net->by_backlog, backlog, by_backlog);
    net->backlogs--;
}

void connection_drop_output(struct connection *connection)
{
    output_clear(&connection->output);
    if (connection->backlog == NULL)
        return;
    /* The loop still owns the write request; on_written() frees it. */
    unlink_backlog(connection->net, connection->backlog);
    connection->backlog->connection = NULL;
    connection->backlog = NULL;
}

/* Bytes that wait beyond the oldest range: that one may be a single event larger than the limit. */
static uint64_t waiting(const struct connection *connection)
{
    return connection->output.length - connection->output.first.length;
}

static void apply_limits(struct connection *connection)
{
    const struct config *config = connection->net->config;
    struct backlog *backlog = connection->backlog;
    uint64_t now = loop_now(&connection->net->loop);

    if (waiting(connection) > config->max_pending) {
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    if (waiting(connection) <= config->max_pending_soft) {
        backlog->over_soft_since = 0;
    } else if (backlog->over_soft_since == 0) {
        backlog->over_soft_since = now;
        connection_set_deadline(connection);
    }
}

uint64_t connection_slow_deadline(const struct connection *connection)
{
    if (connection->backlog == NULL || connection->backlog->over_soft_since == 0)
        return UINT64_MAX;
    return connection->backlog->over_soft_since + connection->net->config->soft_time;
}

uint64_t connection_stall_deadline(const struct connection *connection)
{
    return connection->backlog != NULL
               ? connection->backlog->seen_at + connection->net->config->soft_time
               : UINT64_MAX;
}

size_t connection_taken_ahead(const struct connection *connection)
{
    if (connection->backlog == NULL || connection->secured)
        return 0;
    return connection->backlog->in_flight - uv_stream_get_write_queue_size(&connection->io.stream);
}

/* Without what the system keeps for the socket: that says that there is room again only when a good
 * part of it is gone, which takes minutes on a slow line. */
static int64_t taken_by_peer(const struct connection *connection)
{
    const struct backlog *backlog = connection->backlog;
    size_t left = uv_stream_get_write_queue_size(&connection->io.stream);
    int kept = 0;

    if (ioctl(connection->descriptor, TIOCOUTQ, &kept) != 0)
        kept = 0;
    return (int64_t)(backlog->written + backlog->in_flight - left) - kept;
}

bool connection_has_moved(struct connection *connection)
{
    struct backlog *backlog = connection->backlog;

    if (backlog == NULL)
        return false;
    int64_t taken = taken_by_peer(connection);
    bool moved = taken > backlog->seen;
    backlog->seen = taken;
    if (moved)
        backlog->seen_at = loop_now(&connection->net->loop);
    return moved;
}

static void free_sealed(struct backlog *backlog)
{
    if (backlog->sealed != NULL)
        backlog->net->sealed_bytes -= backlog->in_flight;
    free(backlog->sealed);
    backlog->sealed = NULL;
}

static void free_backlog(struct backlog *backlog)
{
    free_sealed(backlog);
    free(backlog);
}

/* Seals the oldest bytes, ranges that are short together. False: that cannot be sent. */
static bool seal_oldest(struct connection *connection)
{
    struct tls_session *session = connection_tls(connection);
    char *gathered = tls_context_gathered(session->context);
    struct iovec vectors[WRITE_RANGES];
    int count = output_gather(&connection->output, vectors, WRITE_RANGES);
    const char *bytes = vectors[0].iov_base;
    size_t length = 0;

    for (int i = 0; count > 1 && i < count && length < TLS_RECORD; i++) {
        size_t room = TLS_RECORD - length;
        size_t part = vectors[i].iov_len < room ? vectors[i].iov_len : room;
        memcpy(gathered + length, vectors[i].iov_base, part);
        length += part;
        bytes = gathered;
    }
    if (count == 1)
        length = vectors[0].iov_len < TLS_RECORD ? vectors[0].iov_len : TLS_RECORD;
    if (!tls_session_write(session, bytes, length))
        return false;
    output_consume(&connection->output, length);
    return true;
}

/* For one write of the loop. False: nothing can be sent any more. */
static bool seal_for_loop(struct connection *connection)
{
    struct tls_session *session = connection_tls(connection);
    struct backlog *backlog = connection->backlog;
    bool sealed = true;

    session->keeps = true;
    for (int i = 0; sealed && i < SEALED_RECORDS && connection->output.length > 0; i++)
        sealed = seal_oldest(connection);
    session->keeps = false;
    backlog->sealed = tls_session_take_waiting(session, &backlog->in_flight);
    backlog->net->sealed_bytes += backlog->in_flight;
    return sealed && backlog->sealed != NULL;
}

static int gather(struct connection *connection, uv_buf_t *buffers, size_t *length)
{
    struct iovec vectors[WRITE_RANGES];
    int count = output_gather(&connection->output, vectors, WRITE_RANGES);

    *length = 0;
    for (int i = 0; i < count; i++) {
        buffers[i] = uv_buf_init(vectors[i].iov_base, (unsigned)vectors[i].iov_len);
        *length += vectors[i].iov_len;
    }
    return count;
}

static bool has_more(const struct connection *connection)
{
    return connection->output.length > 0 ||
           (connection->secured && connection_tls(connection)->waiting != NULL);
}

static void end_backlog(struct connection *connection)
{
    struct backlog *backlog = connection->backlog;

    connection->backlog = NULL;
    unlink_backlog(connection->net, backlog);
    free_backlog(backlog);
}

static void on_written(uv_write_t *write, int status)
{
    struct backlog *backlog = write->data;
    struct connection *connection = backlog->connection;

    if (connection == NULL) {
        free_backlog(backlog);
        return;
    }
    if (status < 0 || connection->doomed) {
        connection_close(connection, status < 0 ? CLOSE_RESET : CLOSE_MEMORY);
        free_backlog(backlog);
        return;
    }
    backlog->written += backlog->in_flight;
    if (connection->secured)
        free_sealed(backlog);
    else
        output_consume(&connection->output, backlog->in_flight);
    if (has_more(connection)) {
        continue_backlog(connection);
        return;
    }
    end_backlog(connection);
    if (connection->state == CONNECTION_READING)
        (void)connection_start_reading(connection);
    connection_drained(connection);
}

/* Hands the oldest ranges to the loop, which writes them when the socket takes more. */
static void continue_backlog(struct connection *connection)
{
    struct backlog *backlog = connection->backlog;
    uv_buf_t buffers[WRITE_RANGES];
    int count = 1;

    if (!connection->secured) {
        count = gather(connection, buffers, &backlog->in_flight);
    } else if (seal_for_loop(connection)) {
        buffers[0] = uv_buf_init(backlog->sealed, (unsigned)backlog->in_flight);
    } else {
        end_backlog(connection);
        connection_close(connection, CLOSE_TLS);
        return;
    }
    if (uv_write(&backlog->write, &connection->io.stream, buffers, (unsigned)count, on_written) ==
        0) {
        apply_limits(connection);
        return;
    }
    end_backlog(connection);
    connection_close(connection, CLOSE_MEMORY);
}

static void begin_backlog(struct connection *connection)
{
    struct backlog *backlog = calloc(1, sizeof *backlog);

    if (backlog == NULL) {
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    backlog->net = connection->net;
    backlog->connection = connection;
    backlog->write.data = backlog;
    backlog->since = backlog->seen_at = loop_now(&connection->net->loop);
    connection->backlog = backlog;
    link_backlog(connection->net, backlog);
    /* A client that does not read its answers gets no more of them. */
    if (connection->state == CONNECTION_READING)
        connection_stop_reading(connection);
    continue_backlog(connection);
    if (connection->state == CONNECTION_CLOSED)
        return;
    backlog->seen = taken_by_peer(connection);
    connection_set_deadline(connection);
}

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
        apply_limits(connection);
    return connection->backlog == NULL && connection->state != CONNECTION_CLOSED;
}

/* What became of `length` bytes: how many the socket took, or a negative errno. True when it took
 * all of them. */
static bool take_result(struct connection *connection, ssize_t sent, size_t length)
{
    if (sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK && sent != -EINTR) {
        connection_close(connection, CLOSE_RESET);
        return false;
    }
    if (sent > 0)
        output_consume(&connection->output, (size_t)sent);
    if (sent >= 0 && (size_t)sent == length)
        return true;
    begin_backlog(connection);
    return false;
}

static void end_writing(struct connection *connection)
{
    if (connection->output.length > 0)
        connection_mark(connection); /* others first */
    else
        connection_drained(connection);
}

void connection_write_sealed(struct connection *connection)
{
    if (connection->backlog == NULL && connection_tls(connection)->waiting != NULL)
        begin_backlog(connection);
}

/* Each record as far as the socket takes it. */
static void write_secured(struct connection *connection)
{
    const struct tls_session *session = connection_tls(connection);

    for (int round = 0; round < WRITE_ROUNDS && connection->output.length > 0; round++) {
        if (!seal_oldest(connection)) {
            connection_close(connection, session->is_cut ? CLOSE_RESET : CLOSE_TLS);
            return;
        }
        if (session->waiting != NULL) {
            begin_backlog(connection);
            return;
        }
    }
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

/* One range, which is what an event or a burst of them is; as it is. */
static bool fits_batch(const struct connection *connection)
{
    return !connection->secured && connection->output.length > 0 && connection->output.rest == NULL;
}

/* Leaves those that were added in front, and returns how many. Nothing that is done to one
 * connection here closes another, so what was added stays. */
static size_t add_to_batch(struct send_batch *batch, struct connection **connections, size_t count,
                           size_t *lengths)
{
    size_t added = 0;

    for (size_t i = 0; i < count; i++) {
        struct connection *connection = connections[i];
        const struct frame *range = &connection->output.first;
        if (i + 1 < count)
            __builtin_prefetch(connections[i + 1]);
        if (!begins_writing(connection))
            continue;
        if (!fits_batch(connection) ||
            !send_batch_add(batch, connection->descriptor, frame_bytes(range), range->length)) {
            write_now(connection);
            continue;
        }
        connections[added] = connection;
        lengths[added++] = range->length;
    }
    return added;
}

static void write_together(struct net *net, struct connection **connections, size_t count)
{
    size_t lengths[SEND_BATCH_MOST];

    count = add_to_batch(net->writes.batch, connections, count, lengths);
    int results[SEND_BATCH_MOST];
    if (!send_batch_run(net->writes.batch, results)) {
        message_warning("the kernel takes no more writes in batches: they go one by one");
        send_batch_close(&net->writes.batch);
    }
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count)
            __builtin_prefetch(connections[i + 1]);
        if (connections[i]->state != CONNECTION_CLOSED &&
            take_result(connections[i], results[i], lengths[i]))
            end_writing(connections[i]);
    }
}

void connection_write_all(struct net *net, struct connection **connections, size_t count)
{
    loop_watch_did(&net->loop.watch, LOOP_WRITTEN, count);
    if (net->writes.batch != NULL && count >= WORTH_BATCH) {
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

void connection_relieve_memory(struct net *net)
{
    const struct backlog *oldest;

    while (net->frames.bytes_held > net->config->max_pending_total &&
           (oldest = TAILQ_FIRST(&net->by_backlog)) != NULL)
        connection_close(oldest->connection, CLOSE_SLOW);
}

void connection_relieve_for_others(struct net *net, uint64_t most)
{
    uint64_t now = loop_now(&net->loop);
    const struct backlog *oldest;

    while (net->frames.bytes_held > most && (oldest = TAILQ_FIRST(&net->by_backlog)) != NULL &&
           now - oldest->since >= net->config->soft_time)
        connection_close(oldest->connection, CLOSE_SLOW);
}

uint64_t connection_backlog_bytes(const struct net *net)
{
    return net->backlogs * heap_taken(sizeof(struct backlog)) + net->sealed_bytes;
}

void connection_each_slow(const struct net *net,
                          bool (*visit)(const struct connection *, uint64_t since, void *context),
                          void *context)
{
    const struct backlog *backlog;

    TAILQ_FOREACH(backlog, &net->by_backlog, by_backlog)
    if (!visit(backlog->connection, backlog->since, context))
        return;
}
