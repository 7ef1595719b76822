#include "random.h"
#include "topic.h"

#include <mosquitto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_PAIRS = 200000, TOPIC_SIZE = 128 };

static bool matches(const char *a, const char *b)
{
    return topic_matches(a, strlen(a), b, strlen(b));
}

struct pair {
    const char *a, *b;
    bool match;
};

static const struct pair pairs[] = {
    {"a", "a", true},
    {"a", "A", false},
    {"a", "a/", false},
    {"a//b", "a//b", true},
    {"a//b", "a/b", false},
    {"a/+/b", "a//b", true},
    {"/", "/", true},
    {"+/+", "/", true},
    {"+", "/", false},
    {"/+", "/a", true},
    {"#", "a/b/c", true},
    {"#", "/", true},
    {"a/#", "a", true},
    {"a/#", "a/", true},
    {"a/#", "a/b/c", true},
    {"a/#", "ab", false},
    {"a/+", "a", false},
    {"a/+", "a/b", true},
    {"a/+", "a/b/c", false},
    {"+/b", "a/b", true},
    {"a/+/#", "a", false},
    {"a/+/#", "a/b", true},
    /* wildcards that do not stand as a whole level, or a # that is not last, are text */
    {"a+", "ab", false},
    {"a+", "a+", true},
    {"a/#/b", "a/x/b", false},
    {"a/#/b", "a/#/b", true},
    {"a/#b", "a/#b", true},
    {"a/#b", "a/xb", false},
    {"a/+/b", "a/#/b", true},
    /* both sides are patterns */
    {"+", "+", true},
    {"#", "#", true},
    {"#", "+", true},
    {"a/+", "+/b", true},
    {"a/+", "+/+/+", false},
    {"a/#", "+/b/c", true},
    {"a/#", "b/#", false},
    {"a/#", "+", true},
    {"a/+/c", "a/b/#", true},
    {"a/+/c", "a/b/d/#", false},
    {"a/b/#", "a/#", true},
    /* a first level with @ is never met by a wildcard, on either side */
    {"+/x", "@USER@/x", false},
    {"#", "@USER@", false},
    {"#", "@", false},
    {"+", "@x", false},
    {"@x/+", "@x/y", true},
    {"@x/#", "@x", true},
    {"@x/#", "+/y", false},
    {"@x/#", "#", false},
    {"@x/#", "@x/+", true},
    {"a/+", "a/@x", true},
    {"a/#", "a/@x/y", true},
    {"x@", "+", true},
};

static void matches_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct pair *pair = &pairs[i];
        if (matches(pair->a, pair->b) != pair->match || matches(pair->b, pair->a) != pair->match)
            fail_msg("%s and %s should %smatch", pair->a, pair->b, pair->match ? "" : "not ");
    }
}

static void append_level(char topic[TOPIC_SIZE], const char *level, bool first)
{
    size_t length = strlen(topic);
    snprintf(topic + length, TOPIC_SIZE - length, "%s%s", first ? "" : "/", level);
}

/* Short, of few words, so that many pairs match. */
static void make_topic(char topic[TOPIC_SIZE], uint64_t *seed, bool pattern, unsigned most_levels)
{
    static const char *const words[] = {"a", "b", "ab", "\xc3\xa9", "", "@a", "a", "+", "+"};
    unsigned levels = 1 + random_below(seed, most_levels);
    topic[0] = '\0';
    for (unsigned i = 0; i < levels; i++) {
        unsigned choices = pattern ? 9 : 7;
        const char *word = words[random_below(seed, choices)];
        if (i == 0 && (word[0] == '@' || levels == 1) && word[0] != '+')
            word = "a";
        append_level(topic, word, i == 0);
    }
    if (pattern && random_below(seed, 3) == 0)
        append_level(topic, "#", false);
}

static void agrees_with_mosquitto(void **state)
{
    (void)state;
    unsigned matched = 0;
    for (uint64_t number = 1; number <= RANDOM_PAIRS; number++) {
        uint64_t seed = number;
        char filter[TOPIC_SIZE], topic[TOPIC_SIZE];
        make_topic(filter, &seed, true, 5);
        make_topic(topic, &seed, false, 5);
        bool theirs = false;
        assert_int_equal(mosquitto_topic_matches_sub(filter, topic, &theirs), MOSQ_ERR_SUCCESS);
        if (matches(filter, topic) != theirs || matches(topic, filter) != theirs)
            fail_msg("seed %llu: %s and %s should %smatch", (unsigned long long)number, filter,
                     topic, theirs ? "" : "not ");
        matched += theirs;
    }
    assert_in_range(matched, RANDOM_PAIRS / 100, RANDOM_PAIRS);
}

/* Some topic is matched by a and, as wanted, by b or not: of all topics of up to four levels out of
 * the words that occur, and one that does not. */
static bool find_topic(const char *a, const char *b, bool wanted_in_b)
{
    static const char *const words[] = {"a", "b", "ab", "\xc3\xa9", "", "@a", "other"};
    enum { WORDS = sizeof words / sizeof *words, LONGEST = 4 };
    for (unsigned levels = 1, count = WORDS; levels <= LONGEST; levels++, count *= WORDS) {
        for (unsigned n = 0; n < count; n++) {
            char topic[TOPIC_SIZE] = "";
            unsigned rest = n;
            for (unsigned i = 0; i < levels; i++, rest /= WORDS)
                append_level(topic, words[rest % WORDS], i == 0);
            bool in_a = false, in_b = false;
            if (topic[0] == '@' || topic[0] == '\0')
                continue;
            assert_int_equal(mosquitto_topic_matches_sub(a, topic, &in_a), MOSQ_ERR_SUCCESS);
            if (in_a)
                assert_int_equal(mosquitto_topic_matches_sub(b, topic, &in_b), MOSQ_ERR_SUCCESS);
            if (in_a && in_b == wanted_in_b)
                return true;
        }
    }
    return false;
}

/* When both sides are patterns, they match if and only if some topic is matched by both. */
static void patterns_match_when_they_share_a_topic(void **state)
{
    enum { PAIRS = 1500 };
    (void)state;
    unsigned matched = 0;
    for (uint64_t number = 1; number <= PAIRS; number++) {
        uint64_t seed = number;
        char a[TOPIC_SIZE], b[TOPIC_SIZE];
        make_topic(a, &seed, true, 3);
        make_topic(b, &seed, true, 3);
        bool common = find_topic(a, b, true);
        if (matches(a, b) != common || matches(b, a) != common)
            fail_msg("seed %llu: %s and %s should %smatch", (unsigned long long)number, a, b,
                     common ? "" : "not ");
        matched += common;
    }
    assert_in_range(matched, PAIRS / 20, PAIRS - PAIRS / 20);
}

/* A grant covers a request if and only if no topic is matched by the request alone. */
static void covers_when_no_topic_is_left_over(void **state)
{
    enum { PAIRS = 3000 };
    (void)state;
    unsigned covered = 0;
    for (uint64_t number = 1; number <= PAIRS; number++) {
        uint64_t seed = number;
        char grant[TOPIC_SIZE], request[TOPIC_SIZE];
        make_topic(grant, &seed, true, 3);
        make_topic(request, &seed, true, 3);
        bool all = !find_topic(request, grant, false);
        if (topic_covers(grant, strlen(grant), request, strlen(request)) != all)
            fail_msg("seed %llu: %s should %scover %s", (unsigned long long)number, grant,
                     all ? "" : "not ", request);
        covered += all;
    }
    assert_in_range(covered, PAIRS / 50, PAIRS - PAIRS / 50);
    assert_true(topic_covers("#", 1, "a", 1));
    assert_true(topic_covers("#", 1, "a/b", 3));
    assert_true(topic_covers("#", 1, "+/b", 3));
    assert_true(topic_covers("#", 1, "#", 1));
    assert_false(topic_covers("#", 1, "@x", 2));
    assert_false(topic_covers("+/a", 3, "@x/a", 4));
    assert_true(topic_covers("@x/#", 4, "@x/a", 4));
}

static void splits_into_levels(void **state)
{
    static const struct {
        const char *topic;
        unsigned levels;
        const char *joined;
    } cases[] = {{"a", 1, "[a]"},
                 {"a//b", 3, "[a][][b]"},
                 {"a/", 2, "[a][]"},
                 {"/", 2, "[][]"},
                 {"", 1, "[]"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rest = cases[i].topic, *level;
        size_t rest_length = strlen(rest), length;
        char joined[TOPIC_SIZE] = "";
        unsigned levels = 0;
        for (; topic_next_level(&rest, &rest_length, &level, &length); levels++) {
            size_t used = strlen(joined);
            snprintf(joined + used, sizeof joined - used, "[%.*s]", (int)length, level);
        }
        assert_int_equal(levels, cases[i].levels);
        assert_string_equal(joined, cases[i].joined);
        assert_null(rest);
    }
}

static void names_faults(void **state)
{
    (void)state;
    assert_null(topic_fault("a/b", 3, 3, 2));
    assert_null(topic_fault("+/#", 3, 3, 2));
    assert_null(topic_fault("\xc3\xa9", 2, 2, 1));
    assert_non_null(topic_fault("", 0, 10, 10));
    assert_non_null(topic_fault("abcd", 4, 3, 10));
    assert_non_null(topic_fault("a/b/", 4, 10, 2));
    assert_non_null(topic_fault("a\0b", 3, 10, 10));
    assert_non_null(topic_fault("a\xff", 2, 10, 10));
    assert_non_null(topic_fault("\xc3", 1, 10, 10));
}

static void tells_wildcards_and_reserved_topics(void **state)
{
    static const char *const wild[] = {"+", "#", "a/+", "+/a", "a/#", "/+/"};
    static const char *const tame[] = {"a", "a+", "+a/b", "#/a", "a/#/b", "##", "a/#b", "/"};
    static const char *const reserved[] = {"@SERVER@", "@CONNECTION@/x", "@USER@/#", "@bind@"};
    static const char *const open[] = {"@user@", "@USER@x", "a/@USER@", "@", "USER", "/@SERVER@"};
    (void)state;
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++)
        assert_true(topic_has_wildcard(wild[i], strlen(wild[i])));
    for (size_t i = 0; i < sizeof tame / sizeof *tame; i++)
        assert_false(topic_has_wildcard(tame[i], strlen(tame[i])));
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        assert_true(topic_is_reserved(reserved[i], strlen(reserved[i])));
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_false(topic_is_reserved(open[i], strlen(open[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_both_ways),
        cmocka_unit_test(agrees_with_mosquitto),
        cmocka_unit_test(patterns_match_when_they_share_a_topic),
        cmocka_unit_test(covers_when_no_topic_is_left_over),
        cmocka_unit_test(splits_into_levels),
        cmocka_unit_test(names_faults),
        cmocka_unit_test(tells_wildcards_and_reserved_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
