/* Passwords of topics, against hashes that PHP's password_hash() made. */
#include "password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORD "secreto \xc3\xb1"
#define BCRYPT "$2y$04$VahmjeuaWCxhzmG7DwyMCOVUz4PLis8BNmS3Oejw7rLoCFwiocs4G"
static const char *const hashes_of_word[] = {
    BCRYPT, "$2a$04$abcdefghijklmnopqrstuu9Z7iKMyNEb/MfJBgfD8sYvz9DJjTh9a",
    "$2b$04$abcdefghijklmnopqrstuu9Z7iKMyNEb/MfJBgfD8sYvz9DJjTh9a",
    "$argon2id$v=19$m=1024,t=1,p=1$ZnNmclVkRHVsNHhvTWh3VA$"
    "oSOXAvapuD/s8+mZhvPnbbOyDWMs0ALgRPHkBiJVRTs",
    "$argon2i$v=19$m=1024,t=1,p=1$blJxUXVDYkUudjNIeVh6Zw$"
    "dggK++VsFQLZzcKQBKEcRTm4Pv+1ZHmgxFJATb7x+Xk"};
enum { HASHES = sizeof hashes_of_word / sizeof *hashes_of_word };

static struct password_checker *open_checker(uint64_t remember_ms, unsigned at_once,
                                             uint64_t wrong_ms)
{
    const struct password_options options = {remember_ms, at_once, wrong_ms};
    struct password_checker *checker = password_checker_open(&options);
    assert_non_null(checker);
    return checker;
}

static enum password_result check(struct password_checker *checker, const char *topic,
                                  const char *hash, const char *password, uint64_t now_ms)
{
    return password_check(checker, topic, strlen(topic), hash, password,
                          password != NULL ? strlen(password) : 0, now_ms);
}

static void test_takes_what_php_makes(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 0, 0);
    for (int i = 0; i < HASHES; i++) {
        assert_true(password_hash_is_known(hashes_of_word[i]));
        assert_int_equal(check(checker, "t", hashes_of_word[i], WORD, 0), PASSWORD_RIGHT);
        assert_int_equal(check(checker, "t", hashes_of_word[i], "secreto n", 0), PASSWORD_WRONG);
        assert_int_equal(check(checker, "t", hashes_of_word[i], "", 0), PASSWORD_WRONG);
        assert_int_equal(check(checker, "t", hashes_of_word[i], WORD " ", 0), PASSWORD_WRONG);
        assert_int_equal(check(checker, "t", hashes_of_word[i], NULL, 0), PASSWORD_WRONG);
        /* What follows a NUL counts. */
        assert_int_equal(password_check(checker, "t", 1, hashes_of_word[i], WORD "\0x", 12, 0),
                         PASSWORD_WRONG);
    }
    password_checker_close(&checker);
    assert_null(checker);
    password_checker_close(&checker);
}

static void test_hashes_at_phps_own_cost(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 0, 0);
    static const char *const costly[] = {
        "$2y$10$EoBTDWX3A8vrNbY7vC0ljuGTUZNOciFh3pPy/BeWMAVhrKG9CQdYa",
        "$argon2id$v=19$m=65536,t=4,p=1$THZLdW9XU2g3WS45QWxjZA$"
        "ZO/+q6dgikcTelb3e5oHmGhqR/MaXLSrbTMes3SQQTM"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(check(checker, "t", costly[i], "a", 0), PASSWORD_RIGHT);
        assert_int_equal(check(checker, "t", costly[i], "b", 0), PASSWORD_WRONG);
    }
    password_checker_close(&checker);
}

/* As PHP, bcrypt looks at 72 bytes. */
static void test_long_passwords(void **state)
{
    (void)state;
    static const char of_76[] = "$2y$04$P8S3lqqOgMrfTqQ5kmHaN.uiVCKHWResqu59BUjHU5cJvEz6uK4Gy";
    struct password_checker *checker = open_checker(60000, 0, 0);
    char *huge = calloc(1, 100001);
    assert_non_null(huge);
    memset(huge, 'x', 100000);
    assert_int_equal(password_check(checker, "t", 1, of_76, huge, 72, 0), PASSWORD_RIGHT);
    assert_int_equal(password_check(checker, "t", 1, of_76, huge, 600, 0), PASSWORD_RIGHT);
    assert_int_equal(password_check(checker, "t", 1, of_76, huge, 71, 0), PASSWORD_WRONG);
    assert_int_equal(password_check(checker, "t", 1, of_76, huge, 100000, 0), PASSWORD_WRONG);
    assert_int_equal(password_check(checker, "t", 1, hashes_of_word[3], huge, 4096, 0),
                     PASSWORD_WRONG);
    free(huge);
    password_checker_close(&checker);
}

static void test_refuses_unknown_and_unaffordable_hashes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "secret",
        WORD,
        "*0",
        "$1$abc$XMHFoGM/RJTlEm0IXC5SK.",
        "$6$abc$K4v3HcZ8yAmpRfxML6S46NCcqy9r4/KdbQpFvqSWsBf4dgySOEOo1DHJTrmn2BsJK2aNmPN8Tfb826D2o9"
        ".z51",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$2y$31$VahmjeuaWCxhzmG7DwyMCOVUz4PLis8BNmS3Oejw7rLoCFwiocs4G",
        "$2y$03$VahmjeuaWCxhzmG7DwyMCOVUz4PLis8BNmS3Oejw7rLoCFwiocs4G",
        "$2x$04$VahmjeuaWCxhzmG7DwyMCOVUz4PLis8BNmS3Oejw7rLoCFwiocs4G",
        "$2y$04$VahmjeuaWCxhzmG7DwyMCOVUz4PLis8BNmS3Oejw7rLoCFwiocs4",
        "$2y$04$",
        "$2y$04",
        BCRYPT "x",
        "$argon2d$v=19$m=1024,t=1,p=1$ZnNmclVkRHVsNHhvTWh3VA$oSOXAvapuD/s8+mZhvPnbbOyDWMs0ALgRPHk",
        "$argon2id$v=19$m=4294967295,t=1,p=1$ZnNmclVkRHVsNHhvTWh3VA$oSOXAvapuD",
        "$argon2id$v=19$m=1024,t=100000,p=1$ZnNmclVkRHVsNHhvTWh3VA$oSOXAvapuD",
        "$argon2id$v=19$m=-1,t=1,p=1$ZnNmclVkRHVsNHhvTWh3VA$oSOXAvapuD",
        "$argon2id$v=19$m=1024,t=1,p=1",
        "$argon2id$v=19$m=1024,t=1,p=1$ZnNmclVkRHVsNHhvTWh3VA$",
        "$argon2id$v=19$m=1024,t=1,p=1$$"};
    struct password_checker *checker = open_checker(60000, 0, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(check(checker, "t", bad[i], WORD, 0), PASSWORD_BAD_HASH);
        assert_int_equal(check(checker, "t", bad[i], bad[i], 0), PASSWORD_BAD_HASH);
        assert_int_equal(check(checker, "t", bad[i], "", 0), PASSWORD_BAD_HASH);
    }
    password_checker_close(&checker);
}

/* Each of its costs has a limit of its own. */
static void what_argon2_may_cost_is_bounded(void **state)
{
    static const struct {
        const char *costs;
        bool known;
    } cases[] = {{"m=262144,t=64,p=16", true}, {"m=8,t=64,p=1", true},  {"m=8,t=1,p=16", true},
                 {"m=262145,t=1,p=1", false},  {"m=8,t=65,p=1", false}, {"m=8,t=1,p=17", false},
                 {"m=8,t=1,p=64", false},      {"m=8,t=1", false},      {"t=1,m=8,p=1", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char hash[128];
        (void)snprintf(hash, sizeof hash, "$argon2id$v=19$%s$ZnNmclVkRHVsNHhvTWh3VA$oSOXAvapuD",
                       cases[i].costs);
        if (password_hash_is_known(hash) != cases[i].known)
            fail_msg("%s", cases[i].costs);
    }
}

/* While a topic is out of tries, only what is remembered is right: so that shows what is. */
static void use_up(struct password_checker *checker, const char *topic, int tries, uint64_t now_ms)
{
    for (int i = 0; i < tries; i++)
        assert_int_equal(check(checker, topic, BCRYPT, "wrong", now_ms), PASSWORD_WRONG);
    assert_int_equal(check(checker, topic, BCRYPT, "wrong", now_ms), PASSWORD_LIMITED);
}

static void test_remembers_right_passwords_for_a_time(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(1000, 2, 100000);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 5000), PASSWORD_RIGHT);
    use_up(checker, "t", 2, 5000);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 5999), PASSWORD_RIGHT);
    /* Only under the hash it was right for: the password was changed. */
    assert_int_equal(check(checker, "t", hashes_of_word[1], WORD, 5999), PASSWORD_LIMITED);
    assert_int_equal(check(checker, "t", BCRYPT, "Secreto \xc3\xb1", 5999), PASSWORD_LIMITED);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 6000), PASSWORD_LIMITED);
    password_checker_close(&checker);
}

static void test_remembers_nothing_when_told_so(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 1, 100000);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 0), PASSWORD_RIGHT);
    use_up(checker, "t", 1, 0);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 0), PASSWORD_LIMITED);
    password_checker_close(&checker);
}

static void test_rations_wrong_passwords(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 3, 1000);
    use_up(checker, "t", 3, 10000);
    assert_int_equal(check(checker, "other", BCRYPT, "wrong", 10000), PASSWORD_WRONG);
    assert_int_equal(check(checker, "t", BCRYPT, "wrong", 10999), PASSWORD_LIMITED);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 10999), PASSWORD_LIMITED);
    assert_int_equal(check(checker, "t", BCRYPT, "wrong", 11000), PASSWORD_WRONG);
    assert_int_equal(check(checker, "t", BCRYPT, "wrong", 11000), PASSWORD_LIMITED);
    /* Right ones, and posts without one, cost nothing. */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(check(checker, "t", BCRYPT, WORD, 12000), PASSWORD_RIGHT);
        assert_int_equal(check(checker, "t", BCRYPT, NULL, 12000), PASSWORD_WRONG);
    }
    use_up(checker, "t", 1, 12000);
    use_up(checker, "t", 3, 1000000); /* never more than it began with */
    password_checker_close(&checker);
}

static void test_no_limit_when_told_so(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 0, 1000);
    for (int i = 0; i < 50; i++)
        assert_int_equal(check(checker, "t", BCRYPT, "wrong", 0), PASSWORD_WRONG);
    assert_int_equal(check(checker, "t", BCRYPT, WORD, 0), PASSWORD_RIGHT);
    password_checker_close(&checker);
}

/* More topics than there is room for: those that wait longest are the last to be forgotten. */
static void test_many_topics_push_out_the_least(void **state)
{
    (void)state;
    struct password_checker *checker = open_checker(0, 3, 1000);
    char topic[32];
    use_up(checker, "guarded", 3, 0);
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i);
        assert_int_equal(check(checker, topic, BCRYPT, "wrong", 0), PASSWORD_WRONG);
    }
    assert_int_equal(check(checker, "guarded", BCRYPT, "wrong", 0), PASSWORD_LIMITED);
    password_checker_close(&checker);
}

static void test_makes_hashes(void **state)
{
    (void)state;
    char first[PASSWORD_HASH_SIZE], second[PASSWORD_HASH_SIZE], longest[73];
    struct password_checker *checker = open_checker(0, 0, 0);
    memset(longest, 'y', sizeof longest);
    assert_true(password_make(first, WORD, strlen(WORD), 4));
    assert_true(password_make(second, WORD, strlen(WORD), 4));
    assert_memory_equal(first, "$2y$04$", 7);
    assert_string_not_equal(first, second); /* each with a salt of its own */
    assert_int_equal(check(checker, "t", first, WORD, 0), PASSWORD_RIGHT);
    assert_int_equal(check(checker, "t", first, "x", 0), PASSWORD_WRONG);
    assert_true(password_make(first, longest, 72, 5));
    assert_false(password_make(first, longest, 73, 4));
    assert_false(password_make(first, "", 0, 4));
    assert_false(password_make(first, "a\0b", 3, 4));
    assert_false(password_make(first, "a", 1, 3));
    assert_false(password_make(first, "a", 1, PASSWORD_COST_MAX + 1));
    password_checker_close(&checker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_argon2_may_cost_is_bounded),
        cmocka_unit_test(test_takes_what_php_makes),
        cmocka_unit_test(test_hashes_at_phps_own_cost),
        cmocka_unit_test(test_long_passwords),
        cmocka_unit_test(test_refuses_unknown_and_unaffordable_hashes),
        cmocka_unit_test(test_remembers_right_passwords_for_a_time),
        cmocka_unit_test(test_remembers_nothing_when_told_so),
        cmocka_unit_test(test_rations_wrong_passwords),
        cmocka_unit_test(test_no_limit_when_told_so),
        cmocka_unit_test(test_many_topics_push_out_the_least),
        cmocka_unit_test(test_makes_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
