/* Who may publish and who hears, decided by esn-event for rows of a database: the tables of
 * docs/rights.md, on SQLite and on MariaDB. */
#include "acl_fixture.h"
#include "authorise_point.h"
#include "password.h"
#include "rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LISTS = 5, PEOPLE = 5, PASSWORDS = 4 };
static const char *const lists[LISTS] = {"[]", "[\"luis\"]", "[\"+\"]", "[\"[][][]\"]", "[\"*\"]"};
static const char *const people[PEOPLE] = {"ana", "luis", "eva", "[][][]", NULL};

/* The rules as esn-event has them. */
static struct event_settings settings;
static struct authority_common *common;
static struct authority *authority;

static int open_authority(void **state)
{
    char error[CONFIG_ERROR_SIZE];

    assert_int_equal(acl_fixture_empty_tables(state), 0);
    assert_true(config_set_defaults(&settings.config));
    settings.config.password_remember = 60000;
    settings.config.password_wrong_at_once = 1000000;
    settings.config.acl_time = ACL_FIXTURE_GENEROUS_MS;
    settings.acl.options = acl_fixture.options;
    common = authority_common_open(&settings.config);
    assert_non_null(common);
    authority = authority_open(&settings, common, error);
    if (authority == NULL)
        fail_msg("%s", error);
    return 0;
}

static int close_authority(void **state)
{
    (void)state;
    authority_close(&authority);
    authority_common_close(&common);
    config_free(&settings.config);
    return 0;
}

/* Decides about a point; false when the whole post is refused. */
static bool decide(const struct publish_point *point, const char *user,
                   struct point_decision *decision)
{
    static const struct publisher everything = {.may = PUBLISHER_MAY_BOUND | PUBLISHER_MAY_WHISPER};
    struct publish_fault fault = {0};

    *decision = (struct point_decision){0};
    return authorise_point(authority, point, &everything, user, decision, &fault);
}

static struct publish_point bound_point(const char *topic, const char *password)
{
    return (struct publish_point){.topic = topic,
                                  .topic_length = strlen(topic),
                                  .bound = true,
                                  .password = password,
                                  .password_length = password != NULL ? strlen(password) : 0};
}

/* What a publisher is told, in the order of docs/rights.md: . unbound, u unregistered, f forbidden,
 * w wrong password, s sent. */
static char publish(const struct publish_point *point, const char *user)
{
    static const char told[] = {
        [POINT_GRANTED] = 's',        [POINT_UNREGISTERED] = 'u', [POINT_FORBIDDEN] = 'f',
        [POINT_WRONG_PASSWORD] = 'w', [POINT_NOT_YOURS] = 'n',    [POINT_LIMITED] = 'l'};
    struct point_decision decision;
    bool decided = decide(point, user, &decision);

    /* Nobody hears what is not sent. */
    if (!decided || decision.result != POINT_GRANTED)
        assert_int_equal(decision.allowed.length, 0);
    bytes_free(&decision.allowed);
    return decided ? told[decision.result] : '.';
}

static void test_table_of_publishers(void **state)
{
    (void)state;
    /* Each cell: topic without password, right one, wrong one, none given. */
    static const char *const wanted[PEOPLE][LISTS] = {
        /* pub:             []      luis    +       [][][]  *  */
        /* owner        */ {"ssww", "ssww", "ssww", "ssww", "ssww"},
        /* listed       */ {"ffff", "ssww", "ssww", "ffff", "ssww"},
        /* not listed   */ {"ffff", "ffff", "ssww", "ffff", "ssww"},
        /* without user */ {"ffff", "ffff", "ffff", "ssww", "ssww"},
        /* unbound      */ {"....", "....", "....", "....", "...."}};
    static const char *const given[PASSWORDS] = {NULL, "right", "wrong", NULL};
    char hash[PASSWORD_HASH_SIZE];
    assert_true(password_make(hash, "right", 5, 4));
    for (int list = 0; list < LISTS; list++) {
        for (int password = 0; password < PASSWORDS; password++) {
            const struct acl_values values = {"ana", lists[list], "[]", password == 0 ? "" : hash};
            acl_fixture_expect(acl_add_topic(acl_fixture.acl, "cell", &values), SQL_OK);
            for (int person = 0; person < PEOPLE; person++) {
                struct publish_point point = bound_point("cell", given[password]);
                for (int targeted = 0; targeted < 2; targeted++) {
                    point.targeted = targeted == 1;
                    char answer = publish(&point, people[person]);
                    if (answer != wanted[person][list][password])
                        fail_msg("pub %s, publisher %d, password %d, targeted %d: %c", lists[list],
                                 person, password, targeted, answer);
                }
            }
            acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "cell"), SQL_OK);
        }
    }
    const struct publish_point point = bound_point("cell", NULL);
    for (int person = 0; person < PEOPLE; person++)
        assert_int_equal(publish(&point, people[person]), people[person] != NULL ? 'u' : '.');
}

static bool hears(const struct publish_point *point, const char *user)
{
    struct point_decision decision;

    assert_true(decide(point, "ana", &decision));
    assert_int_equal(decision.result, POINT_GRANTED);
    assert_int_equal((decision.flags & ENVELOPE_TARGETED) != 0, point->targeted);
    bool result =
        rights_may_hear(decision.flags, decision.allowed.data, decision.allowed.length, user);
    bytes_free(&decision.allowed);
    return result;
}

static const char *const hearers[PEOPLE] = {/* sub:             [] luis + [][][] * */
                                            /* owner        */ "yyyyy",
                                            /* listed       */ "-yy-y",
                                            /* not listed   */ "--y-y",
                                            /* without user */ "---yy",
                                            /* unbound      */ "----y"};

static void test_table_of_subscribers(void **state)
{
    (void)state;
    const struct publish_point point = bound_point("cell", NULL);
    for (int list = 0; list < LISTS; list++) {
        acl_fixture_add("cell", "ana", "[]", lists[list]);
        for (int person = 0; person < PEOPLE; person++)
            assert_int_equal(hears(&point, people[person]), hearers[person][list] == 'y');
        acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "cell"), SQL_OK);
    }
}

/* Following is a wish, sub is the permission; and one topic's followers are not the next one's. */
static void test_table_of_followers(void **state)
{
    (void)state;
    struct publish_point point = bound_point("cell", NULL), other = bound_point("other", NULL);
    point.targeted = other.targeted = true;
    for (int list = 0; list < LISTS; list++) {
        acl_fixture_add("cell", "ana", "[]", lists[list]);
        acl_fixture_add("other", "ana", "[]", lists[list]);
        for (int follower = 0; follower < 3; follower++)
            acl_fixture_expect(acl_follow(acl_fixture.acl, "cell", people[follower]), SQL_OK);
        for (int round = 0; round < 2; round++) {
            for (int person = 0; person < PEOPLE; person++) {
                bool follows = person < 3;
                assert_int_equal(hears(&point, people[person]),
                                 follows && hearers[person][list] == 'y');
                assert_false(hears(&other, people[person]));
            }
        }
        acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "cell"), SQL_OK);
        acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "other"), SQL_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_authority, close_authority)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table_of_publishers),
        TEST(test_table_of_subscribers),
        TEST(test_table_of_followers),
    };
    /* `make check` needs no server; tests/system/databases.test.js runs the same with "mariadb". */
    if (argc > 1 && strcmp(argv[1], "mariadb") == 0)
        return cmocka_run_group_tests_name("mariadb", tests, acl_fixture_open_mariadb,
                                           acl_fixture_close_mariadb);
    return cmocka_run_group_tests_name("sqlite", tests, acl_fixture_open_sqlite,
                                       acl_fixture_close_sqlite);
}
