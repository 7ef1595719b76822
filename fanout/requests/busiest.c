#include "requests/busiest.h"

#include "events/busy_topics.h"
#include "events/delivery.h"
#include "net/connection.h"
#include "requests/service.h"
#include "streams/stream.h"

enum { SLOW_MOST = 20 };

/* A name that was cut in the middle of a character is shown without it. */
static json_t *name_of(const struct busy_topic *topic)
{
    json_t *name = NULL;

    for (size_t length = topic->length; name == NULL && length + 4 > topic->length; length--)
        name = json_stringn(topic->name, length);
    return name != NULL ? name : json_string("?");
}

json_t *busiest_topics(const struct service *service)
{
    const struct busy_topic *list[BUSY_TOPICS];
    size_t count = busy_topics_list(&service->delivery->busy, list);
    json_t *topics = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(topics,
                                    json_pack("{s:o, s:f, s:I}", "topic", name_of(list[i]), "rate",
                                              (double)list[i]->rate / BUSY_TOPICS_SCALE,
                                              "receivers", (json_int_t)list[i]->receivers));
    return topics;
}

struct slow_list {
    json_t *streams;
    uint64_t now;
};

static bool add_slow(const struct connection *connection, uint64_t since, void *context)
{
    struct slow_list *list = context;
    const struct stream *stream = stream_of(connection);
    char address[COUNTED_ADDRESS_TEXT_SIZE];

    (void)json_array_append_new(
        list->streams,
        json_pack("{s:I, s:s, s:I, s:I}", "connid", (json_int_t)stream->connid, "address",
                  counted_address_write(connection_address(connection), address), "pending_bytes",
                  (json_int_t)connection->output.length, "ms", (json_int_t)(list->now - since)));
    return json_array_size(list->streams) < SLOW_MOST;
}

json_t *slowest_streams(const struct service *service)
{
    struct slow_list list = {.streams = json_array(), .now = loop_now(&service->net->loop)};

    connection_each_slow(service->net, add_slow, &list);
    return list.streams;
}
