#include "streams/stream.h"

/* Half a kilobyte with what the C library adds: the memory of an idle client. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct stream) <= 504, "a stream has grown");

struct stream *stream_of(const struct connection *connection)
{
    return (struct stream *)((uintptr_t)connection - offsetof(struct stream, connection));
}

struct stream *stream_of_subscriber(struct subscriber *subscriber)
{
    return (struct stream *)(void *)((char *)subscriber - offsetof(struct stream, subscriber));
}

struct stream *stream_of_connid_node(struct hash_node *by_connid)
{
    return (struct stream *)(void *)((char *)by_connid - offsetof(struct stream, by_connid));
}
