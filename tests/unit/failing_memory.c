#include "failing_memory.h"

#include <stddef.h>
#include <stdlib.h>

#include "random.h"

static struct {
    uint64_t countdown; /* 0: none is to fail */
    uint64_t random;
    unsigned one_in; /* 0: not at random */
    bool paused, failed;
} failing;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
    if (failing.paused)
        return false;
    bool now = failing.countdown > 0 && --failing.countdown == 0;
    if (failing.one_in > 0)
        now = random_below(&failing.random, failing.one_in) == 0;
    failing.failed = failing.failed || now;
    return now;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

void failing_memory_at(uint64_t n)
{
    failing.countdown = n;
    failing.failed = false;
}

void failing_memory_randomly(uint64_t seed, unsigned one_in)
{
    failing.random = seed;
    failing.one_in = one_in;
    failing.failed = false;
}

void failing_memory_pause(bool pause)
{
    failing.paused = pause;
}

bool failing_memory_stop(void)
{
    bool failed = failing.failed;

    failing.countdown = 0;
    failing.paused = false;
    failing.one_in = 0;
    failing.failed = false;
    return failed;
}
