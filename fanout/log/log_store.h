/* Brings events to the log on disk without the loop ever waiting for it: a thread of its own owns
 * the database. What is queued goes into one transaction, so that one sync serves all that came
 * while the last one ran. */
#ifndef ESN_LOG_STORE_H
#define ESN_LOG_STORE_H

#include "histogram.h"
#include "log/log_database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* In the order of the configuration's words. */
enum log_sync {
    LOG_SYNC_ALWAYS,   /* each transaction is on the disk when it is done */
    LOG_SYNC_INTERVAL, /* one transaction an interval, on the disk when it is done */
    LOG_SYNC_NEVER /* transactions as events come; when they reach the disk is the system's business
                    */
};

struct log_store_options {
    const char *path;
    enum log_sync sync;
    uint64_t interval_ms;
    uint64_t max_bytes;   /* of events that are queued or not yet given back */
    uint64_t max_wait_ms; /* of a transaction, before nothing more is taken; 0: any */
};

/* An event on its way, or a revocation; the store keeps a copy until it has given it back. */
struct log_entry {
    struct stored_event stored;
    struct log_revocation revocation; /* with a kind: there is no event in stored */
    uint64_t forgotten;               /* rows up to this sequence may be deleted, and ... */
    uint64_t let_go;                  /* ... last values up to this one */
    /* The caller's own, as stored.key is of a revocation. */
    uint64_t publisher, asked_as, taken_ns;
};

struct log_store;

/* NULL with a sentence in error; see log_database_open(). */
struct log_store *log_store_open(const struct log_store_options *options,
                                 char error[LOG_DATABASE_ERROR_SIZE]);
/* See log_database_take_up(): in place of log_store_open() and log_store_load(). */
struct log_store *log_store_take_up(const struct log_store_options *options,
                                    struct log_state *state, char error[LOG_DATABASE_ERROR_SIZE]);
/* See log_database_load(). To be called once, before log_store_start(). */
bool log_store_load(struct log_store *store, struct log_past *past,
                    void (*visit)(const struct stored_event *event, void *context), void *context,
                    char error[LOG_DATABASE_ERROR_SIZE]);
/* See log_database_load_revocations(). */
bool log_store_load_revocations(struct log_store *store,
                                void (*visit)(const struct log_revocation *, void *context),
                                void *context, char error[LOG_DATABASE_ERROR_SIZE]);
/* See log_database_load_values(). */
bool log_store_load_values(struct log_store *store,
                           void (*visit)(const struct event *, void *context), void *context,
                           char error[LOG_DATABASE_ERROR_SIZE]);
/* Writes the state and starts the thread. done(context) is called in the loop when entries may have
 * come back. */
bool log_store_start(struct log_store *store, uint64_t epoch, uint64_t lost_through,
                     uv_loop_t *loop, void (*done)(void *context), void *context,
                     char error[LOG_DATABASE_ERROR_SIZE]);
/* Queues a copy. False without memory, when max_bytes would be exceeded and something is under way,
 * or when the disk hangs. */
bool log_store_append(struct log_store *store, const struct log_entry *entry);
/* The next entry that came back, in the order in which they were queued (borrowed until the next
 * call), or NULL. *stored: it is kept. Otherwise it never will be. */
const struct log_entry *log_store_next(struct log_store *store, bool *stored);
/* Has done() called again in the next turn of the loop. */
void log_store_call_again(struct log_store *store);
/* Writes what is queued, ends the thread and leaves the loop, which must run once more before
 * log_store_close(). log_store_next() still gives what came back. Harmless when it was not started.
 */
void log_store_stop(struct log_store *store);
void log_store_close(struct log_store **store);
/* Writes what is queued, ends the thread and lets go of the file, which another program may take up
 * then; log_store_next() still gives what came back. False when the end cannot be noted in the file,
 * which is kept then. */
bool log_store_rest(struct log_store *store);
/* Takes the file of that path up again, as it was left, when it was let go of. False with a sentence in
 * error: nothing is kept any more. */
bool log_store_go_on(struct log_store *store, const char *path,
                     char error[LOG_DATABASE_ERROR_SIZE]);

struct log_store_figures {
    uint64_t unsynced_bytes; /* queued or not yet given back */
    uint64_t stored;         /* entries, since the start */
    uint64_t failed;
    uint64_t transactions;
    struct histogram times; /* of those, in histogram_times */
};
struct log_store_figures log_store_figures(struct log_store *store);

#endif
