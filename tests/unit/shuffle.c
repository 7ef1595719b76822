/* Loaded before a test program (LD_PRELOAD; tests/run --shuffle does): runs the tests of a group in
 * the order that the seed in ESN_SHUFFLE makes, the same again for the same seed. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef int run_group(const char *name, const struct CMUnitTest *tests, size_t count,
                      CMFixtureFunction setup, CMFixtureFunction teardown);

run_group _cmocka_run_group_tests;

/* splitmix64, a public-domain generator by Sebastiano Vigna. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            CMFixtureFunction setup, CMFixtureFunction teardown)
{
    run_group *really = (run_group *)dlsym(RTLD_NEXT, "_cmocka_run_group_tests");
    const char *seed = getenv("ESN_SHUFFLE");
    struct CMUnitTest *shuffled = malloc(count * sizeof *shuffled);
    uint64_t state = seed != NULL ? strtoull(seed, NULL, 10) : 0;

    if (really == NULL || shuffled == NULL) {
        (void)fprintf(stderr, "cannot shuffle tests\n");
        exit(EXIT_FAILURE);
    }
    memcpy(shuffled, tests, count * sizeof *shuffled);
    for (size_t i = count; i > 1; i--) {
        size_t other = next_random(&state) % i;
        struct CMUnitTest test = shuffled[i - 1];
        shuffled[i - 1] = shuffled[other];
        shuffled[other] = test;
    }
    int failed = really(name, shuffled, count, setup, teardown);
    free(shuffled);
    return failed;
}
