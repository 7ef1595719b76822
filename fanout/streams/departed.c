#include "streams/departed.h"

#include "saved_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FORGOTTEN_AT_ONCE = 64 /* more than come: so they never heap up */ };

struct departed_stream {
    struct hash_node by_connid;
    TAILQ_ENTRY(departed_stream) by_age;
    struct stream_identity *identity; /* NULL: unbound */
    uint64_t left_at_ms;
    struct presence_heard heard;
    unsigned char secret[STREAM_SECRET_SIZE];
};

static struct departed_stream *departed_stream_of(struct hash_node *node)
{
    return (struct departed_stream *)(void *)((char *)node -
                                              offsetof(struct departed_stream, by_connid));
}

static void forget_stream(struct departed *departed, struct departed_stream *stream)
{
    TAILQ_REMOVE(&departed->by_age, stream, by_age);
    hash_table_remove(&departed->by_connid, &stream->by_connid);
    stream_identity_free(stream->identity);
    free(stream);
}

static bool is_over(const struct departed *departed, const struct departed_stream *stream,
                    uint64_t now_ms)
{
    return now_ms - stream->left_at_ms > departed->max_age_ms;
}

/* After a crowd and a silence many are over at once: a few with each one that comes or goes. */
static void forget_some(struct departed *departed, uint64_t now_ms)
{
    struct departed_stream *oldest;

    for (int i = 0;
         i < FORGOTTEN_AT_ONCE && (oldest = TAILQ_FIRST(&departed->by_age)) != NULL &&
         (departed->by_connid.count > departed->max_count || is_over(departed, oldest, now_ms));
         i++)
        forget_stream(departed, oldest);
}

void departed_open(struct departed *departed)
{
    TAILQ_INIT(&departed->by_age);
}

static bool remember_stream(struct departed *departed, uint64_t connid,
                            const unsigned char secret[STREAM_SECRET_SIZE],
                            struct stream_identity *identity, uint64_t now_ms)
{
    struct departed_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL || !hash_table_add(&departed->by_connid, &stream->by_connid, connid)) {
        free(stream);
        return false;
    }
    memcpy(stream->secret, secret, sizeof stream->secret);
    stream->identity = identity;
    stream->left_at_ms = now_ms;
    TAILQ_INSERT_TAIL(&departed->by_age, stream, by_age);
    return true;
}

void departed_add(struct departed *departed, uint64_t connid,
                  const unsigned char secret[STREAM_SECRET_SIZE], struct stream_identity *identity,
                  uint64_t now_ms)
{
    forget_some(departed, now_ms);
    if (identity != NULL) {
        identity->stream = NULL;
        identity->connid = connid;
    }
    if (departed->max_count == 0 || departed->max_age_ms == 0 ||
        !remember_stream(departed, connid, secret, identity, now_ms))
        stream_identity_free(identity);
}

void departed_note_heard(struct departed *departed, uint64_t connid, struct presence_heard heard)
{
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);

    if (node != NULL)
        departed_stream_of(node)->heard = heard;
}

struct presence_heard departed_heard(const struct departed *departed, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);

    return node != NULL ? departed_stream_of(node)->heard : (struct presence_heard){0};
}

void departed_forget(struct departed *departed, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);

    if (node != NULL)
        forget_stream(departed, departed_stream_of(node));
}

bool departed_take(struct departed *departed, const struct stream_secrets *secrets, uint64_t connid,
                   const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    forget_some(departed, now_ms);
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);
    bool same = node != NULL && !is_over(departed, departed_stream_of(node), now_ms) &&
                stream_secrets_count(secrets, connid, departed_stream_of(node)->secret, secret);
    if (same)
        forget_stream(departed, departed_stream_of(node));
    return same;
}

const unsigned char *departed_secret(const struct departed *departed, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&departed->by_connid, connid);

    return node != NULL ? departed_stream_of(node)->secret : NULL;
}

void departed_free(struct departed *departed)
{
    while (!TAILQ_EMPTY(&departed->by_age))
        forget_stream(departed, TAILQ_FIRST(&departed->by_age));
    hash_table_free(&departed->by_connid);
}

uint64_t departed_bytes(const struct departed *departed)
{
    return hash_table_bytes_with(&departed->by_connid, sizeof(struct departed_stream));
}

void departed_save_one(struct saved_writer *writer, uint64_t connid,
                       const unsigned char secret[STREAM_SECRET_SIZE],
                       const struct stream_identity *identity, struct presence_heard heard,
                       uint64_t left_at_ms)
{
    saved_put(writer, connid);
    saved_put_bytes(writer, secret, STREAM_SECRET_SIZE);
    stream_identity_save(identity, writer);
    saved_put(writer, heard.is_poll);
    saved_put(writer, heard.before_is_known);
    saved_put(writer, heard.before);
    saved_put(writer, heard.through);
    saved_put(writer, left_at_ms);
}

void departed_save(const struct departed *departed, struct saved_writer *writer)
{
    const struct departed_stream *stream;

    TAILQ_FOREACH(stream, &departed->by_age, by_age)
    departed_save_one(writer, stream->by_connid.hash, stream->secret, stream->identity,
                      stream->heard, stream->left_at_ms);
}

bool departed_load(struct departed *departed, struct identities *identities,
                   struct saved_reader *reader)
{
    unsigned char secret[STREAM_SECRET_SIZE];

    while (reader->at < reader->end) {
        struct stream_identity *identity;
        uint64_t connid = saved_take(reader);
        saved_take_exactly(reader, secret, sizeof secret);
        if (!identities_load(identities, reader, &identity))
            return false;
        struct presence_heard heard = {.is_poll = saved_take_within(reader, 1) != 0,
                                       .before_is_known = saved_take_within(reader, 1) != 0};
        heard.before = (uint32_t)saved_take_within(reader, UINT32_MAX);
        heard.through = (uint32_t)saved_take_within(reader, UINT32_MAX);
        uint64_t left_at_ms = saved_take(reader);
        if (reader->failed || hash_table_find(&departed->by_connid, connid) != NULL) {
            stream_identity_free(identity);
            continue;
        }
        departed_add(departed, connid, secret, identity, left_at_ms);
        departed_note_heard(departed, connid, heard);
    }
    return !reader->failed;
}
