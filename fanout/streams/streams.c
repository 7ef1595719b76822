#include "streams/streams.h"

#include <stdlib.h>
#include <string.h>

bool streams_open(struct streams *streams, uint64_t topics_seed, uint64_t presence_seed)
{
    bool opened = true;

    departed_open(&streams->departed);
    poll_gap_open(&streams->polls);
    streams->presence.seed = presence_seed;
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        opened = topic_index_open(&streams->topics[kind], topics_seed) && opened;
    return opened;
}

void streams_close(struct streams *streams)
{
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_index_close(&streams->topics[kind]);
    departed_free(&streams->departed);
    poll_gap_free(&streams->polls);
    stream_secrets_close(&streams->secrets);
    presence_free(&streams->presence);
    hash_table_free(&streams->by_connid);
}

struct stream *streams_find(const struct streams *streams, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&streams->by_connid, connid);

    return node != NULL ? stream_of_connid_node(node) : NULL;
}

struct stream_identity *stream_identity_new(const char *user, const char *sid)
{
    if (sid == NULL)
        sid = "";
    size_t length = strlen(user);
    struct stream_identity *identity = malloc(sizeof *identity + length + strlen(sid) + 2);
    if (identity == NULL)
        return NULL;
    identity->until = UINT64_MAX;
    identity->until_wall_ms = 0;
    identity->user_length = length;
    memcpy(identity->user, user, length + 1);
    memcpy(identity->user + length + 1, sid, strlen(sid) + 1);
    return identity;
}
