#include "log/log_values.h"

#include "envelope.h"
#include "log/last_values.h"

bool log_values_prepare(struct log_values *values, sqlite3 *sqlite)
{
    return sqlite3_prepare_v2(sqlite, "INSERT OR REPLACE INTO kept VALUES (?1,?2,?3,?4,?5,?6)", -1,
                              &values->put, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "DELETE FROM kept WHERE kind = ?1 AND topic = ?2", -1,
                              &values->forget, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "DELETE FROM kept WHERE sequence <= ?1", -1, &values->trim,
                              NULL) == SQLITE_OK;
}

void log_values_close(struct log_values *values)
{
    sqlite3_finalize(values->put);
    sqlite3_finalize(values->forget);
    sqlite3_finalize(values->trim);
    *values = (struct log_values){0};
}

static bool value_checksum(EVP_MD_CTX *digest, const struct event *event, uint64_t kind,
                           unsigned char out[LOG_CHECKSUM_SIZE])
{
    const uint64_t numbers[] = {kind, event->sequence, event->flags, event->topic_length,
                                event->json_length};
    const struct log_checked parts[] = {{numbers, sizeof numbers},
                                        {event->topic, event->topic_length},
                                        {event->json, event->json_length}};

    return log_rows_checksum(digest, parts, sizeof parts / sizeof *parts, out);
}

static bool bind_topic(sqlite3_stmt *row, const struct event *event)
{
    return log_rows_bind_number(row, 1, last_value_kind_of(event->flags)) &&
           log_rows_bind_bytes(row, 2, event->topic, event->topic_length);
}

bool log_values_write(struct log_values *values, EVP_MD_CTX *digest, const struct event *event)
{
    sqlite3_stmt *row = values->put;
    unsigned char sum[LOG_CHECKSUM_SIZE];

    if ((event->flags & ENVELOPE_FORGET) != 0)
        return log_rows_carry_out(values->forget, bind_topic(values->forget, event));
    return log_rows_carry_out(
        row, value_checksum(digest, event, last_value_kind_of(event->flags), sum) &&
                 bind_topic(row, event) && log_rows_bind_number(row, 3, event->sequence) &&
                 log_rows_bind_number(row, 4, event->flags) &&
                 log_rows_bind_bytes(row, 5, event->json, event->json_length) &&
                 log_rows_bind_bytes(row, 6, sum, sizeof sum));
}

bool log_values_trim(struct log_values *values, uint64_t through)
{
    if (through <= values->deleted)
        return true;
    return log_rows_carry_out(values->trim, log_rows_bind_number(values->trim, 1, through));
}

/* False: it is damaged. */
static bool read_value(EVP_MD_CTX *digest, sqlite3_stmt *row, uint64_t head, struct event *event)
{
    unsigned char sum[LOG_CHECKSUM_SIZE];
    uint64_t kind = log_rows_number(row, 0), flags = log_rows_number(row, 3);

    *event = (struct event){.sequence = log_rows_number(row, 2), .flags = (uint16_t)flags};
    event->topic = log_rows_bytes(row, 1, &event->topic_length);
    event->json = log_rows_bytes(row, 4, &event->json_length);
    /* Flags of a later version could narrow who may hear it. */
    return envelope_flags_are_sound(flags) && (flags & ENVELOPE_KEEP) != 0 &&
           (uint64_t)last_value_kind_of(event->flags) == kind && event->sequence > 0 &&
           event->sequence <= head && value_checksum(digest, event, kind, sum) &&
           log_rows_same_checksum(row, 5, sum);
}

bool log_values_load(sqlite3 *sqlite, EVP_MD_CTX *digest, uint64_t head,
                     void (*visit)(const struct event *, void *context), void *context,
                     int64_t *damaged)
{
    sqlite3_stmt *rows = NULL;
    uint64_t last = 0;
    int result =
        sqlite3_prepare_v2(sqlite, "SELECT * FROM kept ORDER BY sequence", -1, &rows, NULL);

    *damaged = 0;
    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        struct event event;
        bool good = read_value(digest, rows, head, &event) && event.sequence > last;
        if (good) {
            last = event.sequence;
            visit(&event, context);
        } else {
            ++*damaged;
        }
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    return result == SQLITE_DONE;
}
