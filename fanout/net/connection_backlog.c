/* A slow client's rest, which the loop writes when the socket takes more. Only slow clients have a
 * backlog; limits for them are applied here. */
#include "net/backlog.h"

#include "heap.h"
#include "net/connection.h"
#include "net/tls_output.h"

#include <stdlib.h>
#include <sys/ioctl.h>

enum { WRITE_RANGES = 64, SEALED_RECORDS = 4 };

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

void backlog_apply_limits(struct connection *connection)
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

/* For one write of the loop. False: nothing can be sent any more. */
static bool seal_for_loop(struct connection *connection)
{
    struct tls_session *session = connection_tls(connection);
    struct backlog *backlog = connection->backlog;
    bool sealed = true;

    session->destination = TLS_TO_WAITING;
    for (int i = 0; sealed && i < SEALED_RECORDS && connection->output.length > 0; i++)
        sealed = tls_output_seal(&connection->output, session);
    session->destination = TLS_TO_SOCKET;
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
        backlog_apply_limits(connection);
        return;
    }
    end_backlog(connection);
    connection_close(connection, CLOSE_MEMORY);
}

void backlog_begin(struct connection *connection)
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

void connection_write_sealed(struct connection *connection)
{
    if (connection->backlog == NULL && connection_tls(connection)->waiting != NULL)
        backlog_begin(connection);
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
