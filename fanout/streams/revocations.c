#include "streams/revocations.h"

#include "saved_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 64 }; /* in one revocations_expire() */

static struct revocation *revocation_of(struct hash_node *node)
{
    return (struct revocation *)(void *)((char *)node - offsetof(struct revocation, by_name));
}

static uint64_t hash_of(const struct revocations *revocations, enum drop_kind kind,
                        const char *name, size_t length)
{
    return hash_bytes(revocations->seed + (uint64_t)kind, name, length);
}

static struct revocation *find_revocation(const struct revocations *revocations,
                                          enum drop_kind kind, const char *name, size_t length)
{
    struct hash_node *node =
        hash_table_find(&revocations->by_name, hash_of(revocations, kind, name, length));

    for (; node != NULL; node = hash_table_find_next(node)) {
        struct revocation *revocation = revocation_of(node);
        if (revocation->kind == kind && revocation->length == length &&
            memcmp(revocation->name, name, length) == 0)
            return revocation;
    }
    return NULL;
}

static void forget_revocation(struct revocations *revocations, struct revocation *revocation)
{
    TAILQ_REMOVE(&revocations->by_look, revocation, by_look);
    hash_table_remove(&revocations->by_name, &revocation->by_name);
    free(revocation);
}

void revocations_open(struct revocations *revocations, uint64_t seed)
{
    TAILQ_INIT(&revocations->by_look);
    revocations->seed = seed;
}

static struct revocation *revocation_new(struct revocations *revocations, enum drop_kind kind,
                                         const char *name, size_t length)
{
    struct revocation *revocation = calloc(1, sizeof *revocation + length);

    if (revocation == NULL)
        return NULL;
    revocation->kind = (uint8_t)kind;
    revocation->length = (uint32_t)length;
    memcpy(revocation->name, name, length);
    if (!hash_table_add(&revocations->by_name, &revocation->by_name,
                        hash_of(revocations, kind, name, length))) {
        free(revocation);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&revocations->by_look, revocation, by_look);
    return revocation;
}

const struct revocation *revocations_add(struct revocations *revocations, enum drop_kind kind,
                                         const char *name, size_t length, uint64_t at_ms,
                                         uint64_t until_ms, uint64_t now_ms)
{
    struct revocation *revocation = find_revocation(revocations, kind, name, length);

    if (revocation == NULL) {
        if (revocations->by_name.count >= revocations->most)
            revocations_expire(revocations, now_ms);
        if (revocations->by_name.count >= revocations->most)
            return NULL;
        revocation = revocation_new(revocations, kind, name, length);
    }
    if (revocation == NULL)
        return NULL;
    if (at_ms > revocation->at_ms)
        revocation->at_ms = at_ms;
    if (until_ms > revocation->until_ms)
        revocation->until_ms = until_ms;
    return revocation;
}

static bool refuses(const struct revocations *revocations, enum drop_kind kind, const char *name,
                    uint64_t signed_ms, uint64_t now_ms)
{
    const struct revocation *revocation =
        name != NULL ? find_revocation(revocations, kind, name, strlen(name)) : NULL;

    return revocation != NULL && now_ms < revocation->until_ms && signed_ms <= revocation->at_ms;
}

bool revocations_refuse(const struct revocations *revocations, const char *user,
                        const char *session, uint64_t signed_ms, uint64_t now_ms)
{
    return refuses(revocations, DROP_USER, user, signed_ms, now_ms) ||
           refuses(revocations, DROP_SESSION, session, signed_ms, now_ms);
}

void revocations_expire(struct revocations *revocations, uint64_t now_ms)
{
    for (int i = 0; i < LOOKS && !TAILQ_EMPTY(&revocations->by_look); i++) {
        struct revocation *revocation = TAILQ_FIRST(&revocations->by_look);
        if (now_ms >= revocation->until_ms) {
            forget_revocation(revocations, revocation);
            continue;
        }
        TAILQ_REMOVE(&revocations->by_look, revocation, by_look);
        TAILQ_INSERT_TAIL(&revocations->by_look, revocation, by_look);
    }
}

void revocations_free(struct revocations *revocations)
{
    while (!TAILQ_EMPTY(&revocations->by_look))
        forget_revocation(revocations, TAILQ_FIRST(&revocations->by_look));
    hash_table_free(&revocations->by_name);
}

uint64_t revocations_bytes(const struct revocations *revocations)
{
    enum { NAME = 32 /* bytes, as most have */ };

    return hash_table_bytes_with(&revocations->by_name, sizeof(struct revocation) + NAME);
}

void revocations_save(const struct revocations *revocations, struct saved_writer *writer)
{
    const struct revocation *revocation;

    saved_put(writer, revocations->by_name.count);
    TAILQ_FOREACH(revocation, &revocations->by_look, by_look)
    {
        saved_put(writer, revocation->kind);
        saved_put_bytes(writer, revocation->name, revocation->length);
        saved_put(writer, revocation->at_ms);
        saved_put(writer, revocation->until_ms);
    }
}

bool revocations_load(struct revocations *revocations, struct saved_reader *reader, uint64_t now_ms,
                      uint64_t *left_out)
{
    *left_out = 0;
    for (size_t left = saved_take_count(reader, 4 * sizeof(uint64_t)); left > 0; left--) {
        size_t length;
        enum drop_kind kind = (enum drop_kind)saved_take_within(reader, DROP_SESSION);
        const char *name = saved_take_bytes(reader, &length);
        uint64_t at_ms = saved_take(reader), until_ms = saved_take(reader);
        if (reader->failed)
            return false;
        *left_out +=
            revocations_add(revocations, kind, name, length, at_ms, until_ms, now_ms) == NULL;
    }
    return !reader->failed;
}
