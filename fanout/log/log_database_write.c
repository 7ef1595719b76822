#include "log/log_checksums.h"
#include "log/log_database.h"
#include "log/log_database_parts.h"
#include "log/log_files.h"
#include "log/log_rows.h"
#include "log/log_values.h"
#include "log/logged_event.h"

bool log_database_begin(struct log_database *database)
{
    return log_database_run(database, "BEGIN IMMEDIATE");
}

bool log_database_add(struct log_database *database, const struct stored_event *stored)
{
    sqlite3_stmt *row = database->insert;
    const struct event *event = &stored->event;
    unsigned char sum[LOG_CHECKSUM_SIZE];
    bool bound = log_checksum_event(database->digest, stored, database->newest, sum) &&
                 log_rows_bind_number(row, 1, event->sequence) &&
                 log_rows_bind_number(row, 2, database->newest) &&
                 log_rows_bind_number(row, 3, stored->wall_ms) &&
                 log_rows_bind_number(row, 4, event->flags) &&
                 log_rows_bind_number(row, 5, logged_event_connid(event)) &&
                 log_rows_bind_bytes(row, 6, stored->key, sizeof stored->key) &&
                 log_rows_bind_bytes(row, 7, event->topic, event->topic_length) &&
                 log_rows_bind_bytes(row, 8, event->json, event->json_length) &&
                 log_rows_bind_bytes(row, 9, event->allowed, event->allowed_length) &&
                 log_rows_bind_bytes(row, 10, sum, sizeof sum);

    if (!log_rows_carry_out(row, bound))
        return false;
    database->newest = event->sequence;
    return (event->flags & ENVELOPE_KEEP) == 0 ||
           log_values_write(&database->values, database->digest, event);
}

bool log_database_revoke(struct log_database *database, const struct log_revocation *revocation)
{
    sqlite3_stmt *row = database->revoke;
    unsigned char sum[LOG_CHECKSUM_SIZE];

    return log_rows_carry_out(database->expire,
                              log_rows_bind_number(database->expire, 1, revocation->at_ms)) &&
           log_rows_carry_out(
               row, log_checksum_revocation(database->digest, revocation, sum) &&
                        log_rows_bind_number(row, 1, revocation->kind) &&
                        log_rows_bind_bytes(row, 2, revocation->name, revocation->name_length) &&
                        log_rows_bind_number(row, 3, revocation->at_ms) &&
                        log_rows_bind_number(row, 4, revocation->until_ms) &&
                        log_rows_bind_bytes(row, 5, sum, sizeof sum));
}

static bool delete_rows(struct log_database *database, uint64_t through)
{
    return through <= database->deleted ||
           log_rows_carry_out(database->trim, log_rows_bind_number(database->trim, 1, through));
}

static bool write_state(struct log_database *database, const struct log_state *state)
{
    sqlite3_stmt *row = database->set_state;
    unsigned char sum[LOG_CHECKSUM_SIZE];

    return log_rows_carry_out(row, log_checksum_state(database->digest, state, sum) &&
                                       log_rows_bind_number(row, 1, state->epoch) &&
                                       log_rows_bind_number(row, 2, state->head) &&
                                       log_rows_bind_number(row, 3, state->lost_through) &&
                                       log_rows_bind_number(row, 4, state->unsure) &&
                                       log_rows_bind_bytes(row, 5, sum, sizeof sum));
}

bool log_database_commit(struct log_database *database, struct log_state *state, uint64_t forgotten,
                         uint64_t let_go)
{
    struct log_state written = *state;

    written.head = database->newest;
    /* The newest row stays, so that what was forgotten can be told from what is missing. */
    if (forgotten >= written.head)
        forgotten = written.head > 0 ? written.head - 1 : 0;
    if (!delete_rows(database, forgotten) || !log_values_trim(&database->values, let_go) ||
        !write_state(database, &written) || !log_database_run(database, "COMMIT"))
        return false;
    *state = written;
    if (forgotten > database->deleted)
        database->deleted = forgotten;
    if (let_go > database->values.deleted)
        database->values.deleted = let_go;
    database->head = written.head;
    log_mark_write(database->mark, written.epoch, written.head);
    return true;
}

void log_database_undo(struct log_database *database)
{
    database->newest = database->head;
    if (!sqlite3_get_autocommit(database->sqlite))
        (void)log_database_run(database, "ROLLBACK");
}

bool log_database_sync_each(struct log_database *database)
{
    return log_database_run(database, "PRAGMA synchronous = FULL");
}
