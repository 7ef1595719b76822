#include "streams/poll_gap.h"

#include "saved_state.h"
#include "streams/presence.h"

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

void poll_gap_save_one(struct saved_writer *writer, uint64_t connid,
                       const struct presence_entry *presence, uint64_t since_ms)
{
    saved_put(writer, connid);
    saved_put(writer, since_ms);
    saved_put_bytes(writer, presence->clid, presence->length);
}

void poll_gap_save(const struct poll_gap *gap, struct saved_writer *writer)
{
    const struct absent_poller *absent;

    TAILQ_FOREACH(absent, &gap->by_age, by_age)
    poll_gap_save_one(writer, absent->by_connid.hash, absent->presence, absent->since_ms);
}

bool poll_gap_load(struct poll_gap *gap, struct presence *presence, struct saved_reader *reader)
{
    while (reader->at < reader->end) {
        size_t length;
        uint64_t connid = saved_take(reader), since_ms = saved_take(reader);
        const char *clid = saved_take_bytes(reader, &length);
        if (reader->failed || hash_table_find(&gap->by_connid, connid) != NULL)
            continue;
        struct presence_entry *entry = presence_enter(presence, clid, length);
        if (entry == NULL)
            return false;
        if (!poll_gap_keep(gap, connid, entry, since_ms))
            presence_leave_loaded(presence, entry);
    }
    return !reader->failed;
}
