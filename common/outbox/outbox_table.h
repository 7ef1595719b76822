/* The table `outgoing_events` in the application's own database (schema/outbox-*.sql): rows that its
 * transactions leave to be published. What is not committed is not seen here.
 *
 * One thread at a time; open after fork(2). What is not SQL_OK has words in outbox_table_error(). */
#ifndef ESN_OUTBOX_TABLE_H
#define ESN_OUTBOX_TABLE_H

#include "sql/sql_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outbox_table;

enum { OUTBOX_FAILURE_MAX = 480 /* bytes of words that are kept with a row */ };

struct outbox_row {
    uint64_t id;
    uint64_t created_ms; /* since 1970, by the database's clock */
    struct sql_text queue, publisher, body, post_key;
    char *storage; /* owns the texts */
};

struct outbox_rows {
    struct outbox_row *rows; /* by id */
    size_t count, capacity;
};

struct outbox_limits {
    size_t rows, bytes; /* of one reading; one row may be larger */
    bool hold_failed;   /* what is behind a failed row of its queue is not read */
};

/* Connects to nothing yet. The options are kept, not copied. NULL without memory. */
struct outbox_table *outbox_table_open(const struct sql_options *options,
                                       const struct outbox_limits *limits);
void outbox_table_close(struct outbox_table **table);
const char *outbox_table_error(const struct outbox_table *table);

/* ---- the worker's ---- */

/* Becomes the only worker, or finds that it is. SQL_CONFLICT: there is another one. It ends with the
 * connection (MariaDB: GET_LOCK()) or the process (SQLite: flock(2) on a file beside the database),
 * so that nobody waits for one that was killed. */
enum sql_status outbox_table_lock(struct outbox_table *table);
/* The first waiting rows by id, without those of the queues in `held`: the names in hexadecimal, as
 * in ",6F6E65,74776F,", so that no encoding comes in between. Always from the beginning: ids are
 * given before they are committed, so that a smaller one may appear at any time, and has to go
 * before what is behind it in its queue. */
enum sql_status outbox_table_read(struct outbox_table *table, const struct sql_text *held,
                                  struct outbox_rows *rows);
void outbox_rows_clear(struct outbox_rows *rows);
void outbox_rows_free(struct outbox_rows *rows);
/* Returns when all that was read before will be there after the database was killed. */
enum sql_status outbox_table_confirm(struct outbox_table *table);
/* All or none. A row that is not there any more is no fault. */
enum sql_status outbox_table_delete(struct outbox_table *table, const uint64_t *ids, size_t count);
enum sql_status outbox_table_fail(struct outbox_table *table, uint64_t id, const char *words);

/* ---- the operator's ---- */

struct outbox_counts {
    uint64_t waiting, failed;
    uint64_t oldest_ms; /* when the first waiting row was made; 0: there is none */
    uint64_t now_ms;    /* by the same clock */
};

struct outbox_entry {
    uint64_t id, created_ms;
    uint64_t failed_ms;                               /* 0: it waits */
    struct sql_text queue, publisher, failure, start; /* `start`: of the body */
};

enum sql_status outbox_table_count(struct outbox_table *table, struct outbox_counts *counts);
/* The first ones by id. The entry is borrowed until visit() returns; false from it: enough. */
enum sql_status outbox_table_list(struct outbox_table *table, bool failed,
                                  bool (*visit)(const struct outbox_entry *entry, void *context),
                                  void *context);
/* `id` 0: every failed row. How many there were is in *done. */
enum sql_status outbox_table_retry(struct outbox_table *table, uint64_t id, uint64_t *done);
enum sql_status outbox_table_drop(struct outbox_table *table, uint64_t id, uint64_t *done);
enum sql_status outbox_table_run_script(struct outbox_table *table, const char *script);

#endif
