/* Who may publish and who hears, for rows that come out of a database: the tables of
 * docs/rights.md, on SQLite and on MariaDB. */
#include "acl_fixture.h"
#include "clock.h"
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

/* What a publisher is told, in the order of docs/rights.md: . unbound, u unregistered, f forbidden,
 * w wrong password, s sent, d database unavailable. */
static char publish(struct password_checker *checker, const char *topic, const char *user,
                    const char *password)
{
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum acl_status status = acl_fixture_find(topic, &row);
    char answer = status == ACL_OK ? 's' : status == ACL_NOT_FOUND ? 'u' : 'd';
    if (answer == 's') {
        enum rights_result result = rights_check_publisher(&row, user, NULL);
        if (result != RIGHTS_GRANTED)
            answer = result == RIGHTS_UNBOUND ? '.' : 'f';
    }
    if (answer == 's' && row.pub_password.length > 0 &&
        password_check(checker, topic, strlen(topic), row.pub_password.text, password,
                       password != NULL ? strlen(password) : 0,
                       clock_monotonic_ms()) != PASSWORD_RIGHT)
        answer = 'w';
    acl_topic_free(&row);
    return answer;
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
    const struct password_options options = {.remember_ms = 60000};
    struct password_checker *checker = password_checker_open(&options);
    char hash[PASSWORD_HASH_SIZE];
    assert_non_null(checker);
    assert_true(password_make(hash, "right", 5, 4));
    for (int list = 0; list < LISTS; list++) {
        for (int password = 0; password < PASSWORDS; password++) {
            const struct acl_values values = {"ana", lists[list], "[]", password == 0 ? "" : hash};
            acl_fixture_expect(acl_add_topic(acl_fixture.acl, "cell", &values), ACL_OK);
            for (int person = 0; person < PEOPLE; person++) {
                char answer = publish(checker, "cell", people[person], given[password]);
                if (answer != wanted[person][list][password])
                    fail_msg("pub %s, publisher %d, password %d: %c", lists[list], person, password,
                             answer);
            }
            acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "cell"), ACL_OK);
        }
    }
    for (int person = 0; person < PEOPLE; person++)
        assert_int_equal(publish(checker, "cell", people[person], NULL), 'u');
    password_checker_close(&checker);
}

static void test_table_of_subscribers(void **state)
{
    (void)state;
    static const char *const wanted[PEOPLE] = {/* sub:             [] luis + [][][] * */
                                               /* owner        */ "yyyyy",
                                               /* listed       */ "-yy-y",
                                               /* not listed   */ "--y-y",
                                               /* without user */ "---yy",
                                               /* unbound      */ "----y"};
    struct acl_topic row = ACL_TOPIC_EMPTY;
    struct bytes allowed = BYTES_EMPTY;
    for (int list = 0; list < LISTS; list++) {
        uint16_t flags = 0;
        acl_fixture_add("cell", "ana", "[]", lists[list]);
        acl_fixture_expect(acl_fixture_find("cell", &row), ACL_OK);
        assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
        for (int person = 0; person < PEOPLE; person++)
            assert_int_equal(rights_may_hear(flags, allowed.data, allowed.length, people[person]),
                             wanted[person][list] == 'y');
        acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "cell"), ACL_OK);
    }
    acl_topic_free(&row);
    bytes_free(&allowed);
}

#define TEST(name) cmocka_unit_test_setup(name, acl_fixture_empty_tables)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_table_of_publishers),
        TEST(test_table_of_subscribers),
    };
    /* `make check` needs no server; tests/system/databases.test.js runs the same with "mariadb". */
    if (argc > 1 && strcmp(argv[1], "mariadb") == 0)
        return cmocka_run_group_tests_name("mariadb", tests, acl_fixture_open_mariadb,
                                           acl_fixture_close_mariadb);
    return cmocka_run_group_tests_name("sqlite", tests, acl_fixture_open_sqlite,
                                       acl_fixture_close_sqlite);
}
