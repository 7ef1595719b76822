#include "streams/departed.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct departed_stream {
    struct hash_node by_connid;
    struct departed_stream *newer, *older;
    uint64_t left_at_ms;
    unsigned char secret[STREAM_SECRET_SIZE];
};

static struct departed_stream *stream_of(struct hash_node *node)
{
    return (struct departed_stream *)(void *)((char *)node -
                                              offsetof(struct departed_stream, by_connid));
}

static void forget(struct departed *departed, struct departed_stream *stream)
{
    if (stream->older != NULL)
        stream->older->newer = stream->newer;
    else
        departed->oldest = stream->newer;
    if (stream->newer != NULL)
        stream->newer->older = stream->older;
    else
        departed->newest = stream->older;
    hash_table_remove(&departed->by_connid, &stream->by_connid);
    free(stream);
}

static void forget_old(struct departed *departed, uint64_t now_ms)
{
    while (departed->oldest != NULL &&
           (departed->by_connid.count > departed->max_count ||
            now_ms - departed->oldest->left_at_ms > departed->max_age_ms))
        forget(departed, departed->oldest);
}

void departed_add(struct departed *departed, uint64_t connid,
                  const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    forget_old(departed, now_ms);
    if (departed->max_count == 0 || departed->max_age_ms == 0)
        return;
    struct departed_stream *stream;
    stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return;
    if (!hash_table_add(&departed->by_connid, &stream->by_connid, connid)) {
        free(stream);
        return;
    }
    memcpy(stream->secret, secret, sizeof stream->secret);
    stream->left_at_ms = now_ms;
    stream->older = departed->newest;
    if (departed->newest != NULL)
        departed->newest->newer = stream;
    else
        departed->oldest = stream;
    departed->newest = stream;
}

bool departed_take(struct departed *departed, const struct stream_secrets *secrets, uint64_t connid,
                   const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    forget_old(departed, now_ms);
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);
    bool same =
        node != NULL && stream_secrets_count(secrets, connid, stream_of(node)->secret, secret);
    if (same)
        forget(departed, stream_of(node));
    return same;
}

void departed_free(struct departed *departed)
{
    while (departed->oldest != NULL)
        forget(departed, departed->oldest);
    hash_table_free(&departed->by_connid);
}
