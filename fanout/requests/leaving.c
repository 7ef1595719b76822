#include "requests/leaving.h"

#include "net/connection.h"
#include "requests/service.h"
#include "streams/held_topics.h"
#include "streams/stream.h"
#include "streams/streams.h"

#include <stdlib.h>

enum { AT_ONCE = 32 /* topics */ };

struct leaving_stream {
    TAILQ_ENTRY(leaving_stream) by_age;
    struct stream *stream;
};

void leaving_open(struct leaving_streams *leaving)
{
    TAILQ_INIT(&leaving->queue);
}

static bool clear_some(struct service *service, struct stream *stream, uint32_t most)
{
    uint32_t count = stream->subscriber.count;

    loop_watch_did(&service->net->loop.watch, LOOP_LEFT, count < most ? count : most);
    return held_topics_clear_some(service->streams->topics, &stream->subscriber, most);
}

void leaving_begin(struct stream *stream)
{
    struct service *service = service_of(&stream->connection);
    struct leaving_stream *entry =
        stream->subscriber.count > AT_ONCE ? calloc(1, sizeof *entry) : NULL;

    if (entry == NULL) {
        (void)clear_some(service, stream, UINT32_MAX);
        return;
    }
    entry->stream = stream;
    stream->leaving = entry;
    TAILQ_INSERT_TAIL(&service->leaving->queue, entry, by_age);
    service->leaving->count++;
    connection_outlive(&stream->connection);
}

static void forget_entry(struct service *service, struct leaving_stream *entry)
{
    struct stream *stream = entry->stream;

    TAILQ_REMOVE(&service->leaving->queue, entry, by_age);
    service->leaving->count--;
    free(entry);
    stream->leaving = NULL;
    connection_release(&stream->connection);
}

void leaving_finish(struct stream *stream)
{
    struct service *service = service_of(&stream->connection);

    if (!stream->connection.outlived)
        return;
    (void)clear_some(service, stream, UINT32_MAX);
    forget_entry(service, stream->leaving);
}

bool leaving_run(struct service *service)
{
    struct loop_watch *watch = &service->net->loop.watch;

    loop_watch_begin_slice(watch);
    while (!TAILQ_EMPTY(&service->leaving->queue) && loop_watch_has_time(watch)) {
        struct leaving_stream *oldest = TAILQ_FIRST(&service->leaving->queue);
        if (clear_some(service, oldest->stream, AT_ONCE))
            forget_entry(service, oldest);
    }
    return !TAILQ_EMPTY(&service->leaving->queue);
}

void leaving_finish_all(struct service *service)
{
    while (!TAILQ_EMPTY(&service->leaving->queue)) {
        struct leaving_stream *oldest = TAILQ_FIRST(&service->leaving->queue);
        (void)clear_some(service, oldest->stream, UINT32_MAX);
        forget_entry(service, oldest);
    }
}
