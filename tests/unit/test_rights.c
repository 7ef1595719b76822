/* Who may say and hear what: the tables of docs/rights.md, cell by cell. */
#include "envelope.h"
#include "rights.h"
#include "user_list.h"
#include "user_set.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sql_text text(const char *value)
{
    return (struct sql_text){value, value != NULL ? strlen(value) : 0};
}

static struct acl_topic row_of(const char *owner, const char *pub, const char *sub)
{
    return (struct acl_topic){.owner = text(owner), .pub = text(pub), .sub = text(sub)};
}

static const char *const lists[] = {"[]", "[\"luis\"]", "[\"+\"]", "[\"[][][]\"]", "[\"*\"]"};
static const char *const people[] = {"ana", "luis", "eva", "[][][]", NULL};
enum { LISTS = 5, PEOPLE = 5 };

static void test_table_of_publishers(void **state)
{
    (void)state;
    const enum rights_result g = RIGHTS_GRANTED, f = RIGHTS_FORBIDDEN, u = RIGHTS_UNBOUND;
    const enum rights_result wanted[PEOPLE][LISTS] = {/* pub:           []  luis  +  [][][]  *  */
                                                      /* owner       */ {g, g, g, g, g},
                                                      /* listed      */ {f, g, g, f, g},
                                                      /* not listed  */ {f, f, g, f, g},
                                                      /* without user*/ {f, f, f, g, g},
                                                      /* unbound     */ {u, u, u, u, u}};
    for (int person = 0; person < PEOPLE; person++) {
        for (int list = 0; list < LISTS; list++) {
            struct acl_topic row = row_of("ana", lists[list], "[]");
            assert_int_equal(rights_check_publisher(&row, people[person], NULL),
                             wanted[person][list]);
        }
    }
}

static bool hears(const struct acl_topic *row, const char *user)
{
    struct bytes allowed = BYTES_EMPTY;
    uint16_t flags = 0;
    assert_int_equal(rights_find_receivers(row, &flags, &allowed), RIGHTS_GRANTED);
    assert_true((flags & ENVELOPE_BOUND) != 0);
    bool heard = rights_may_hear(flags, allowed.data, allowed.length, user);
    bytes_free(&allowed);
    return heard;
}

static void test_table_of_subscribers(void **state)
{
    (void)state;
    const bool wanted[PEOPLE][LISTS] = {/* sub:           []     luis   +      [][][] *  */
                                        /* owner       */ {true, true, true, true, true},
                                        /* listed      */ {false, true, true, false, true},
                                        /* not listed  */ {false, false, true, false, true},
                                        /* without user*/ {false, false, false, true, true},
                                        /* unbound     */ {false, false, false, false, true}};
    for (int person = 0; person < PEOPLE; person++) {
        for (int list = 0; list < LISTS; list++) {
            struct acl_topic row = row_of("ana", "[]", lists[list]);
            assert_int_equal(hears(&row, people[person]), wanted[person][list]);
        }
    }
}

static void test_lists_are_unions(void **state)
{
    (void)state;
    struct acl_topic row = row_of("ana", "[]", "[\"+\",\"[][][]\",\"luis\"]");
    assert_true(hears(&row, "eva"));
    assert_true(hears(&row, "[][][]"));
    assert_false(hears(&row, NULL));
    row = row_of("ana", "[]", "[\"luis\",\"[][][]\"]");
    assert_true(hears(&row, "luis"));
    assert_true(hears(&row, "[][][]"));
    assert_false(hears(&row, "eva"));
}

static void test_bytes_on_the_bus(void **state)
{
    (void)state;
    static const struct {
        const char *sub;
        uint16_t flags;
        const char *allowed;
        size_t length;
    } cases[] = {
        {"[]", ENVELOPE_BOUND, "ana", 4},
        {"[\"luis\", 7]", ENVELOPE_BOUND, "luis\0007\0ana", 11},
        {"[\"luis\",\"ana\"]", ENVELOPE_BOUND, "luis\0ana", 9},
        {"[\"+\",\"luis\"]", ENVELOPE_BOUND | ENVELOPE_ALL_USERS, "", 0},
        {"[\"+\",\"[][][]\"]", ENVELOPE_BOUND | ENVELOPE_ALL_USERS, "[][][]", 7},
        {"[\"*\",\"luis\"]", ENVELOPE_BOUND | ENVELOPE_EVERYONE, "", 0},
    };
    struct bytes allowed = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t flags = 0;
        struct acl_topic row = row_of("ana", "[]", cases[i].sub);
        assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
        assert_int_equal(flags, cases[i].flags);
        assert_int_equal(allowed.length, cases[i].length);
        if (cases[i].length > 0)
            assert_memory_equal(allowed.data, cases[i].allowed, cases[i].length);
    }
    bytes_free(&allowed);
}

static void test_unbound_events_are_for_unbound_subscriptions(void **state)
{
    (void)state;
    assert_true(rights_may_hear(0, NULL, 0, NULL));
    assert_false(rights_may_hear(0, NULL, 0, "ana"));
    assert_false(rights_may_hear(ENVELOPE_WHISPER, "ana", 4, "ana"));
}

static void test_names_are_compared_whole(void **state)
{
    (void)state;
    static const char allowed[] = "luisa\0ana\0ana maria";
    static const char *const not [] = {"luis", "a", "ana ", "Ana", "maria", "", "na"};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        assert_false(rights_may_hear(ENVELOPE_BOUND, allowed, sizeof allowed, not [i]));
    assert_true(rights_may_hear(ENVELOPE_BOUND, allowed, sizeof allowed, "ana"));
    assert_true(rights_may_hear(ENVELOPE_BOUND, allowed, sizeof allowed, "ana maria"));
    /* Cut short, as no publisher of ours sends it. */
    assert_false(rights_may_hear(ENVELOPE_BOUND, allowed, sizeof allowed - 1, "ana maria"));
}

static void test_nobody_owns_a_topic_without_owner(void **state)
{
    (void)state;
    static const char *const owners[] = {NULL, "", "*", "+", "[][][]", "__DONT__"};
    static const char *const users[] = {"ana", "[][][]", ""};
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        struct acl_topic row = row_of(owners[i], "[]", "[]");
        for (size_t k = 0; k < sizeof users / sizeof *users; k++) {
            assert_int_equal(rights_check_publisher(&row, users[k], NULL), RIGHTS_FORBIDDEN);
            assert_false(hears(&row, users[k]));
        }
        assert_false(hears(&row, NULL));
    }
}

static void test_numbers_and_texts_are_the_same_user(void **state)
{
    (void)state;
    struct acl_topic row = row_of("", "[7, 8.0, 9e0, \"10\", -1, 9007199254740993]", "[]");
    static const char *const listed[] = {"7", "8", "9", "10", "-1", "9007199254740993"};
    static const char *const others[] = {"07", "7.0", "+7", " 7", "9e0", "1", "0"};
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        assert_int_equal(rights_check_publisher(&row, listed[i], NULL), RIGHTS_GRANTED);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(rights_check_publisher(&row, others[i], NULL), RIGHTS_FORBIDDEN);
}

static void test_entries_that_mean_nobody_grant_nothing(void **state)
{
    (void)state;
    size_t ignored = 0;
    struct acl_topic row =
        row_of("",
               "[null, true, [\"eva\"], {\"a\":1}, \"\", 1.5, 1e300, \"__DONT__\","
               " \"*\\u0000\", \"eva\\u0000\", \"\\ud800\", 99999999999999999999,"
               " [[\"eva\", \"]\"], \"\\\\\", {\"]\": \"eva\"}], \"lu\\u0069s\" ]",
               "[]");
    assert_int_equal(rights_check_publisher(&row, "luis", &ignored), RIGHTS_GRANTED);
    assert_int_equal(ignored, 13);
    static const char *const others[] = {"eva", "", "null", "true", "__DONT__", "[][][]", "1.5"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(rights_check_publisher(&row, others[i], NULL), RIGHTS_FORBIDDEN);
}

static void test_damaged_lists_grant_nothing(void **state)
{
    (void)state;
    static const char *const damaged[] = {"{}",         "\"*\"",      "*",    "ana,luis", "[\"*\"",
                                          "[\"\xff\"]", "[\"*\"] []", "null", " ",

                                          "[1,]"};
    struct bytes allowed = BYTES_EMPTY, followers = BYTES_EMPTY;
    uint16_t flags;
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct acl_topic row = row_of("ana", damaged[i], damaged[i]);
        assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_DAMAGED);
        assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_DAMAGED);
        assert_int_equal(allowed.length, 0);
        assert_int_equal(flags & (ENVELOPE_EVERYONE | ENVELOPE_ALL_USERS), 0);
        assert_int_equal(rights_find_inboxes(&row, &followers, &flags, &allowed), RIGHTS_DAMAGED);
    }
    bytes_free(&allowed);
}

static void test_missing_lists_are_empty(void **state)
{
    (void)state;
    static const char *const empty[] = {NULL, "", "[]", " [ ] "};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct acl_topic row = row_of("ana", empty[i], empty[i]);
        assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_GRANTED);
        assert_int_equal(rights_check_publisher(&row, "eva", NULL), RIGHTS_FORBIDDEN);
        assert_false(hears(&row, "eva"));
        struct user_list list = {0};
        assert_int_equal(user_list_read(&list, row.sub.text, row.sub.length), USER_LIST_OK);
        assert_int_equal(list.count + list.ignored, 0);
        user_list_free(&list);
    }
}

static void check_inboxes(const char *sub, const char *wanted, size_t length)
{
    struct bytes allowed = BYTES_EMPTY, followers = BYTES_EMPTY;
    uint16_t flags = 0;
    static const char all[] = "eva\0ana\0luis\0*\0[][][]\0007";
    bytes_append(&followers, all, sizeof all);
    struct acl_topic row = row_of("ana", "[]", sub);
    assert_int_equal(rights_find_inboxes(&row, &followers, &flags, &allowed), RIGHTS_GRANTED);
    assert_int_equal(flags, ENVELOPE_BOUND | ENVELOPE_TARGETED);
    assert_int_equal(allowed.length, length);
    assert_memory_equal(allowed.data, wanted, length);
    assert_false(rights_may_hear(flags, allowed.data, allowed.length, NULL));
    bytes_free(&allowed);
    bytes_free(&followers);
}

static void test_inboxes_are_of_followers_who_may_hear(void **state)
{
    (void)state;
    check_inboxes("[]", "ana", 4);
    check_inboxes("[\"luis\", 7, \"pepe\"]", "ana\0luis\0007", 11);
    check_inboxes("[\"[][][]\"]", "ana", 4);
    check_inboxes("[\"+\"]", "eva\0ana\0luis\0007", 15);
    check_inboxes("[\"*\"]", "eva\0ana\0luis\0007", 15);
    struct bytes allowed = BYTES_EMPTY, none = BYTES_EMPTY;
    uint16_t flags = 0;
    struct acl_topic row = row_of("ana", "[]", "[\"*\"]");
    assert_int_equal(rights_find_inboxes(&row, &none, &flags, &allowed), RIGHTS_GRANTED);
    assert_int_equal(allowed.length, 0);
    bytes_free(&allowed);
}

static void test_user_ids(void **state)
{
    (void)state;
    char longest[USER_ID_MAX + 2], out[USER_ID_SIZE];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(user_id_kind(longest, USER_ID_MAX), USER_ID_USER);
    assert_int_equal(user_id_kind(longest, USER_ID_MAX + 1), USER_ID_INVALID);
    assert_int_equal(user_id_kind("[][][]", 6), USER_ID_SESSION);
    assert_int_equal(user_id_kind("a\0b", 3), USER_ID_INVALID);
    assert_int_equal(user_id_kind("\xc3\xa1", 2), USER_ID_USER);
    static const char *const whole[] = {"0", "-0", "1e3", "9007199254740992.0",
                                        "9223372036854775807"};
    static const char *const texts[] = {"0", "0", "1000", "9007199254740992",
                                        "9223372036854775807"};
    static const char *const no[] = {"0.5", "1e16", "-1e300", "null", "true", "[7]", "{}", "\"\""};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        json_t *value = json_loads(whole[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(user_id_from_json(out, value), USER_ID_USER);
        assert_string_equal(out, texts[i]);
        json_decref(value);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        json_t *value = json_loads(no[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(user_id_from_json(out, value), USER_ID_INVALID);
        assert_string_equal(out, "");
        json_decref(value);
    }
}

static void test_sets_know_their_users(void **state)
{
    (void)state;
    enum { USERS = 20000 };
    struct bytes users = BYTES_EMPTY;
    struct user_set set;
    char name[32];
    assert_true(user_set_fill(&set, NULL, 0));
    assert_false(user_set_has(&set, "x"));
    user_set_free(&set);
    for (int i = 0; i < USERS; i++) {
        bytes_append_format(&users, "user-%d", i);
        bytes_append(&users, "", 1);
    }
    bytes_append_text(&users, "cut"); /* without its NUL */
    assert_true(user_set_fill(&set, users.data, users.length));
    for (int i = 0; i < USERS; i++) {
        (void)snprintf(name, sizeof name, "user-%d", i);
        assert_true(user_set_has(&set, name));
        (void)snprintf(name, sizeof name, "User-%d", i);
        assert_false(user_set_has(&set, name));
    }
    assert_false(user_set_has(&set, "cut"));
    assert_false(user_set_has(&set, ""));
    user_set_free(&set);
    bytes_free(&users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_publishers),
        cmocka_unit_test(test_table_of_subscribers),
        cmocka_unit_test(test_lists_are_unions),
        cmocka_unit_test(test_bytes_on_the_bus),
        cmocka_unit_test(test_unbound_events_are_for_unbound_subscriptions),
        cmocka_unit_test(test_names_are_compared_whole),
        cmocka_unit_test(test_nobody_owns_a_topic_without_owner),
        cmocka_unit_test(test_numbers_and_texts_are_the_same_user),
        cmocka_unit_test(test_entries_that_mean_nobody_grant_nothing),
        cmocka_unit_test(test_damaged_lists_grant_nothing),
        cmocka_unit_test(test_missing_lists_are_empty),
        cmocka_unit_test(test_inboxes_are_of_followers_who_may_hear),
        cmocka_unit_test(test_user_ids),
        cmocka_unit_test(test_sets_know_their_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
