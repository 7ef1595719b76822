#include "streams/presence_shares.h"

#include "big_endian.h"
#include "heap.h"
#include "saved_state.h"
#include "streams/presence.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASK_AGAIN_MS = 1000,
    INSTANCES_MOST = 1 << 22 /* what all daemons say of a client id together stays below 2^32 */
};

struct presence_share {
    struct hash_node by_key;
    TAILQ_ENTRY(presence_share) by_peer;
    uint32_t generation;
    uint32_t instances;
    uint32_t length;
    uint16_t node;
    char clid[];
};

/* ---- shares ---- */

static struct presence_share *share_of_node(struct hash_node *by_key)
{
    return (struct presence_share *)(void *)((char *)by_key -
                                             offsetof(struct presence_share, by_key));
}

static uint64_t hash_of(const struct presence_shares *shares, unsigned node, const char *clid,
                        size_t length)
{
    return hash_bytes(shares->seed + node, clid, length);
}

static struct presence_share *find_share(const struct presence_shares *shares, unsigned node,
                                         const char *clid, size_t length)
{
    struct hash_node *found = hash_table_find(&shares->by_key, hash_of(shares, node, clid, length));

    for (; found != NULL; found = hash_table_find_next(found)) {
        struct presence_share *share = share_of_node(found);
        if (share->node == node && share->length == length &&
            memcmp(share->clid, clid, length) == 0)
            return share;
    }
    return NULL;
}

static struct presence_share *add_share(struct presence_shares *shares, unsigned node,
                                        const char *clid, size_t length)
{
    struct presence_share *share = calloc(1, sizeof *share + length);

    if (share == NULL)
        return NULL;
    share->node = (uint16_t)node;
    share->length = (uint32_t)length;
    share->generation = shares->peers[node]->generation;
    memcpy(share->clid, clid, length);
    if (!hash_table_add(&shares->by_key, &share->by_key, hash_of(shares, node, clid, length))) {
        free(share);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&shares->peers[node]->shares, share, by_peer);
    shares->bytes += sizeof *share + length;
    return share;
}

static void forget_share(struct presence_shares *shares, struct presence_share *share)
{
    TAILQ_REMOVE(&shares->peers[share->node]->shares, share, by_peer);
    hash_table_remove(&shares->by_key, &share->by_key);
    shares->bytes -= sizeof *share + share->length;
    free(share);
}

/* ---- peers ---- */

static bool has_old_ones(const struct presence_peer *peer)
{
    const struct presence_share *first = TAILQ_FIRST(&peer->shares);

    return first != NULL && (int32_t)(first->generation - peer->swept_before) < 0;
}

static void want_table(struct presence_shares *shares, struct presence_peer *peer)
{
    shares->wanted += !peer->wants;
    peer->wants = true;
    peer->hears = false;
    peer->asked_at_ms = 0;
}

static void have_table(struct presence_shares *shares, struct presence_peer *peer)
{
    shares->wanted -= peer->wants;
    peer->wants = peer->hears = false;
}

/* What was heard before this generation is to go. */
static void begin_sweep(struct presence_shares *shares, struct presence_peer *peer)
{
    shares->unswept -= has_old_ones(peer);
    peer->swept_before = peer->generation;
    shares->unswept += has_old_ones(peer);
}

/* NULL without memory, or for a node that cannot be. */
static struct presence_peer *make_peer(struct presence_shares *shares, unsigned node)
{
    if (node >= PRESENCE_SHARE_NODES)
        return NULL;
    if (shares->peers[node] != NULL)
        return shares->peers[node];
    struct presence_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    TAILQ_INIT(&peer->shares);
    shares->peers[node] = peer;
    return peer;
}

/* NULL: it is not there by what was said of it, so its words are of before. */
static struct presence_peer *find_living(const struct presence_shares *shares, unsigned node)
{
    struct presence_peer *peer = node < PRESENCE_SHARE_NODES ? shares->peers[node] : NULL;

    return peer != NULL && peer->lives ? peer : NULL;
}

/* ---- hearing ---- */

/* False without memory. */
static bool set_share(struct presence_shares *shares, unsigned node, const char *clid,
                      size_t length, uint32_t instances)
{
    struct presence_peer *peer = shares->peers[node];
    struct presence_share *share = find_share(shares, node, clid, length);
    uint32_t before = share != NULL ? share->instances : 0;

    if (instances > INSTANCES_MOST)
        instances = INSTANCES_MOST;
    if (share == NULL && instances > 0)
        share = add_share(shares, node, clid, length);
    if (share == NULL)
        return instances == 0;
    if (before != instances &&
        !presence_count_others(shares->presence, clid, length, before, instances)) {
        if (before == 0)
            forget_share(shares, share);
        return false;
    }
    bool were_old = has_old_ones(peer);
    share->instances = instances;
    share->generation = peer->generation;
    if (instances == 0) {
        forget_share(shares, share);
    } else {
        TAILQ_REMOVE(&peer->shares, share, by_peer);
        TAILQ_INSERT_TAIL(&peer->shares, share, by_peer);
    }
    shares->unswept -= were_old && !has_old_ones(peer);
    return true;
}

static bool hear_entries(struct presence_shares *shares, unsigned node, const char *text,
                         size_t length)
{
    while (length >= PRESENCE_SHARE_HEAD) {
        size_t clid_length = big_endian_read(text, 2);
        uint32_t instances = (uint32_t)big_endian_read(text + 2, 4);
        text += PRESENCE_SHARE_HEAD;
        length -= PRESENCE_SHARE_HEAD;
        if (clid_length > length || !set_share(shares, node, text, clid_length, instances))
            return false;
        text += clid_length;
        length -= clid_length;
    }
    return length == 0;
}

void presence_shares_hear_changes(struct presence_shares *shares, unsigned node, const char *text,
                                  size_t length)
{
    struct presence_peer *peer = find_living(shares, node);

    if (peer != NULL && !hear_entries(shares, node, text, length))
        want_table(shares, peer);
}

void presence_shares_hear_table(struct presence_shares *shares, unsigned node, const char *text,
                                size_t length)
{
    struct presence_peer *peer = find_living(shares, node);

    if (peer == NULL || !peer->wants || length == 0)
        return;
    if ((text[0] & PRESENCE_TABLE_BEGINS) != 0) {
        peer->generation++;
        peer->hears = true;
    }
    if (!peer->hears)
        return;
    if (!hear_entries(shares, node, text + 1, length - 1)) {
        want_table(shares, peer);
    } else if ((text[0] & PRESENCE_TABLE_ENDS) != 0) {
        have_table(shares, peer);
        begin_sweep(shares, peer);
    }
}

void presence_shares_want(struct presence_shares *shares, unsigned node)
{
    struct presence_peer *peer = make_peer(shares, node);

    if (peer == NULL)
        return;
    shares->living += !peer->lives;
    peer->lives = true;
    want_table(shares, peer);
}

void presence_shares_forget(struct presence_shares *shares, unsigned node)
{
    struct presence_peer *peer = node < PRESENCE_SHARE_NODES ? shares->peers[node] : NULL;

    if (peer == NULL)
        return;
    have_table(shares, peer);
    shares->living -= peer->lives;
    peer->lives = false;
    peer->generation++;
    begin_sweep(shares, peer);
}

void presence_shares_forget_unheard(struct presence_shares *shares)
{
    for (unsigned node = 0; node < PRESENCE_SHARE_NODES; node++)
        if (shares->peers[node] != NULL && !shares->peers[node]->lives)
            presence_shares_forget(shares, node);
}

size_t presence_shares_ask(struct presence_shares *shares, uint64_t now_ms, unsigned *nodes,
                           size_t most)
{
    size_t count = 0;

    for (unsigned node = 0, left = shares->wanted; left > 0 && node < PRESENCE_SHARE_NODES;
         node++) {
        struct presence_peer *peer = shares->peers[node];
        if (peer == NULL || !peer->wants)
            continue;
        left--;
        if (count == most || (peer->asked_at_ms != 0 && now_ms - peer->asked_at_ms < ASK_AGAIN_MS))
            continue;
        peer->asked_at_ms = now_ms;
        peer->hears = false;
        nodes[count++] = node;
    }
    return count;
}

/* ---- going ---- */

/* False when it has none left that are to go. */
static bool sweep_one(struct presence_shares *shares, struct presence_peer *peer)
{
    struct presence_share *share = TAILQ_FIRST(&peer->shares);

    if (!has_old_ones(peer))
        return false;
    (void)presence_count_others(shares->presence, share->clid, share->length, share->instances, 0);
    forget_share(shares, share);
    shares->unswept -= !has_old_ones(peer);
    return true;
}

bool presence_shares_sweep(struct presence_shares *shares, size_t most)
{
    for (unsigned node = 0; shares->unswept > 0 && node < PRESENCE_SHARE_NODES; node++) {
        struct presence_peer *peer = shares->peers[node];
        if (peer == NULL)
            continue;
        while (most > 0 && sweep_one(shares, peer))
            most--;
    }
    return shares->unswept == 0;
}

/* ---- all ---- */

void presence_shares_open(struct presence_shares *shares, struct presence *presence, uint64_t seed)
{
    shares->presence = presence;
    shares->seed = seed;
}

void presence_shares_close(struct presence_shares *shares)
{
    for (unsigned node = 0; node < PRESENCE_SHARE_NODES; node++) {
        struct presence_peer *peer = shares->peers[node];
        struct presence_share *share;
        while (peer != NULL && (share = TAILQ_FIRST(&peer->shares)) != NULL) {
            presence_leave_others(shares->presence, share->clid, share->length, share->instances);
            forget_share(shares, share);
        }
        free(peer);
        shares->peers[node] = NULL;
    }
    hash_table_free(&shares->by_key);
    shares->wanted = shares->unswept = 0;
}

uint64_t presence_shares_bytes(const struct presence_shares *shares)
{
    return hash_table_bytes(&shares->by_key) +
           heap_taken_by_many(shares->by_key.count, shares->bytes);
}

void presence_shares_save(const struct presence_shares *shares, struct saved_writer *writer)
{
    saved_put(writer, shares->by_key.count);
    for (unsigned node = 0; node < PRESENCE_SHARE_NODES; node++) {
        const struct presence_share *share;
        if (shares->peers[node] == NULL)
            continue;
        TAILQ_FOREACH(share, &shares->peers[node]->shares, by_peer)
        {
            saved_put(writer, share->node);
            saved_put(writer, share->instances);
            saved_put_bytes(writer, share->clid, share->length);
        }
    }
}

static bool load_one(struct presence_shares *shares, struct saved_reader *reader)
{
    size_t length;
    unsigned node = (unsigned)saved_take_within(reader, PRESENCE_SHARE_NODES - 1);
    uint32_t instances = (uint32_t)saved_take_within(reader, INSTANCES_MOST);
    const char *clid = saved_take_bytes(reader, &length);

    if (reader->failed || length > PRESENCE_SHARE_CLID_MOST || instances == 0 ||
        make_peer(shares, node) == NULL || find_share(shares, node, clid, length) != NULL)
        return false;
    struct presence_share *share = add_share(shares, node, clid, length);
    if (share == NULL || !presence_load_others(shares->presence, clid, length, instances)) {
        if (share != NULL)
            forget_share(shares, share);
        return false;
    }
    share->instances = instances;
    return true;
}

bool presence_shares_load(struct presence_shares *shares, struct saved_reader *reader)
{
    for (size_t left = saved_take_count(reader, 3 * sizeof(uint64_t)); left > 0; left--)
        if (!load_one(shares, reader))
            return false;
    return !reader->failed;
}
