#include "requests/piecewise_answer.h"

#include "config/config.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/request_reader.h"
#include "requests/service.h"
#include "streams/stream.h"

#include <stdio.h>

void piecewise_answers_open(struct piecewise_answers *answers)
{
    TAILQ_INIT(&answers->ready);
}

static struct piecewise_answer *answer_of(const struct connection *connection)
{
    return stream_of(connection)->transport_state;
}

static void set_ready(struct piecewise_answer *answer, bool is_ready)
{
    struct piecewise_answers *answers = service_of(answer->connection)->answers;

    if (answer->is_ready == is_ready)
        return;
    answer->is_ready = is_ready;
    if (is_ready)
        TAILQ_INSERT_TAIL(&answers->ready, answer, by_turn);
    else
        TAILQ_REMOVE(&answers->ready, answer, by_turn);
}

static void free_answer(struct connection *connection)
{
    struct piecewise_answer *answer = answer_of(connection);

    set_ready(answer, false);
    stream_of(connection)->transport_state = NULL;
    bytes_free(&answer->piece);
    answer->kind->free(answer);
}

/* ---- pieces ---- */

static bool queue_piece(struct piecewise_answer *answer)
{
    struct connection *connection = answer->connection;
    struct bytes *piece = &answer->piece;
    size_t length = piece->length;
    char head[24];
    int head_length = answer->chunked ? snprintf(head, sizeof head, "%zx\r\n", length) : 0;

    if (piece->failed)
        return false;
    if (length == 0)
        return true;
    if ((head_length > 0 && !connection_queue_bytes(connection, head, (size_t)head_length)) ||
        !connection_queue_bytes(connection, piece->data, length) ||
        (answer->chunked && !connection_queue_bytes(connection, "\r\n", 2)))
        return false;
    bytes_clear(piece);
    return true;
}

static bool end_answer(struct piecewise_answer *answer)
{
    struct connection *connection = answer->connection;

    if (!queue_piece(answer) ||
        (answer->chunked && !connection_queue_bytes(connection, "0\r\n\r\n", 5)))
        return false;
    free_answer(connection);
    connection->user = &request_reader_user;
    (void)connection_start_reading(connection);
    connection_end_writing(connection, CLOSE_DONE);
    return true;
}

void piecewise_answers_run(struct service *service)
{
    struct piecewise_answer *first = TAILQ_FIRST(&service->answers->ready);

    if (first == NULL)
        return;
    struct connection *connection = first->connection;
    set_ready(first, false);
    bool is_whole = first->kind->write(first);
    if (!(is_whole ? end_answer(first) : queue_piece(first)))
        connection_close(connection, CLOSE_MEMORY);
    else if (!is_whole && connection->output.length == 0)
        set_ready(first, true); /* there was nothing to write */
}

bool piecewise_answers_can_go_on(const struct service *service)
{
    return !TAILQ_EMPTY(&service->answers->ready);
}

static bool queue_head(struct connection *connection, const struct http_request *request)
{
    return http_reply_stream_head(connection, request, "application/json;charset=utf-8");
}

void piecewise_answer_head(struct connection *connection, const struct http_request *request)
{
    if (queue_head(connection, request))
        connection_end_answer(connection, connection->keep_alive);
    else
        connection_close(connection, CLOSE_MEMORY);
}

/* ---- its connection ---- */

/* Behind the request in the same bytes: what is thrown away may have been another one. */
static void answer_input(struct connection *connection, const char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    connection->dirty_input = true;
    connection->keep_alive = false;
}

static uint64_t answer_deadline(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->soft_time;
}

static void answer_due(struct connection *connection)
{
    struct piecewise_answer *answer = answer_of(connection);
    bool moved = connection_has_moved(connection) || answer->has_moved;

    answer->has_moved = false;
    if (connection->backlog != NULL && !moved)
        connection_close(connection, CLOSE_SLOW);
    else
        connection_set_deadline(connection);
}

static void answer_drained(struct connection *connection)
{
    answer_of(connection)->has_moved = true;
    set_ready(answer_of(connection), true);
}

/* It is over soon, or its time is. */
static void answer_stop(struct connection *connection)
{
    (void)connection;
}

static const struct connection_user answer_user = {.input = answer_input,
                                                   .deadline = answer_deadline,
                                                   .due = answer_due,
                                                   .drained = answer_drained,
                                                   .stop = answer_stop,
                                                   .left = free_answer};

void piecewise_answer_begin(struct connection *connection, const struct http_request *request,
                            struct piecewise_answer *answer, const struct piecewise_kind *kind)
{
    answer->kind = kind;
    answer->connection = connection;
    answer->chunked = http_request_is_1_1(request);
    stream_of(connection)->transport_state = answer;
    if (!queue_head(connection, request)) {
        free_answer(connection);
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    connection->user = &answer_user;
    connection->state = CONNECTION_STREAMING;
    /* What follows is the next request; and who has said all it wants to say is answered. */
    connection_stop_reading(connection);
    connection_set_deadline(connection);
}
