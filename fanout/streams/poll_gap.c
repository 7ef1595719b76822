#include "streams/poll_gap.h"

#include <stddef.h>
#include <stdlib.h>

struct absent_poller {
    struct hash_node by_connid;
    struct absent_poller *older, *newer;
    struct presence_entry *presence;
    uint64_t since_ms;
};

static struct absent_poller *of_node(struct hash_node *node)
{
    return (struct absent_poller *)(void *)((char *)node -
                                            offsetof(struct absent_poller, by_connid));
}

bool poll_gap_keep(struct poll_gap *gap, uint64_t connid, struct presence_entry *presence,
                   uint64_t now_ms)
{
    struct absent_poller *absent = calloc(1, sizeof *absent);

    if (absent == NULL || !hash_table_add(&gap->by_connid, &absent->by_connid, connid)) {
        free(absent);
        return false;
    }
    absent->presence = presence;
    absent->since_ms = now_ms;
    absent->older = gap->newest;
    if (gap->newest != NULL)
        gap->newest->newer = absent;
    else
        gap->oldest = absent;
    gap->newest = absent;
    return true;
}

static struct presence_entry *take(struct poll_gap *gap, struct absent_poller *absent)
{
    struct presence_entry *presence = absent->presence;

    if (absent->older != NULL)
        absent->older->newer = absent->newer;
    else
        gap->oldest = absent->newer;
    if (absent->newer != NULL)
        absent->newer->older = absent->older;
    else
        gap->newest = absent->older;
    hash_table_remove(&gap->by_connid, &absent->by_connid);
    free(absent);
    return presence;
}

struct presence_entry *poll_gap_take(struct poll_gap *gap, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&gap->by_connid, connid);

    return node != NULL ? take(gap, of_node(node)) : NULL;
}

struct presence_entry *poll_gap_expired(struct poll_gap *gap, uint64_t through_ms)
{
    return gap->oldest != NULL && gap->oldest->since_ms <= through_ms ? take(gap, gap->oldest)
                                                                      : NULL;
}

void poll_gap_free(struct poll_gap *gap)
{
    hash_table_free(&gap->by_connid);
    *gap = (struct poll_gap){0};
}
