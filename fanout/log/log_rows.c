#include "log/log_rows.h"

#include <string.h>

bool log_rows_checksum(EVP_MD_CTX *digest, const struct log_checked *parts, size_t count,
                       unsigned char out[LOG_CHECKSUM_SIZE])
{
    bool good = EVP_DigestInit_ex2(digest, NULL, NULL) == 1;

    for (size_t i = 0; i < count; i++)
        good = good && EVP_DigestUpdate(digest, parts[i].bytes, parts[i].length) == 1;
    unsigned char sum[EVP_MAX_MD_SIZE];
    good = good && EVP_DigestFinal_ex(digest, sum, NULL) == 1;
    if (good)
        memcpy(out, sum, LOG_CHECKSUM_SIZE);
    return good;
}

const char *log_rows_bytes(sqlite3_stmt *row, int column, size_t *length)
{
    const void *bytes = sqlite3_column_blob(row, column);

    *length = bytes != NULL ? (size_t)sqlite3_column_bytes(row, column) : 0;
    return bytes != NULL ? bytes : "";
}

bool log_rows_same_checksum(sqlite3_stmt *row, int column,
                            const unsigned char sum[LOG_CHECKSUM_SIZE])
{
    size_t length;
    const char *stored = log_rows_bytes(row, column, &length);

    return length == LOG_CHECKSUM_SIZE && memcmp(stored, sum, LOG_CHECKSUM_SIZE) == 0;
}

uint64_t log_rows_number(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

bool log_rows_bind_bytes(sqlite3_stmt *row, int column, const void *bytes, size_t length)
{
    return sqlite3_bind_blob64(row, column, length > 0 ? bytes : "", length, SQLITE_STATIC) ==
           SQLITE_OK;
}

bool log_rows_bind_number(sqlite3_stmt *row, int column, uint64_t number)
{
    return sqlite3_bind_int64(row, column, (sqlite3_int64)number) == SQLITE_OK;
}

bool log_rows_carry_out(sqlite3_stmt *statement, bool bound)
{
    bool good = bound && sqlite3_step(statement) == SQLITE_DONE;

    return sqlite3_reset(statement) == SQLITE_OK && good;
}
