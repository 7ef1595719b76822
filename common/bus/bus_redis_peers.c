#include "bus/bus_redis_peers.h"

#include <stdlib.h>
#include <string.h>

void redis_peers_free(struct redis_peers *peers)
{
    for (size_t i = 0; i < peers->count; i++)
        free(peers->list[i].url);
    free(peers->list);
    *peers = (struct redis_peers){.lease_ms = peers->lease_ms};
}

void redis_peers_begin(struct redis_peers *peers, uint64_t now_ms)
{
    bool was_away = now_ms - peers->looked_at > peers->lease_ms / 2;
    for (size_t i = 0; i < peers->count; i++) {
        peers->list[i].is_there = false;
        if (was_away)
            peers->list[i].changed_at = now_ms;
    }
    peers->looked_at = now_ms;
}

/* Where it is, or would be. */
static size_t place_of(const struct redis_peers *peers, unsigned node)
{
    size_t low = 0, high = peers->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (peers->list[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct redis_peer *redis_peers_find(const struct redis_peers *peers, unsigned node)
{
    size_t place = place_of(peers, node);
    return place < peers->count && peers->list[place].node == node ? &peers->list[place] : NULL;
}

static struct redis_peer *add_peer(struct redis_peers *peers, unsigned node)
{
    if (peers->count == peers->capacity) {
        size_t capacity = peers->capacity * 2 + 8;
        struct redis_peer *more = reallocarray(peers->list, capacity, sizeof *more);
        if (more == NULL)
            return NULL;
        peers->list = more;
        peers->capacity = capacity;
    }
    struct redis_peer *peer = &peers->list[place_of(peers, node)];
    size_t behind = (size_t)(peers->list + peers->count - peer);
    memmove(peer + 1, peer, behind * sizeof *peer);
    peers->count++;
    *peer = (struct redis_peer){.node = node};
    return peer;
}

void redis_peers_remove(struct redis_peers *peers, struct redis_peer *peer)
{
    size_t behind = (size_t)(peers->list + peers->count - peer) - 1;
    free(peer->url);
    memmove(peer, peer + 1, behind * sizeof *peer);
    peers->count--;
}

struct redis_peer *redis_peers_see(struct redis_peers *peers, unsigned node,
                                   const struct redis_record *record, uint64_t now_ms)
{
    char *url = strdup(record->url);
    struct redis_peer *peer = redis_peers_find(peers, node);
    if (url == NULL || (peer == NULL && (peer = add_peer(peers, node)) == NULL)) {
        free(url);
        return NULL;
    }
    char *old_url = peer->url;
    if (peer->record.boot != record->boot)
        *peer = (struct redis_peer){.node = node};
    if (peer->changed_at == 0 || peer->record.counter != record->counter)
        peer->changed_at = now_ms;
    peer->owed = peer->record.notes;
    peer->record = *record;
    peer->record.url = peer->url = url;
    peer->is_there = true;
    free(old_url);
    return peer;
}

bool redis_peers_live(const struct redis_peers *peers, const struct redis_peer *peer,
                      uint64_t now_ms)
{
    uint64_t most_ms = peers->lease_ms / REDIS_RENEWALS * REDIS_GONE_RENEWALS;
    return peer->is_there && now_ms < peer->changed_at + most_ms;
}
