#include "net/tls_memory.h"

#include "heap.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic uint64_t held; /* by whatever thread */

static void *allocate(size_t size, const char *file, int line)
{
    void *memory = malloc(size);

    (void)file, (void)line;
    if (memory != NULL)
        held += heap_taken(malloc_usable_size(memory));
    return memory;
}

static void release(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    if (memory != NULL)
        held -= heap_taken(malloc_usable_size(memory));
    free(memory);
}

static void *reallocate(void *memory, size_t size, const char *file, int line)
{
    uint64_t before = memory != NULL ? heap_taken(malloc_usable_size(memory)) : 0;
    void *larger = realloc(memory, size);

    (void)file, (void)line;
    if (larger != NULL)
        held += heap_taken(malloc_usable_size(larger)) - before;
    else if (size == 0)
        held -= before;
    return larger;
}

void tls_memory_count(void)
{
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
}

uint64_t tls_memory_bytes(void)
{
    return held;
}
