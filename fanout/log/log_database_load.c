#include "log/log_checksums.h"
#include "log/log_database.h"
#include "log/log_database_parts.h"
#include "log/log_files.h"
#include "log/log_rows.h"
#include "log/log_values.h"
#include "log/logged_event.h"
#include "messages.h"

#include <stdio.h>
#include <string.h>

/* True when the row is what was once written. */
static bool read_row(struct log_database *database, sqlite3_stmt *row, struct stored_event *stored,
                     uint64_t *previous)
{
    struct event *event = &stored->event;
    size_t key_length;
    const char *key = log_rows_bytes(row, 5, &key_length);

    *stored = (struct stored_event){.event.sequence = log_rows_number(row, 0),
                                    .wall_ms = log_rows_number(row, 2)};
    *previous = log_rows_number(row, 1);
    uint64_t flags = log_rows_number(row, 3);
    event->flags = (uint16_t)flags;
    logged_event_set_connid(event, log_rows_number(row, 4));
    event->topic = log_rows_bytes(row, 6, &event->topic_length);
    event->json = log_rows_bytes(row, 7, &event->json_length);
    event->allowed = log_rows_bytes(row, 8, &event->allowed_length);
    /* Flags of a later version could narrow who may hear the event. */
    if (key_length != sizeof stored->key || !envelope_flags_are_sound(flags))
        return false;
    memcpy(stored->key, key, sizeof stored->key);
    unsigned char sum[LOG_CHECKSUM_SIZE];
    return log_checksum_event(database->digest, stored, *previous, sum) &&
           log_rows_same_checksum(row, 9, sum);
}

/* What was found while the rows were walked. */
struct walk {
    uint64_t last;    /* newest good row */
    uint64_t damaged; /* rows up to this sequence are not to be believed */
    bool any, gap;    /* gap: something is missing before the next good row */
};

static void look_at_row(struct log_database *database, sqlite3_stmt *row, struct walk *walk,
                        struct log_past *past, void (*visit)(const struct stored_event *, void *),
                        void *context)
{
    struct stored_event stored;
    uint64_t previous;

    if (!read_row(database, row, &stored, &previous) || stored.event.sequence <= walk->last) {
        walk->gap = true;
        return;
    }
    if (!walk->any && !walk->gap)
        past->forgotten = previous;
    else if (walk->gap || previous != walk->last)
        walk->damaged = stored.event.sequence - 1;
    walk->any = true;
    walk->gap = false;
    walk->last = stored.event.sequence;
    visit(&stored, context);
}

static void conclude(struct log_database *database, const struct walk *walk, struct log_past *past)
{
    uint64_t damaged = walk->damaged, head = past->state.head;

    if (walk->gap || (walk->any && walk->last != head))
        damaged = walk->last > head ? walk->last : head;
    if (damaged > 0)
        message_error("events on disk are damaged: they and those before them are not replayed",
                      message_text("file", database->path),
                      message_number("through", (int64_t)damaged));
    if (damaged > past->forgotten)
        past->forgotten = damaged;
    if (!walk->any)
        past->forgotten = head;
    past->tail_missing = log_mark_is_ahead(database->mark, past->state.epoch, head);
    if (past->tail_missing)
        message_error("the newest events on disk are missing: clients are told of the gap",
                      message_text("file", database->path));
    database->newest = database->head = head;
    database->deleted = 0; /* damaged rows are still there */
}

bool log_database_load(struct log_database *database, struct log_past *past,
                       void (*visit)(const struct stored_event *event, void *context),
                       void *context, char error[LOG_DATABASE_ERROR_SIZE])
{
    sqlite3_stmt *rows = NULL;
    struct walk walk = {0};

    *past = (struct log_past){0};
    int result = log_database_get_state(database, &past->state)
                     ? sqlite3_prepare_v2(database->sqlite,
                                          "SELECT * FROM events ORDER BY sequence", -1, &rows, NULL)
                     : SQLITE_ERROR;
    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        look_at_row(database, rows, &walk, past, visit, context);
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    if (result != SQLITE_DONE) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                       database->path, sqlite3_errmsg(database->sqlite));
        return false;
    }
    conclude(database, &walk, past);
    return true;
}

/* False: it is damaged. */
static bool read_revocation(struct log_database *database, sqlite3_stmt *row,
                            struct log_revocation *kept)
{
    unsigned char sum[LOG_CHECKSUM_SIZE];
    int kind = sqlite3_column_int(row, 0);

    *kept = (struct log_revocation){.kind = kind == DROP_USER ? DROP_USER : DROP_SESSION,
                                    .name = sqlite3_column_blob(row, 1),
                                    .name_length = (size_t)sqlite3_column_bytes(row, 1),
                                    .at_ms = (uint64_t)sqlite3_column_int64(row, 2),
                                    .until_ms = (uint64_t)sqlite3_column_int64(row, 3)};
    return (kind == DROP_USER || kind == DROP_SESSION) && kept->name != NULL &&
           sqlite3_column_bytes(row, 4) == LOG_CHECKSUM_SIZE &&
           log_checksum_revocation(database->digest, kept, sum) &&
           memcmp(sqlite3_column_blob(row, 4), sum, sizeof sum) == 0;
}

bool log_database_load_revocations(struct log_database *database,
                                   void (*visit)(const struct log_revocation *, void *context),
                                   void *context, char error[LOG_DATABASE_ERROR_SIZE])
{
    sqlite3_stmt *rows = NULL;
    int64_t damaged = 0;
    int result = sqlite3_prepare_v2(database->sqlite, "SELECT * FROM revocations", -1, &rows, NULL);

    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        struct log_revocation kept;
        if (read_revocation(database, rows, &kept))
            visit(&kept, context);
        else
            damaged++;
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    if (damaged > 0)
        message_error("drops on disk are damaged: proofs of before count again",
                      message_text("file", database->path), message_number("drops", damaged));
    if (result == SQLITE_DONE)
        return true;
    (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                   database->path, sqlite3_errmsg(database->sqlite));
    return false;
}

bool log_database_load_values(struct log_database *database,
                              void (*visit)(const struct event *, void *context), void *context,
                              char error[LOG_DATABASE_ERROR_SIZE])
{
    int64_t damaged;
    bool loaded = log_values_load(database->sqlite, database->digest, database->head, visit,
                                  context, &damaged);

    if (damaged > 0)
        message_error("last values of topics on disk are damaged: they are not there any more",
                      message_text("file", database->path), message_number("values", damaged));
    if (!loaded)
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                       database->path, sqlite3_errmsg(database->sqlite));
    return loaded;
}
