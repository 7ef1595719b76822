/* How much memory OpenSSL holds, which it does not tell of itself. */
#ifndef ESN_TLS_MEMORY_H
#define ESN_TLS_MEMORY_H

#include <stdint.h>

/* Counts from now on; to be called before anything of OpenSSL is, or it counts nothing
 * (CRYPTO_set_mem_functions(3)). */
void tls_memory_count(void);
/* 0 when nothing is counted. */
uint64_t tls_memory_bytes(void);

#endif
