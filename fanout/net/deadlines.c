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

/* The slot is emptied into a list of its own first, since due() may set others into the same slot.
 */
static void run_slot(struct deadlines *ring, struct deadline **slot,
                     void (*due)(struct deadline *, void *), void *context)
{
    struct deadline *batch = *slot;

    *slot = NULL;
    if (batch != NULL)
        batch->link = &batch;
    while (batch != NULL) {
        struct deadline *deadline = batch;
        deadlines_remove(deadline);
        if (deadline->tick > ring->tick)
            insert(slot, deadline);
        else
            due(deadline, context);
    }
}

void deadlines_advance(struct deadlines *ring, uint64_t now_ms,
                       void (*due)(struct deadline *, void *), void *context)
{
    uint64_t now = now_ms / DEADLINES_TICK_MS;
    uint64_t from = ring->tick + 1;

    if (now <= ring->tick)
        return;
    /* After a long pause each slot is still visited once only. */
    if (now - ring->tick > DEADLINES_SLOTS)
        from = now - DEADLINES_SLOTS + 1;
    ring->tick = now;
    for (uint64_t tick = from; tick <= now; tick++)
        run_slot(ring, &ring->slots[tick % DEADLINES_SLOTS], due, context);
}
