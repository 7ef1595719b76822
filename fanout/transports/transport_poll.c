/* Long-poll: POST /poll is answered when there is an event or the time is over. Nothing is written
 * before, so the answer has a length and passes proxies that buffer. */
#include "bytes.h"
#include "events/replay.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "requests/service.h"
#include "requests/subscription_request.h"
#include "saved_state.h"
#include "streams/stream.h"
#include "transports/transports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The comma before the first one is dropped in the end. */
static bool encode_element(struct frame_pool *pool, int kind, bool chunked,
                           const struct frame_text *text, struct frame *out)
{
    return transport_store(pool, kind, chunked, ",", 1, text, "", out);
}

/* What the answer begins with. */
struct opening {
    size_t allowed; /* header lines that say whose pages may read it, then ... */
    size_t length;  /* ... frames that every stream begins with. They wait here: an event ends the
                       waiting. */
    char bytes[];
};

static bool open_answer(struct connection *connection, const struct http_request *request)
{
    struct bytes allowed = BYTES_EMPTY;

    connection->keep_alive = http_request_keep_alive(request);
    http_reply_append_allowed(&allowed, connection, request);
    struct opening *opening = malloc(sizeof *opening + allowed.length);
    bool opened = opening != NULL && !allowed.failed;
    stream_of(connection)->transport_state = opening;
    if (opened) {
        *opening = (struct opening){.allowed = allowed.length};
        memcpy(opening->bytes, allowed.data, allowed.length);
    }
    bytes_free(&allowed);
    return opened;
}

static bool keep_poll_alive(struct connection *connection)
{
    (void)connection; /* it waits for a single answer, with a limit of its own */
    return true;
}

static bool set_opening_aside(struct connection *connection)
{
    struct output *output = &connection->output;
    struct opening *former = stream_of(connection)->transport_state;
    struct opening *opening =
        realloc(former, sizeof *opening + former->allowed + former->length + output->length);

    if (opening == NULL)
        return false;
    stream_of(connection)->transport_state = opening;
    struct iovec vector;
    while (output_gather(output, &vector, 1) == 1) {
        memcpy(opening->bytes + opening->allowed + opening->length, vector.iov_base,
               vector.iov_len);
        opening->length += vector.iov_len;
        output_consume(output, vector.iov_len);
    }
    return true;
}

static void forget_opening(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    free(stream->transport_state);
    stream->transport_state = NULL;
}

/* Queues {"events": [first frames, events], "id": where the next poll goes on}. */
static bool queue_answer(struct connection *connection, struct output *events)
{
    static const char head[] = "{\"events\":[";
    const struct service *service = service_of(connection);
    const struct stream *stream = stream_of(connection);
    const struct opening *opening = stream->transport_state;
    struct bytes tail = BYTES_EMPTY;

    bytes_append_text(&tail, "],\"id\":\"");
    event_log_write_id(service->log, replay_position(service->replays, stream), &tail);
    bytes_append_text(&tail, "\"}");
    bool queued = !tail.failed &&
                  http_reply_json_head(connection, opening->bytes, opening->allowed,
                                       sizeof head - 1 + opening->length - 1 + events->length +
                                           tail.length) &&
                  connection_queue_bytes(connection, head, sizeof head - 1) &&
                  connection_queue_bytes(connection, opening->bytes + opening->allowed + 1,
                                         opening->length - 1) &&
                  output_join(&connection->output, events) &&
                  connection_queue_bytes(connection, tail.data, tail.length);
    bytes_free(&tail);
    return queued;
}

static bool end_poll(struct connection *connection, enum close_reason reason)
{
    struct output events = connection->output;

    (void)reason;
    connection->output = (struct output){0};
    bool queued = queue_answer(connection, &events);
    output_clear(&events);
    return queued;
}

static void save_opening(const struct connection *connection, struct saved_writer *writer)
{
    const struct opening *opening = stream_of(connection)->transport_state;

    saved_put(writer, opening->allowed);
    saved_put_bytes(writer, opening->bytes, opening->allowed + opening->length);
}

/* It begins with a comma, which queue_answer() drops. */
static bool load_opening(struct connection *connection, struct saved_reader *reader)
{
    size_t length;
    uint64_t allowed = saved_take(reader);
    const char *bytes = saved_take_bytes(reader, &length);
    struct opening *opening =
        !reader->failed && allowed < length ? malloc(sizeof *opening + length) : NULL;

    if (opening == NULL)
        return false;
    *opening = (struct opening){.allowed = (size_t)allowed, .length = length - (size_t)allowed};
    memcpy(opening->bytes, bytes, length);
    stream_of(connection)->transport_state = opening;
    return true;
}

const struct transport transport_poll = {.name = "poll",
                                         .encoding = FRAME_POLL,
                                         .reusable = true,
                                         .answers_once = true,
                                         .encode = encode_element,
                                         .open = open_answer,
                                         .begun = set_opening_aside,
                                         .keep_alive = keep_poll_alive,
                                         .end = end_poll,
                                         .forget_state = forget_opening,
                                         .save = save_opening,
                                         .load = load_opening};

/* What waits to be written when a poll begins would count as its events. */
void transport_poll_answer(struct connection *connection, const struct http_request *request)
{
    if (connection->output.length > 0 && connection->backlog == NULL)
        connection_write_all(connection->net, &connection, 1);
    if (connection->state != CONNECTION_READING)
        return;
    if (connection->output.length > 0) { /* it does not take the answers it has */
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    subscription_request_answer(connection, request, &transport_poll);
}
