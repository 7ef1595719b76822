/* Rows of the log on disk: what is written into them, read from them, and checked. The header by
 * which the files of log_database.h and log_values.h know SQLite: no other of the daemon does. */
#ifndef ESN_LOG_ROWS_H
#define ESN_LOG_ROWS_H

#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_CHECKSUM_SIZE = 8 };

struct log_checked {
    const void *bytes;
    size_t length;
};

/* Of all parts: SQLite's own checks look at structure only. `digest` is begun with SHA-256. False
 * without memory. */
bool log_rows_checksum(EVP_MD_CTX *digest, const struct log_checked *parts, size_t count,
                       unsigned char out[LOG_CHECKSUM_SIZE]);
bool log_rows_same_checksum(sqlite3_stmt *row, int column,
                            const unsigned char sum[LOG_CHECKSUM_SIZE]);
/* Never NULL; borrowed until the next row. */
const char *log_rows_bytes(sqlite3_stmt *row, int column, size_t *length);
uint64_t log_rows_number(sqlite3_stmt *row, int column);
/* The bytes are borrowed. */
bool log_rows_bind_bytes(sqlite3_stmt *row, int column, const void *bytes, size_t length);
bool log_rows_bind_number(sqlite3_stmt *row, int column, uint64_t number);
/* Carries a statement out, of which all parameters were bound. */
bool log_rows_carry_out(sqlite3_stmt *statement, bool bound);

#endif
