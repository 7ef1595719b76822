#include "streams/poll_gap.h"

#include <stddef.h>
#include <stdlib.h>

struct absent_poller {
    struct hash_node by_connid;
    TAILQ_ENTRY(absent_poller) by_age;
    struct presence_entry *presence;
    uint64_t since_ms;
};

static struct absent_poller *poller_of(struct hash_node *node)
{
    return (struct absent_poller *)(void *)((char *)node -
                                            offsetof(struct absent_poller, by_connid));
}

void poll_gap_open(struct poll_gap *gap)
{
    TAILQ_INIT(&gap->by_age);
}

bool poll_gap_keep(struct poll_gap *gap, uint64_t connid, struct presence_entry *presence,
                   uint64_t now_ms)
{
    if (gap->by_connid.count >= gap->most)
        return false;
    struct absent_poller *absent = calloc(1, sizeof *absent);
    if (absent == NULL || !hash_table_add(&gap->by_connid, &absent->by_connid, connid)) {
        free(absent);
        return false;
    }
    absent->presence = presence;
    absent->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&gap->by_age, absent, by_age);
    return true;
}

static struct presence_entry *take_poller(struct poll_gap *gap, struct absent_poller *absent)
{
    struct presence_entry *presence = absent->presence;

    TAILQ_REMOVE(&gap->by_age, absent, by_age);
    hash_table_remove(&gap->by_connid, &absent->by_connid);
    free(absent);
    return presence;
}

struct presence_entry *poll_gap_take(struct poll_gap *gap, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&gap->by_connid, connid);

    return node != NULL ? take_poller(gap, poller_of(node)) : NULL;
}

struct presence_entry *poll_gap_expired(struct poll_gap *gap, uint64_t through_ms)
{
    struct absent_poller *oldest = TAILQ_FIRST(&gap->by_age);

    return oldest != NULL && oldest->since_ms <= through_ms ? take_poller(gap, oldest) : NULL;
}

const struct presence_entry *poll_gap_presence(struct hash_node *by_connid)
{
    return poller_of(by_connid)->presence;
}

void poll_gap_free(struct poll_gap *gap)
{
    hash_table_free(&gap->by_connid);
}

uint64_t poll_gap_bytes(const struct poll_gap *gap)
{
    return hash_table_bytes_with(&gap->by_connid, sizeof(struct absent_poller));
}
