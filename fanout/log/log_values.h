/* The last values of topics (last_values.h) in the log on disk: a row each, written in the
 * transaction of the event that it is, and there for as long as it is the last one. */
#ifndef ESN_LOG_VALUES_H
#define ESN_LOG_VALUES_H

#include "event.h"
#include "log/log_rows.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_VALUES_SCHEMA                                                                          \
    "CREATE TABLE IF NOT EXISTS kept (kind INTEGER NOT NULL, topic BLOB NOT NULL,"                 \
    " sequence INTEGER NOT NULL, flags INTEGER NOT NULL, json BLOB NOT NULL,"                      \
    " checksum BLOB NOT NULL, PRIMARY KEY (kind, topic)) WITHOUT ROWID;"                           \
    "CREATE INDEX IF NOT EXISTS kept_sequence ON kept (sequence);"

/* All NULL: not prepared. */
struct log_values {
    sqlite3_stmt *put, *forget, *trim;
    uint64_t deleted; /* rows up to this sequence are gone */
};

bool log_values_prepare(struct log_values *values, sqlite3 *sqlite);
void log_values_close(struct log_values *values);
/* In a transaction: the event, which has ENVELOPE_KEEP, takes the place of its topic's value, or
 * leaves it without one. */
bool log_values_write(struct log_values *values, EVP_MD_CTX *digest, const struct event *event);
/* In a transaction: deletes those up to a sequence. */
bool log_values_trim(struct log_values *values, uint64_t through);
/* Gives them by sequence, up to that of the newest event; borrowed. Damaged ones are passed over:
 * *damaged counts them. False when they cannot be read. */
bool log_values_load(sqlite3 *sqlite, EVP_MD_CTX *digest, uint64_t head,
                     void (*visit)(const struct event *, void *context), void *context,
                     int64_t *damaged);

#endif
