#include "nodes/node_lives.h"

#include <stdlib.h>
#include <string.h>

/* Three looks in a row at least find a node dead. */
enum { LOOKS_OF_LEASE = 3, FIRST_ROOM = 8 };

void node_lives_free(struct node_lives *lives)
{
    free(lives->list);
    *lives = (struct node_lives){0};
}

bool node_lives_copy(struct node_lives *copy, const struct node_lives *lives)
{
    *copy = *lives;
    copy->room = lives->count;
    copy->list = NULL;
    if (lives->count == 0)
        return true;
    copy->list = reallocarray(NULL, lives->count, sizeof *copy->list);
    if (copy->list == NULL) {
        *copy = (struct node_lives){0};
        return false;
    }
    memcpy(copy->list, lives->list, lives->count * sizeof *copy->list);
    return true;
}

void node_lives_begin_look(struct node_lives *lives, uint64_t now_ms)
{
    uint64_t most = lives->lease_ms / LOOKS_OF_LEASE + 1;
    uint64_t since = lives->looked_at != 0 ? now_ms - lives->looked_at : 0;
    lives->step_ms = since < most ? since : most;
    lives->looked_at = now_ms;
    for (size_t i = 0; i < lives->count; i++)
        lives->list[i].is_there = false;
}

static struct node_life *find(const struct node_lives *lives, unsigned node)
{
    for (size_t i = 0; i < lives->count; i++)
        if (lives->list[i].node == node)
            return &lives->list[i];
    return NULL;
}

static struct node_life *add(struct node_lives *lives)
{
    if (lives->count == lives->room) {
        size_t room = lives->room > 0 ? 2 * lives->room : FIRST_ROOM;
        struct node_life *list = reallocarray(lives->list, room, sizeof *list);
        if (list == NULL)
            return NULL;
        lives->list = list;
        lives->room = room;
    }
    return &lives->list[lives->count++];
}

bool node_lives_see(struct node_lives *lives, unsigned node, const struct node_record *record)
{
    struct node_life *life = find(lives, node);
    bool is_new = life == NULL || life->record.boot != record->boot;
    if (life == NULL)
        life = add(lives);
    if (life == NULL)
        return false;
    if (is_new)
        *life = (struct node_life){.node = node, .seen_at = lives->looked_at};
    life->moved = !is_new && record->counter != life->record.counter;
    life->still_ms = life->moved ? 0 : life->still_ms + (is_new ? 0 : lives->step_ms);
    if (life->moved) {
        life->moved_at = lives->looked_at;
        life->given = 0;
    }
    life->record = *record;
    life->is_there = true;
    return true;
}

void node_lives_end_look(struct node_lives *lives)
{
    size_t kept = 0;
    for (size_t i = 0; i < lives->count; i++)
        if (lives->list[i].is_there)
            lives->list[kept++] = lives->list[i];
    lives->count = kept;
}

enum node_state node_life_state(const struct node_lives *lives, const struct node_life *life)
{
    if (life == NULL)
        return NODE_NONE;
    if (life->still_ms >= lives->lease_ms)
        return NODE_DEAD;
    return life->moved_at != 0 ? NODE_LIVING : NODE_SEEN;
}

const struct node_life *node_lives_find(const struct node_lives *lives, unsigned node)
{
    return find(lives, node);
}

/* How sure it is that it lives; 0: it is dead. */
static unsigned sureness(const struct node_lives *lives, const struct node_life *life)
{
    switch (node_life_state(lives, life)) {
    case NODE_LIVING:
        return life->moved ? 3 : 2;
    case NODE_SEEN:
        return 1;
    default:
        return 0;
    }
}

/* The one at this place among those that are as sure. */
static struct node_life *take(const struct node_lives *lives, unsigned sure, size_t place)
{
    for (size_t i = 0; i < lives->count; i++)
        if (sureness(lives, &lives->list[i]) == sure && place-- == 0)
            return &lives->list[i];
    return NULL;
}

const struct node_life *node_lives_pick(struct node_lives *lives, uint64_t random)
{
    unsigned sure = 0;
    size_t count = 0;
    for (size_t i = 0; i < lives->count; i++) {
        unsigned one = sureness(lives, &lives->list[i]);
        count = one > sure ? 1 : count + (one == sure);
        sure = one > sure ? one : sure;
    }
    if (sure == 0)
        return NULL;
    size_t first = random % count;
    size_t other = count > 1 ? (first + 1 + (random >> 32) % (count - 1)) % count : first;
    struct node_life *life = take(lives, sure, first), *second = take(lives, sure, other);
    if (second->record.streams + second->given < life->record.streams + life->given)
        life = second;
    life->given++;
    return life;
}

void node_lives_give(struct node_lives *lives, unsigned node)
{
    struct node_life *life = find(lives, node);
    if (life != NULL)
        life->given++;
}
