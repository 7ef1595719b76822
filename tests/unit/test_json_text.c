#include "json_text.h"
#include "random.h"
#include "utf8.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 20, RANDOM_TEXTS = 20000 };

static struct json_span span_of(const char *text)
{
    return (struct json_span){.start = text, .length = strlen(text)};
}

static void assert_written(const char *text, const char *expected)
{
    const char *fault = NULL;
    struct bytes out = BYTES_EMPTY;
    if (!json_text_check(text, strlen(text), DEPTH, &fault))
        fail_msg("%s: %s", text, fault);
    json_text_write_ascii(&out, span_of(text));
    assert_string_equal(bytes_terminate(&out), expected);
    bytes_free(&out);
}

static void rewrites_without_changing_values(void **state)
{
    static const char *const cases[][2] = {
        {"0", "0"},
        {" null ", "null"},
        {"\t[ ]\r\n", "[]"},
        {"{ }", "{}"},
        {"-0.0e-999999999999999999999", "-0.0e-999999999999999999999"},
        {"[1E5,12345678901234567890123456789012345678901234567890,0.1000]",
         "[1E5,12345678901234567890123456789012345678901234567890,0.1000]"},
        {"{\"a\" : 1 , \"a\":[ true,false , null ] }", "{\"a\":1,\"a\":[true,false,null]}"},
        {"\" it's  white space \"", "\" it\\u0027s  white space \""},
        {"\"\\u0000\\ud800\\uDC00x\\udfff\\n\\/\\\\\\\"\"",
         "\"\\u0000\\ud800\\uDC00x\\udfff\\n\\/\\\\\\\"\""},
        {"\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\x7f\"", "\"\\u00e9\\u2028\\ud83d\\ude00\x7f\""},
        {"{\"k'\xc3\xa9\":{\"\":[[],{}]}}", "{\"k\\u0027\\u00e9\":{\"\":[[],{}]}}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_written(cases[i][0], cases[i][1]);
}

static const char *const not_json[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "undefined",
    "'a'",
    "a",
    "+1",
    "01",
    "-",
    "-a",
    ".5",
    "1.",
    "1.e5",
    "1e",
    "1e+",
    "0x10",
    "1 2",
    "\"",
    "\"\\",
    "\"\\u12",
    "\"\\u12g4\"",
    "\"\\x41\"",
    "\"\n\"",
    "\"\t\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    "{\"a\",1}",
    "[\"a\":1]",
    "[] []",
    "{}x",
    "\xef\xbb\xbf{}",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xc3\"",
    "[\xc3\xa9]",
    "\v1",
    "\f[]",
    "//x\n1",
    "[1]/**/",
    "1\xc2\xa0",
};

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof not_json / sizeof *not_json; i++) {
        const char *fault = NULL;
        if (json_text_check(not_json[i], strlen(not_json[i]), DEPTH, &fault))
            fail_msg("was taken for JSON: %s", not_json[i]);
        assert_non_null(fault);
        assert_false(json_text_check(not_json[i], strlen(not_json[i]), DEPTH, NULL));
    }
    assert_false(json_text_check("1\0", 2, DEPTH, NULL));
    assert_false(json_text_check("\"\0\"", 3, DEPTH, NULL));
    assert_false(json_text_check("\"\\\0\"", 4, DEPTH, NULL));
}

/* Any cut of a text that ends in a bracket or quote leaves no JSON, and nothing is read beyond the
 * cut: each piece lies in memory of its own size. */
static void refuses_every_cut_text(void **state)
{
    static const char text[] =
        "{\"a\\u00e9\":[1.5e+3,true,false,null,\"x\\n\xf0\x9f\x98\x80\"],\"b\":{\"c\":-0}}";
    (void)state;
    assert_true(json_text_check(text, sizeof text - 1, DEPTH, NULL));
    for (size_t length = 0; length < sizeof text - 1; length++) {
        char *piece = malloc(length + (length == 0));
        assert_non_null(piece);
        memcpy(piece, text, length);
        assert_false(json_text_check(piece, length, DEPTH, NULL));
        free(piece);
    }
}

static char *nested(unsigned depth, const char *open, const char *close, const char *inside)
{
    struct bytes text = BYTES_EMPTY;
    for (unsigned i = 0; i < depth; i++)
        bytes_append_text(&text, open);
    bytes_append_text(&text, inside);
    for (unsigned i = 0; i < depth; i++)
        bytes_append_text(&text, close);
    assert_non_null(bytes_terminate(&text));
    return text.data;
}

static void bounds_nesting(void **state)
{
    static const unsigned depths[] = {0, 1, 7, 8, 9, 100, 99999, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        unsigned depth = depths[i];
        char *lists = nested(depth, "[", "]", "0");
        char *objects = nested(depth, "{\"a\":[{\"b\":1},", "]}", "0");
        assert_true(json_text_check(lists, strlen(lists), depth, NULL));
        assert_true(depth == 0 || !json_text_check(lists, strlen(lists), depth - 1, NULL));
        if (depth < 40000) {
            assert_true(json_text_check(objects, strlen(objects), depth * 2 + 1, NULL));
            assert_true(depth == 0 || !json_text_check(objects, strlen(objects), depth * 2, NULL));
        }
        free(lists);
        free(objects);
    }
    char *deepest = nested(100001, "[", "]", "");
    assert_false(json_text_check(deepest, strlen(deepest), UINT32_MAX, NULL));
    free(deepest);
    char *crossed = nested(9, "[{\"a\":", "]}", "0");
    assert_false(json_text_check(crossed, strlen(crossed), DEPTH, NULL));
    free(crossed);
}

static void assert_member(const char *object, const char *key, const char *expected)
{
    assert_true(json_text_check(object, strlen(object), DEPTH, NULL));
    struct json_span value = json_text_member(span_of(object), key);
    if (expected == NULL) {
        assert_null(value.start);
        assert_int_equal(value.length, 0);
        return;
    }
    assert_non_null(value.start);
    assert_int_equal(value.length, strlen(expected));
    assert_memory_equal(value.start, expected, value.length);
}

static void finds_members(void **state)
{
    static const char odd[] =
        " { \"x\" : [ {\"e\":9} , \"}]\\\"e\" ] , \"\\u0065\" : 1 , \"e\": {\"p\": 2 } }";
    (void)state;
    assert_member(odd, "e", "{\"p\": 2 }");
    assert_member(odd, "x", "[ {\"e\":9} , \"}]\\\"e\" ]");
    assert_member(odd, "p", NULL);
    assert_member(odd, "", NULL);
    assert_member("{\"e\":1,\"e\":null}", "e", "null");
    assert_member("{\"\\u0065\\u0070\":\"s\\\"\"}", "ep", "\"s\\\"\"");
    assert_member("{\"a\\n\":-1.5e3}", "a\n", "-1.5e3");
    assert_member("{\"ep\":1}", "e", NULL);
    assert_member("{\"e\":1}", "ep", NULL);
    assert_member("{\"e\\u0000\":1}", "e", NULL);
    assert_member("{\"e\xc3\xa9\":1,\"\\ud800e\":2,\"\\u0165\":3}", "e", NULL);
    assert_member("{\"\":0}", "", "0");
    assert_member("{}", "e", NULL);
    assert_member("[\"e\",1]", "e", NULL);
    assert_member("\"e\"", "e", NULL);
}

static void finds_several_members_at_once(void **state)
{
    static const char text[] =
        "{\"b\":[1,\"\\\\\\\\\"],\"a\":1,\"c\\\\\\\"\":\"\\\\\\\"}\",\"a\":\"x\"}";
    static const char *const keys[] = {"a", "none", "b", "c\\\""};
    static const char *const expected[] = {"\"x\"", NULL, "[1,\"\\\\\\\\\"]", "\"\\\\\\\"}\""};
    struct json_span found[4];
    (void)state;
    assert_true(json_text_check(text, strlen(text), DEPTH, NULL));
    json_text_members(span_of(text), keys, found, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(found[i].length, expected[i] == NULL ? 0 : strlen(expected[i]));
        if (expected[i] != NULL)
            assert_memory_equal(found[i].start, expected[i], found[i].length);
        else
            assert_null(found[i].start);
    }
    json_text_members(span_of("[1]"), keys, found, 4);
    assert_null(found[2].start);
}

static void finds_strings_without_an_escape(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {{"[\"a\"]", 1},
                 {" [ \"a\" ,\n\"b \xc3\xa9/c\"\t] ", 2},
                 {"[\"\"]", 1},
                 {"[\"a\",\"]\",\",\"]", 3},
                 {"[\"a\",\"b\",\"c\",\"d\"]", 0},
                 {"[]", 0},
                 {"[ ]", 0},
                 {"[\"a\\u0062\"]", 0},
                 {"[\"a\",\"\\\"\"]", 0},
                 {"[\"a\",1]", 0},
                 {"[[\"a\"]]", 0},
                 {"[{\"topic\":\"a\"}]", 0},
                 {"\"a\"", 0},
                 {"{\"a\":\"b\"}", 0}};
    struct json_span found[3];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(json_text_check(cases[i].text, strlen(cases[i].text), DEPTH, NULL));
        assert_int_equal(json_text_plain_strings(span_of(cases[i].text), found, 3), cases[i].count);
    }
    assert_int_equal(json_text_plain_strings(span_of(cases[1].text), found, 3), 2);
    assert_memory_equal(found[0].start, "a", found[0].length);
    assert_int_equal(found[1].length, strlen("b \xc3\xa9/c"));
    assert_memory_equal(found[1].start, "b \xc3\xa9/c", found[1].length);
    assert_int_equal(json_text_plain_strings((struct json_span){0}, found, 3), 0);
}

static void tells_kinds(void **state)
{
    (void)state;
    assert_int_equal(json_text_kind(span_of(" {}")), '{');
    assert_int_equal(json_text_kind(span_of("\n[]")), '[');
    assert_int_equal(json_text_kind(span_of("\"\"")), '"');
    assert_int_equal(json_text_kind(span_of("-1")), '-');
    assert_int_equal(json_text_kind(span_of("7")), '7');
    assert_int_equal(json_text_kind((struct json_span){0}), '\0');
}

/* ---- random texts, with jansson as the other opinion ---- */

static void append_random_string(struct bytes *out, uint64_t *seed)
{
    static const char *const pieces[] = {"a",
                                         "bcdefghijk",
                                         "\\n",
                                         "\\\\",
                                         "\\\"",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "'",
                                         " ",
                                         "\xc3\xa9",
                                         "\xe2\x80\xa8",
                                         "\xf0\x9f\x98\x80",
                                         "\\/",
                                         "''9''",
                                         "]}",
                                         ","};
    bytes_append_text(out, "\"");
    for (unsigned i = random_below(seed, 6); i > 0; i--)
        bytes_append_text(out, pieces[random_below(seed, sizeof pieces / sizeof *pieces)]);
    bytes_append_text(out, "\"");
}

static void append_random_value(struct bytes *out, uint64_t *seed, unsigned depth)
{
    static const char *const scalars[] = {"0",    "-1",   "12.5",  "1e3",
                                          "2E-2", "true", "false", "null"};
    static const char *const blanks[] = {"", "", " ", "\n", "\t\r "};
    unsigned kind = random_below(seed, depth == 0 ? 2 : 4);
    bytes_append_text(out, blanks[random_below(seed, 5)]);
    if (kind == 0) {
        append_random_string(out, seed);
    } else if (kind == 1) {
        bytes_append_text(out, scalars[random_below(seed, 8)]);
    } else {
        unsigned count = random_below(seed, 4);
        bytes_append_text(out, kind == 2 ? "[" : "{");
        for (unsigned i = 0; i < count; i++) {
            bytes_append_text(out, i > 0 ? "," : "");
            if (kind == 3) {
                append_random_string(out, seed);
                bytes_append_text(out, " :");
            }
            append_random_value(out, seed, depth - 1);
        }
        bytes_append_text(out, kind == 2 ? "]" : "}");
    }
    bytes_append_text(out, blanks[random_below(seed, 5)]);
}

static json_t *load(const struct bytes *text, json_error_t *error)
{
    return json_loadb(text->data, text->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

/* What is written is ASCII, equal in value, and no longer changed by writing it again. */
static void check_written(const struct bytes *text, const json_t *value, uint64_t seed)
{
    struct bytes once = BYTES_EMPTY, twice = BYTES_EMPTY;
    json_text_write_ascii(&once, (struct json_span){.start = text->data, .length = text->length});
    json_text_write_ascii(&twice, (struct json_span){.start = once.data, .length = once.length});
    json_error_t error;
    json_t *again = load(&once, &error);
    bool same = json_equal(value, again) && once.length == twice.length &&
                memcmp(once.data, twice.data, once.length) == 0 &&
                memchr(once.data, '\'', once.length) == NULL;
    for (size_t i = 0; i < once.length; i++)
        same = same && (unsigned char)once.data[i] < 0x80;
    if (!same)
        fail_msg("seed %llu: %.*s became %.*s", (unsigned long long)seed, (int)text->length,
                 text->data, (int)once.length, once.data);
    json_decref(again);
    bytes_free(&once);
    bytes_free(&twice);
}

static void damage(struct bytes *text, uint64_t *seed)
{
    static const char odd[] = "\"\\{}[],:0-.eE+tfnu \n\x01\xc3\xff";
    size_t at = random_below(seed, (unsigned)text->length);
    text->data[at] = odd[random_below(seed, sizeof odd - 1)];
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    unsigned valid = 0, invalid = 0;
    for (uint64_t number = 1; number <= RANDOM_TEXTS; number++) {
        uint64_t seed = number;
        struct bytes text = BYTES_EMPTY;
        append_random_value(&text, &seed, 4);
        for (unsigned i = number % 3; i > 0; i--)
            damage(&text, &seed);
        json_error_t error = {0};
        json_t *value = load(&text, &error);
        bool mine = json_text_check(text.data, text.length, DEPTH, NULL);
        /* jansson cannot hold lone surrogates, keys with NUL and numbers out of range. */
        bool beyond = value == NULL && (strstr(error.text, "invalid Unicode") != NULL ||
                                        json_error_code(&error) == json_error_numeric_overflow ||
                                        json_error_code(&error) == json_error_null_byte_in_key);
        if (!beyond && mine != (value != NULL))
            fail_msg("seed %llu: %s %.*s", (unsigned long long)number, mine ? "takes" : "refuses",
                     (int)text.length, text.data);
        if (mine && value != NULL)
            check_written(&text, value, number);
        valid += mine;
        invalid += !mine;
        json_decref(value);
        bytes_free(&text);
    }
    assert_in_range(valid, RANDOM_TEXTS / 4, RANDOM_TEXTS);
    assert_in_range(invalid, RANDOM_TEXTS / 10, RANDOM_TEXTS);
}

static size_t nodes_of(const json_t *value)
{
    size_t nodes = 1, i;
    const char *key;
    json_t *member;

    if (json_is_array(value))
        json_array_foreach(value, i, member) nodes += nodes_of(member);
    if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, key, member) nodes += nodes_of(member);
    return nodes;
}

/* Whatever stands in strings, a tree never has more nodes than the text weighs. */
static void weighs_what_a_tree_would_hold(void **state)
{
    static const struct {
        const char *text;
        size_t weight;
    } cases[] = {{"", 0},
                 {"7", 0},
                 {"[]", 1},
                 {"[1,2,[3]]", 4},
                 {"{\"a\":[1,2]}", 4},
                 {"\"[,:{\"", 0},
                 {"[\"a\\\",[\",\"\\\\\",1]", 3},
                 {"[\"never ends,,,", 1},
                 {"\"\\", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(json_text_weight(cases[i].text, strlen(cases[i].text)), cases[i].weight);
    for (uint64_t number = 0; number < RANDOM_TEXTS / 10; number++) {
        uint64_t seed = number;
        struct bytes text = BYTES_EMPTY;
        append_random_value(&text, &seed, 4);
        json_t *value = json_loadb(text.data, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (value != NULL)
            assert_true(nodes_of(value) <= json_text_weight(text.data, text.length) + 1);
        json_decref(value);
        bytes_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewrites_without_changing_values),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_every_cut_text),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(finds_several_members_at_once),
        cmocka_unit_test(finds_strings_without_an_escape),
        cmocka_unit_test(tells_kinds),
        cmocka_unit_test(agrees_with_jansson),
        cmocka_unit_test(weighs_what_a_tree_would_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
