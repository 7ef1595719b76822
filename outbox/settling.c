#include "settling.h"

#include <stdio.h>
#include <stdlib.h>

static bool reserve(void **items, size_t size, size_t count, size_t *capacity)
{
    if (count <= *capacity)
        return true;
    void *larger = reallocarray(*items, count, size);
    if (larger == NULL)
        return false;
    *items = larger;
    *capacity = count;
    return true;
}

bool settling_reserve(struct settling *settling, size_t count)
{
    void *done = settling->done, *failed = settling->failed;
    bool reserved = reserve(&done, sizeof *settling->done, settling->done_count + count,
                            &settling->done_capacity);
    settling->done = done;
    reserved = reserve(&failed, sizeof *settling->failed, settling->failed_count + count,
                       &settling->failed_capacity) &&
               reserved;
    settling->failed = failed;
    return reserved;
}

bool settling_is_empty(const struct settling *settling)
{
    return settling->done_count + settling->failed_count == 0;
}

void settling_add_done(struct settling *settling, uint64_t id)
{
    settling->done[settling->done_count++] = id;
}

void settling_add_failed(struct settling *settling, uint64_t id, const char *words)
{
    struct settling_failure *failure = &settling->failed[settling->failed_count++];
    failure->id = id;
    (void)snprintf(failure->words, sizeof failure->words, "%s", words);
}

static enum sql_status write_failure(const struct settling_failure *failure,
                                     struct outbox_table *table)
{
    enum sql_status status = outbox_table_fail(table, failure->id, failure->words);
    /* Words that the database does not take keep nothing up. */
    return status == SQL_INVALID ? outbox_table_fail(table, failure->id, "refused") : status;
}

enum sql_status settling_write(struct settling *settling, struct outbox_table *table)
{
    enum sql_status status = SQL_OK;
    if (settling->done_count > 0)
        status = outbox_table_delete(table, settling->done, settling->done_count);
    if (status == SQL_OK)
        settling->done_count = 0;
    while (status == SQL_OK && settling->failed_count > 0) {
        status = write_failure(&settling->failed[settling->failed_count - 1], table);
        if (status == SQL_OK)
            settling->failed_count--;
    }
    return status;
}

void settling_free(struct settling *settling)
{
    free(settling->done);
    free(settling->failed);
    *settling = (struct settling){0};
}
