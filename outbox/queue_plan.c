#include "queue_plan.h"

#include <stdlib.h>
#include <string.h>

static int compare_queues(const struct sql_text *one, const struct sql_text *other)
{
    size_t length = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->text, other->text, length);
    if (order != 0)
        return order;
    return (one->length > other->length) - (one->length < other->length);
}

static int compare_ids(const void *a, const void *b)
{
    const struct outbox_row *const *one = a, *const *other = b;
    return ((*one)->id > (*other)->id) - ((*one)->id < (*other)->id);
}

static int compare_rows(const void *a, const void *b)
{
    const struct outbox_row *const *one = a, *const *other = b;
    int order = compare_queues(&(*one)->queue, &(*other)->queue);
    return order != 0 ? order : compare_ids(a, b);
}

bool queue_plan_make(struct queue_plan *plan, const struct outbox_rows *rows)
{
    *plan = (struct queue_plan){.row_count = rows->count};
    plan->order = calloc(rows->count + 1, sizeof *plan->order);
    plan->runs = calloc(rows->count + 1, sizeof *plan->runs);
    if (plan->order == NULL || plan->runs == NULL)
        return false;
    for (size_t i = 0; i < rows->count; i++)
        plan->order[i] = &rows->rows[i];
    qsort(plan->order, rows->count, sizeof *plan->order, compare_rows);
    for (size_t i = 0; i < rows->count; i++) {
        if (i == 0 || compare_queues(&plan->order[i - 1]->queue, &plan->order[i]->queue) != 0)
            plan->runs[plan->run_count++] = (struct queue_run){.next = i};
        plan->runs[plan->run_count - 1].end = i + 1;
    }
    return true;
}

void queue_plan_free(struct queue_plan *plan)
{
    free(plan->order);
    free(plan->runs);
    *plan = (struct queue_plan){0};
}

size_t queue_plan_next(struct queue_plan *plan, const struct outbox_row **wave)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->run_count; i++) {
        struct queue_run *run = &plan->runs[i];
        if (!run->stopped && run->next < run->end)
            wave[count++] = plan->order[run->next++];
    }
    qsort(wave, count, sizeof *wave, compare_ids);
    return count;
}

void queue_plan_stop(struct queue_plan *plan, const struct outbox_row *row)
{
    for (size_t i = 0; i < plan->run_count; i++) {
        struct queue_run *run = &plan->runs[i];
        if (compare_queues(&plan->order[run->end - 1]->queue, &row->queue) == 0)
            run->stopped = true;
    }
}

/* ---- queues that wait ---- */

bool held_queues_add(struct held_queues *held, const struct sql_text *queue, uint64_t until_ms)
{
    if (held->count == HELD_QUEUES_MAX)
        return false;
    char *name = malloc(queue->length + 1);
    if (name == NULL)
        return false;
    memcpy(name, queue->text, queue->length);
    name[queue->length] = '\0';
    held->queues[held->count++] = (struct held_queue){name, queue->length, until_ms};
    return true;
}

void held_queues_expire(struct held_queues *held, uint64_t now_ms)
{
    for (size_t i = 0; i < held->count;) {
        if (held->queues[i].until_ms > now_ms) {
            i++;
            continue;
        }
        free(held->queues[i].name);
        held->queues[i] = held->queues[--held->count];
    }
}

void held_queues_write(const struct held_queues *held, struct bytes *out)
{
    bytes_append_text(out, ",");
    for (size_t i = 0; i < held->count; i++) {
        const struct held_queue *queue = &held->queues[i];
        for (size_t k = 0; k < queue->length; k++)
            bytes_append_format(out, "%02X", (unsigned)(unsigned char)queue->name[k]);
        bytes_append_text(out, ",");
    }
}

bool held_queues_has(const struct held_queues *held, const struct sql_text *queue)
{
    for (size_t i = 0; i < held->count; i++) {
        const struct sql_text name = {held->queues[i].name, held->queues[i].length};
        if (compare_queues(&name, queue) == 0)
            return true;
    }
    return false;
}

uint64_t held_queues_first(const struct held_queues *held)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < held->count; i++)
        if (held->queues[i].until_ms < first)
            first = held->queues[i].until_ms;
    return first;
}

void held_queues_free(struct held_queues *held)
{
    held_queues_expire(held, UINT64_MAX);
}
