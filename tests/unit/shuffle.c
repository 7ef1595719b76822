/* Loaded before a test program (LD_PRELOAD; tests/run --shuffle and tests/mutants do): runs the tests
 * of a group in the order that the seed in ESN_SHUFFLE makes, the same again for the same seed, and
 * without those whose names stand in ESN_WITHOUT, between blanks. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

static bool is_left_out(const char *name)
{
    const char *names = getenv("ESN_WITHOUT");
    size_t length = strlen(name);

    for (const char *at = names; at != NULL && (at = strstr(at, name)) != NULL; at += length)
        if ((at == names || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

static void shuffle(struct CMUnitTest *tests, size_t count, uint64_t state)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = next_random(&state) % i;
        struct CMUnitTest test = tests[i - 1];
        tests[i - 1] = tests[other];
        tests[other] = test;
    }
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            CMFixtureFunction setup, CMFixtureFunction teardown)
{
    run_group *really = (run_group *)dlsym(RTLD_NEXT, "_cmocka_run_group_tests");
    const char *seed = getenv("ESN_SHUFFLE");
    struct CMUnitTest *chosen = malloc(count * sizeof *chosen);
    size_t chosen_count = 0;

    if (really == NULL || chosen == NULL) {
        (void)fprintf(stderr, "cannot choose tests\n");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < count; i++)
        if (!is_left_out(tests[i].name))
            chosen[chosen_count++] = tests[i];
    if (seed != NULL)
        shuffle(chosen, chosen_count, strtoull(seed, NULL, 10));
    int failed = really(name, chosen, chosen_count, setup, teardown);
    free(chosen);
    return failed;
}
