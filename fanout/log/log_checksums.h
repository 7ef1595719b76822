/* Checksums of the rows of the log on disk, over all that such a row says. */
#ifndef ESN_LOG_CHECKSUMS_H
#define ESN_LOG_CHECKSUMS_H

#include "log/log_database.h"
#include "log/log_rows.h"

#include <stdbool.h>
#include <stdint.h>

/* False without memory; `digest` as for log_rows_checksum(). `previous`: sequence of the row before. */
bool log_checksum_event(EVP_MD_CTX *digest, const struct stored_event *stored, uint64_t previous,
                        unsigned char out[LOG_CHECKSUM_SIZE]);
bool log_checksum_state(EVP_MD_CTX *digest, const struct log_state *state,
                        unsigned char out[LOG_CHECKSUM_SIZE]);
bool log_checksum_revocation(EVP_MD_CTX *digest, const struct log_revocation *kept,
                             unsigned char out[LOG_CHECKSUM_SIZE]);

#endif
