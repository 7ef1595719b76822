#include "net/deadlines.h"

#include <stddef.h>

void deadlines_start(struct deadlines *ring, uint64_t now_ms)
{
    *ring = (struct deadlines){.tick = now_ms / DEADLINES_TICK_MS};
}

static void insert(struct deadline **head, struct deadline *deadline)
{
    deadline->next = *head;
    if (*head != NULL)
        (*head)->link = &deadline->next;
    *head = deadline;
    deadline->link = head;
}

void deadlines_remove(struct deadline *deadline)
{
    if (deadline->link == NULL)
        return;
    *deadline->link = deadline->next;
    if (deadline->next != NULL)
        deadline->next->link = deadline->link;
    deadline->next = NULL;
    deadline->link = NULL;
}

void deadlines_set(struct deadlines *ring, struct deadline *deadline, uint64_t due_ms)
{
    uint64_t tick = (due_ms + DEADLINES_TICK_MS - 1) / DEADLINES_TICK_MS;

    deadlines_remove(deadline);
    if (tick <= ring->tick)
        tick = ring->tick + 1;
    deadline->tick = tick;
    insert(&ring->slots[tick % DEADLINES_SLOTS], deadline);
}

/* One call of deadlines_advance(). */
struct advance {
    struct deadlines *ring;
    void (*due)(struct deadline *, void *);
    void *context;
    unsigned called;
};

static bool has_time(const struct advance *advance)
{
    const struct deadlines *ring = advance->ring;

    return advance->called < DEADLINES_LEAST || ring->has_time == NULL ||
           ring->has_time(ring->time_context);
}

/* The list is emptied into one of its own first, since due() may set others into the same one. */
static void run_list(struct advance *advance, struct deadline **list)
{
    struct deadlines *ring = advance->ring;

    ring->batch = *list;
    *list = NULL;
    if (ring->batch != NULL)
        ring->batch->link = &ring->batch;
    while (ring->batch != NULL) {
        struct deadline *deadline = ring->batch;
        deadlines_remove(deadline);
        if (deadline->tick > ring->tick) {
            insert(&ring->slots[deadline->tick % DEADLINES_SLOTS], deadline);
        } else if (!has_time(advance)) {
            insert(&ring->late, deadline);
        } else {
            advance->called++;
            advance->due(deadline, advance->context);
        }
    }
}

void deadlines_advance(struct deadlines *ring, uint64_t now_ms,
                       void (*due)(struct deadline *, void *), void *context)
{
    struct advance advance = {ring, due, context, 0};
    uint64_t now = now_ms / DEADLINES_TICK_MS;
    uint64_t from = ring->tick + 1;

    if (now > ring->tick)
        ring->tick = now;
    run_list(&advance, &ring->late);
    /* After a long pause each slot is still visited once only. */
    if (now >= DEADLINES_SLOTS && from < now - DEADLINES_SLOTS + 1)
        from = now - DEADLINES_SLOTS + 1;
    for (uint64_t tick = from; tick <= now; tick++)
        run_list(&advance, &ring->slots[tick % DEADLINES_SLOTS]);
}

bool deadlines_are_late(const struct deadlines *ring)
{
    return ring->late != NULL;
}
