#include "events/publisher_counts.h"

#include "publishers/publishers_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    const struct publisher_count *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

struct publisher_count *publisher_counts_find(const struct publisher_counts *counts, uint64_t id)
{
    const struct publisher_count key = {.id = id};

    return counts->count > 0 ? bsearch(&key, counts->list, counts->count, sizeof key, compare_ids)
                             : NULL;
}

static void fill_count(struct publisher_count *count, const struct publisher_counts *known,
                       const struct publisher *publisher)
{
    const struct publisher_count *before = publisher_counts_find(known, publisher->id);

    *count = (struct publisher_count){.id = publisher->id, .rate = publisher->rate};
    memcpy(count->name, publisher->name, sizeof count->name);
    if (before != NULL) {
        count->events = before->events;
        count->limited = before->limited;
    }
}

bool publisher_counts_load(struct publisher_counts *counts, const char *path,
                           char error[PUBLISHERS_ERROR_SIZE])
{
    struct publisher_entry *entries = NULL;
    struct publisher_counts fresh = {0};

    if (path != NULL && !publishers_file_load_names(path, &entries, &fresh.count, error)) {
        publishers_file_free(&entries, fresh.count);
        return false;
    }
    fresh.list = calloc(fresh.count + 1, sizeof *fresh.list);
    if (fresh.list == NULL) {
        (void)snprintf(error, PUBLISHERS_ERROR_SIZE, "out of memory");
        publishers_file_free(&entries, fresh.count);
        return false;
    }
    for (size_t i = 0; i < fresh.count; i++)
        fill_count(&fresh.list[i], counts, &entries[i].publisher);
    qsort(fresh.list, fresh.count, sizeof *fresh.list, compare_ids);
    publishers_file_free(&entries, fresh.count);
    publisher_counts_free(counts);
    *counts = fresh;
    return true;
}

void publisher_counts_free(struct publisher_counts *counts)
{
    free(counts->list);
    *counts = (struct publisher_counts){0};
}
