/* What became of rows, until it is written down: a database that is away may come back later than
 * the daemon remembers what it has had, so that what was acknowledged is never published again by
 * this process, whatever happens to the database. */
#ifndef ESN_SETTLING_H
#define ESN_SETTLING_H

#include "outbox/outbox_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settling {
    uint64_t *done; /* to be deleted */
    size_t done_count, done_capacity;
    struct settling_failure {
        uint64_t id;
        char words[OUTBOX_FAILURE_MAX];
    } * failed;
    size_t failed_count, failed_capacity;
};

/* Makes room for so many more, before they are published; false without memory. */
bool settling_reserve(struct settling *settling, size_t count);
bool settling_is_empty(const struct settling *settling);
/* There has to be room. */
void settling_add_done(struct settling *settling, uint64_t id);
void settling_add_failed(struct settling *settling, uint64_t id, const char *words);
/* Writes down all of it. What is not SQL_OK leaves the rest for the next time. */
enum sql_status settling_write(struct settling *settling, struct outbox_table *table);
void settling_free(struct settling *settling);

#endif
