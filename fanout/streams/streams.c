#include "streams/streams.h"

#include "clock.h"
#include "heap.h"

#include <stdlib.h>

bool streams_open(struct streams *streams, const struct streams_seeds *seeds)
{
    bool opened = true;

    departed_open(&streams->departed);
    poll_gap_open(&streams->polls);
    streams->presence.seed = seeds->presence;
    streams->identities.seed = seeds->identities;
    revocations_open(&streams->revocations, seeds->revocations);
    reports_open(&streams->reports, seeds->reports);
    decisions_open(&streams->decisions, clock_wall_ms());
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        opened = topic_index_open(&streams->topics[kind], seeds->topics) && opened;
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
    identities_close(&streams->identities);
    revocations_free(&streams->revocations);
    reports_close(&streams->reports);
    decisions_close(&streams->decisions);
    hash_table_free(&streams->by_connid);
}

struct stream *streams_find(const struct streams *streams, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&streams->by_connid, connid);

    return node != NULL ? stream_of_connid_node(node) : NULL;
}

void streams_bar(struct streams *streams, uint64_t connid, uint64_t now_ms)
{
    departed_forget(&streams->departed, connid);
    if (streams->secrets.is_shared)
        (void)stream_secrets_refuse(&streams->secrets, connid, now_ms);
}

static uint64_t headers_bytes(const struct kept_headers *headers)
{
    return headers != NULL ? heap_taken(sizeof *headers + headers->length) : 0;
}

void streams_keep_headers(struct streams *streams, struct stream *stream,
                          struct kept_headers *headers)
{
    stream->headers = headers;
    streams->headers_bytes += headers_bytes(headers);
}

void streams_forget_headers(struct streams *streams, struct stream *stream)
{
    streams->headers_bytes -= headers_bytes(stream->headers);
    free(stream->headers);
    stream->headers = NULL;
}

uint64_t streams_bytes(const struct streams *streams)
{
    uint64_t subscriptions = 0;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        subscriptions += streams->topics[kind].subscriptions;
    return hash_table_bytes(&streams->by_connid) + streams->headers_bytes +
           identities_bytes(&streams->identities) +
           heap_taken_by_many(streams->by_connid.count,
                              subscriptions * sizeof(struct subscription));
}
