/* Registered topics: one suite, run on SQLite and on MariaDB. */
#include "acl_fixture.h"
#include "rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the suite of both ---- */

static void test_finds_what_was_added(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    const struct acl_values values = {"ana", "[\"luis\",7]", "[\"+\"]", "$2y$04$hash"};
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "CASA/NIVEL_AGUA", &values), SQL_OK);
    acl_fixture_expect(acl_fixture_find("CASA/NIVEL_AGUA", &row), SQL_OK);
    assert_string_equal(row.topic.text, "CASA/NIVEL_AGUA");
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.pub.text, "[\"luis\",7]");
    assert_int_equal(row.pub.length, strlen("[\"luis\",7]"));
    assert_string_equal(row.sub.text, "[\"+\"]");
    assert_string_equal(row.pub_password.text, "$2y$04$hash");
    acl_fixture_expect(acl_fixture_find("CASA/NIVEL", &row), SQL_NOT_FOUND);
    assert_null(row.topic.text);
    acl_topic_free(&row);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "CASA/NIVEL_AGUA", &values), SQL_EXISTS);
}

static void test_fills_in_what_is_not_given(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_add("a", NULL, NULL, NULL);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.owner.text, "");
    assert_string_equal(row.pub.text, "[]");
    assert_string_equal(row.sub.text, "[]");
    assert_string_equal(row.pub_password.text, "");
    acl_topic_free(&row);
}

static void test_compares_byte_for_byte(void **state)
{
    (void)state;
    static const char *const others[] = {"Casa/ni\xc3\xb1o",    "casa/nino",
                                         "casa/nin\xcc\x83o",   "casa/ni\xc3\xb1o ",
                                         " casa/ni\xc3\xb1o",   "casa/ni\xc3\xb1o/",
                                         "casa/ni\xc3\xb1o\t",  "casa/ni\xc3\x91o",
                                         "casa/ni__o",          "casa/%",
                                         "casa/ni\xc3\xb1o'--", "+/ni\xc3\xb1o"};
    acl_fixture_add("casa/ni\xc3\xb1o", "ana", NULL, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        acl_fixture_expect(acl_fixture_look(others[i]), SQL_NOT_FOUND);
    acl_fixture_expect(acl_find_topic(acl_fixture.acl, "casa/ni\xc3\xb1o\0", 11, &ACL_TOPIC_EMPTY),
                       SQL_NOT_FOUND);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        acl_fixture_add(others[i], NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        acl_fixture_expect(acl_fixture_look(others[i]), SQL_OK);
}

static void test_takes_long_topics(void **state)
{
    (void)state;
    char first[4097], second[4097];
    memset(first, 'x', sizeof first);
    first[4096] = '\0';
    memcpy(second, first, sizeof second);
    second[4095] = 'y';
    acl_fixture_add(first, "ana", NULL, NULL);
    acl_fixture_expect(acl_fixture_look(second), SQL_NOT_FOUND);
    acl_fixture_add(second, "luis", NULL, NULL);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_expect(acl_fixture_find(first, &row), SQL_OK);
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.topic.text, first);
    acl_fixture_expect(acl_fixture_find(second, &row), SQL_OK);
    assert_string_equal(row.owner.text, "luis");
    acl_topic_free(&row);
}

static const char *const nasty[] = {"'; DROP TABLE registered_topics; --",
                                    "\" OR \"\"=\"",
                                    "' OR '1'='1",
                                    "\\'; DELETE FROM registered_topics; #",
                                    "\\",
                                    "%s%n%d",
                                    "$(reboot)`reboot`",
                                    "a\nb\r\tc",
                                    "\xf0\x9f\x92\xa7/\xe2\x80\xa8",
                                    "?1 :a @b $c",
                                    "/* x */",
                                    "{\"topic\":[\"x\"]}",
                                    "\x01\x1f\x7f",
                                    "\xef\xbf\xbd\xf4\x8f\xbf\xbf"};

static void test_values_are_only_values(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    struct bytes users = BYTES_EMPTY;
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        acl_fixture_add(nasty[i], nasty[i], NULL, NULL);
        acl_fixture_expect(acl_grant(acl_fixture.acl, nasty[i], ACL_PUB, nasty[i]), SQL_OK);
        acl_fixture_expect(acl_follow(acl_fixture.acl, nasty[i], nasty[i]), SQL_OK);
    }
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        acl_fixture_expect(acl_fixture_find(nasty[i], &row), SQL_OK);
        assert_string_equal(row.topic.text, nasty[i]);
        assert_string_equal(row.owner.text, nasty[i]);
        row.owner.length = 0; /* leaves the list alone to decide */
        assert_int_equal(rights_check_publisher(&row, nasty[i], NULL), RIGHTS_GRANTED);
        bytes_clear(&users);
        acl_fixture_expect(acl_find_followers(acl_fixture.acl, nasty[i], strlen(nasty[i]), &users),
                           SQL_OK);
        assert_int_equal(users.length, strlen(nasty[i]) + 1);
        assert_memory_equal(users.data, nasty[i], users.length);
    }
    bytes_free(&users);
    acl_topic_free(&row);
}

static void test_changes_what_is_given(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_add("a", "ana", "[1]", "[2]");
    const struct acl_values owner = {.owner = "luis"}, nobody = {.owner = ""};
    const struct acl_values rest = {.pub = "[]", .sub = "[\"*\"]", .pub_password = "x"};
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "a", &owner), SQL_OK);
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "a", &owner),
                       SQL_OK); /* nothing new is no failure */
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.owner.text, "luis");
    assert_string_equal(row.pub.text, "[1]");
    assert_string_equal(row.sub.text, "[2]");
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "a", &rest), SQL_OK);
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "a", &nobody), SQL_OK);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.owner.text, "");
    assert_string_equal(row.pub.text, "[]");
    assert_string_equal(row.sub.text, "[\"*\"]");
    assert_string_equal(row.pub_password.text, "x");
    acl_topic_free(&row);
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "b", &rest), SQL_NOT_FOUND);
    acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "a"), SQL_OK);
    acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "a"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
}

static void test_refuses_bad_values(void **state)
{
    (void)state;
    static const struct acl_values bad[] = {
        {.pub = "{}"},         {.pub = "[1"},         {.sub = ""},
        {.sub = "[null]"},     {.pub = "[[]]"},       {.sub = "[\"\"]"},
        {.pub = "\"*\""},      {.owner = "*"},        {.owner = "+"},
        {.owner = "[][][]"},   {.owner = "__DONT__"}, {.owner = "\xff"},
        {.sub = "[\"\xff\"]"}, {.sub = "[1.5]"},      {.sub = "[\"a\\u0000b\"]"}};
    static const char *const topics[] = {"", "@USER@", "@SERVER@/x", "\xc3"};
    const struct acl_values none = {0};
    char long_text[257];
    memset(long_text, 'x', 256);
    long_text[256] = '\0';
    const struct acl_values too_long = {.owner = long_text},
                            long_hash = {.pub_password = long_text},
                            longest_hash = {.pub_password = long_text + 1};
    acl_fixture_add("there", "ana", NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        acl_fixture_expect(acl_add_topic(acl_fixture.acl, "bad", &bad[i]), SQL_INVALID);
        acl_fixture_expect(acl_change_topic(acl_fixture.acl, "there", &bad[i]), SQL_INVALID);
        assert_true(strlen(acl_error(acl_fixture.acl)) > 0);
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        acl_fixture_expect(acl_add_topic(acl_fixture.acl, topics[i], &none), SQL_INVALID);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "bad", &too_long), SQL_INVALID);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "bad", &long_hash), SQL_INVALID);
    assert_string_equal(acl_error(acl_fixture.acl), "the password's hash is too long");
    acl_fixture_expect(acl_change_topic(acl_fixture.acl, "there", &longest_hash), SQL_OK);
    acl_fixture_expect(acl_fixture_look("bad"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_grant(acl_fixture.acl, "there", ACL_PUB, ""), SQL_INVALID);
    acl_fixture_expect(acl_grant(acl_fixture.acl, "there", ACL_PUB, "__DONT__"), SQL_INVALID);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "there", "*"), SQL_INVALID);
}

static void test_grants_and_revokes(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_add("a", NULL, "[7, \"x\"]", NULL);
    acl_fixture_expect(acl_grant(acl_fixture.acl, "a", ACL_PUB, "7"),
                       SQL_OK); /* is there, as a number */
    acl_fixture_expect(acl_grant(acl_fixture.acl, "a", ACL_PUB, "*"), SQL_OK);
    acl_fixture_expect(acl_grant(acl_fixture.acl, "a", ACL_SUB, "[][][]"), SQL_OK);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.pub.text, "[7,\"x\",\"*\"]");
    assert_string_equal(row.sub.text, "[\"[][][]\"]");
    acl_fixture_expect(acl_revoke(acl_fixture.acl, "a", ACL_PUB, "7"), SQL_OK);
    acl_fixture_expect(acl_revoke(acl_fixture.acl, "a", ACL_PUB, "*"), SQL_OK);
    acl_fixture_expect(acl_revoke(acl_fixture.acl, "a", ACL_PUB, "nobody"), SQL_OK);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.pub.text, "[\"x\"]");
    acl_fixture_expect(acl_grant(acl_fixture.acl, "b", ACL_PUB, "x"), SQL_NOT_FOUND);
    acl_topic_free(&row);
}

/* Each child grants its own users; a lost update would lose some. */
static bool grant_some(struct acl *acl, int child, int users)
{
    char name[32];
    enum sql_status status = SQL_OK;
    for (int i = 0; i < users && status == SQL_OK; i++) {
        (void)snprintf(name, sizeof name, "child%d-%d", child, i);
        do
            status = acl_grant(acl, "shared", ACL_SUB, name);
        while (status == SQL_CONFLICT);
    }
    return status == SQL_OK;
}

static void be_a_child(int child, int users)
{
    char error[SQL_ERROR_SIZE];
    struct acl *acl = acl_open(&acl_fixture.options, error);
    bool done = acl != NULL && grant_some(acl, child, users);
    acl_close(&acl);
    _exit(done ? 0 : 1);
}

static void test_no_grant_is_lost(void **state)
{
    (void)state;
    enum { CHILDREN = 4, USERS = 15 };
    acl_fixture_add("shared", NULL, NULL, NULL);
    acl_close(&acl_fixture.acl); /* a connection must not be shared with children */
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            be_a_child(i, USERS);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    acl_fixture.acl = acl_fixture_open_with(&acl_fixture.options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    struct bytes allowed = BYTES_EMPTY;
    uint16_t flags;
    acl_fixture_expect(acl_fixture_find("shared", &row), SQL_OK);
    assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
    size_t count = 0;
    for (size_t i = 0; i < allowed.length; i++)
        count += allowed.data[i] == '\0';
    assert_int_equal(count, CHILDREN * USERS);
    bytes_free(&allowed);
    acl_topic_free(&row);
}

static void test_nothing_is_remembered(void **state)
{
    (void)state;
    struct acl *other = acl_fixture_open_with(&acl_fixture.options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_add("a", NULL, "[\"ana\"]", NULL);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_GRANTED);
    assert_int_equal(acl_revoke(other, "a", ACL_PUB, "ana"), SQL_OK);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_FORBIDDEN);
    assert_int_equal(acl_remove_topic(other, "a"), SQL_OK);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_NOT_FOUND);
    acl_topic_free(&row);
    acl_close(&other);
}

static void test_ten_thousand_users(void **state)
{
    (void)state;
    enum { USERS = 10000 };
    struct bytes list = BYTES_EMPTY, allowed = BYTES_EMPTY;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    uint16_t flags;
    for (int i = 0; i < USERS; i++)
        bytes_append_format(&list, "%c\"user-%d@example.org\"", i == 0 ? '[' : ',', i);
    bytes_append_text(&list, "]");
    acl_fixture_add("big", "ana", bytes_terminate(&list), list.data);
    acl_fixture_expect(acl_fixture_find("big", &row), SQL_OK);
    assert_int_equal(row.sub.length, list.length);
    assert_int_equal(rights_check_publisher(&row, "user-9999@example.org", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "user-10000@example.org", NULL),
                     RIGHTS_FORBIDDEN);
    acl_fixture_expect(acl_grant(acl_fixture.acl, "big", ACL_SUB, "one more"), SQL_OK);
    acl_fixture_expect(acl_fixture_find("big", &row), SQL_OK);
    assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
    assert_true(rights_may_hear(flags, allowed.data, allowed.length, "one more"));
    assert_true(rights_may_hear(flags, allowed.data, allowed.length, "user-0@example.org"));
    assert_false(rights_may_hear(flags, allowed.data, allowed.length, "user-0"));
    bytes_free(&allowed);
    bytes_free(&list);
    acl_topic_free(&row);
}

static void test_followers(void **state)
{
    (void)state;
    struct bytes users = BYTES_EMPTY;
    acl_fixture_add("a", NULL, NULL, NULL);
    acl_fixture_add("b", NULL, NULL, NULL);
    assert_int_equal(acl_fixture_count_followers("a"), 0);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "a", "luis"), SQL_OK);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "a", "ana"), SQL_OK);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "a", "ana"), SQL_OK);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "a", "Ana"), SQL_OK);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "b", "ana"), SQL_OK);
    acl_fixture_expect(acl_find_followers(acl_fixture.acl, "a", 1, &users), SQL_OK);
    assert_int_equal(users.length, 13);
    assert_memory_equal(users.data, "Ana\0ana\0luis", 13);
    bytes_free(&users);
    acl_fixture_expect(acl_unfollow(acl_fixture.acl, "a", "Ana"), SQL_OK);
    acl_fixture_expect(acl_unfollow(acl_fixture.acl, "a", "Ana"), SQL_NOT_FOUND);
    assert_int_equal(acl_fixture_count_followers("a"), 2);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "c", "ana"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_unfollow(acl_fixture.acl, "c", "ana"), SQL_NOT_FOUND);
    assert_int_equal(acl_fixture_count_followers("c"), 0);
    acl_fixture_expect(acl_remove_topic(acl_fixture.acl, "a"), SQL_OK);
    acl_fixture_add("a", NULL, NULL, NULL);
    assert_int_equal(acl_fixture_count_followers("a"), 0);
    assert_int_equal(acl_fixture_count_followers("b"), 1);
}

static void test_thousands_of_followers(void **state)
{
    (void)state;
    enum { FOLLOWERS = 5000 };
    struct bytes script = BYTES_EMPTY;
    acl_fixture_add("a", NULL, NULL, NULL);
    bytes_append_text(&script, "INSERT INTO topic_followers (topic_id, user_id) VALUES ");
    for (int i = 0; i < FOLLOWERS; i++)
        bytes_append_format(&script, "%s((SELECT id FROM registered_topics), %d)", i > 0 ? "," : "",
                            i);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, bytes_terminate(&script)), SQL_OK);
    bytes_free(&script);
    assert_int_equal(acl_fixture_count_followers("a"), FOLLOWERS);
}

static bool collect_topic(const struct acl_topic *row, void *context)
{
    struct bytes *seen = context;
    bytes_append(seen, row->topic.text, row->topic.length);
    bytes_append_text(seen, " ");
    return true;
}

static bool stop_at_second(const struct acl_topic *row, void *context)
{
    (void)collect_topic(row, context);
    return strcmp(row->topic.text, "a") < 0;
}

static void test_lists(void **state)
{
    (void)state;
    struct bytes seen = BYTES_EMPTY;
    acl_fixture_add("b", NULL, NULL, NULL);
    acl_fixture_add("B", NULL, NULL, NULL);
    acl_fixture_add("\xc3\xa1", NULL, NULL, NULL);
    acl_fixture_add("a", NULL, NULL, NULL);
    acl_fixture_expect(acl_list_topics(acl_fixture.acl, collect_topic, &seen), SQL_OK);
    assert_string_equal(bytes_terminate(&seen), "B a b \xc3\xa1 ");
    bytes_clear(&seen);
    acl_fixture_expect(acl_list_topics(acl_fixture.acl, stop_at_second, &seen), SQL_OK);
    assert_string_equal(bytes_terminate(&seen), "B a ");
    acl_fixture_expect(acl_fixture_look("b"), SQL_OK); /* the connection is free again */
    bytes_free(&seen);
}

/* As a PHP shop does. */
static void test_rows_made_by_hand(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_expect(acl_run_script(acl_fixture.acl,
                                      "INSERT INTO registered_topics (topic, owner, pub)"
                                      " VALUES ('hand', 7, '[ 8 , \"x\" ]')"),
                       SQL_OK);
    acl_fixture_expect(acl_fixture_find("hand", &row), SQL_OK);
    assert_int_equal(rights_check_publisher(&row, "7", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "8", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "9", NULL), RIGHTS_FORBIDDEN);
    acl_topic_free(&row);
    static const char *const refused[] = {
        "UPDATE registered_topics SET pub = '{}'", "UPDATE registered_topics SET sub = '[1'",
        "UPDATE registered_topics SET pub = ''", "UPDATE registered_topics SET sub = NULL",
        "INSERT INTO registered_topics (topic) VALUES ('')"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        acl_fixture_expect(acl_run_script(acl_fixture.acl, refused[i]), SQL_INVALID);
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl, "INSERT INTO registered_topics (topic) VALUES ('hand')"),
        SQL_EXISTS);
}

static void test_without_tables(void **state)
{
    (void)state;
    acl_fixture_expect(acl_check(acl_fixture.acl), SQL_OK);
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_run_script(acl_fixture.acl,
                                      "DROP TABLE topic_followers; DROP TABLE registered_topics;"),
                       SQL_OK);
    acl_fixture_expect(acl_fixture_look("a"), SQL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(acl_fixture.acl), "registered_topics"));
    acl_fixture_expect(acl_check(acl_fixture.acl), SQL_UNAVAILABLE);
    acl_fixture_run_file(acl_fixture.acl, acl_fixture.schema);
    acl_fixture_run_file(acl_fixture.acl, acl_fixture.schema); /* again, harmless */
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
}

struct faults_seen {
    int count;
    char last[SQL_ERROR_SIZE];
};

static void see_fault(const char *sentence, void *context)
{
    struct faults_seen *seen = context;
    seen->count++;
    (void)snprintf(seen->last, sizeof seen->last, "%s", sentence);
}

static void test_finds_faults_of_the_tables(void **state)
{
    (void)state;
    bool sqlite = acl_fixture.options.kind == SQL_SQLITE;
    struct faults_seen seen = {0};
    acl_fixture_expect(acl_find_faults(acl_fixture.acl, see_fault, &seen), SQL_OK);
    assert_int_equal(seen.count, 0);
    const char *spoil = sqlite ? "PRAGMA journal_mode = DELETE"
                               : "ALTER TABLE topic_followers MODIFY user_id VARCHAR(255) "
                                 "CHARACTER SET latin1 NOT NULL";
    const char *mend = sqlite ? "PRAGMA journal_mode = WAL"
                              : "ALTER TABLE topic_followers MODIFY user_id VARCHAR(255)"
                                " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL";
    acl_fixture_expect(acl_run_script(acl_fixture.acl, spoil), SQL_OK);
    acl_fixture_expect(acl_find_faults(acl_fixture.acl, see_fault, &seen), SQL_OK);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.last, sqlite ? "journal_mode is delete" : "column user_id of"));
    acl_fixture_expect(acl_run_script(acl_fixture.acl, mend), SQL_OK);
    acl_fixture_expect(acl_find_faults(acl_fixture.acl, see_fault, &seen), SQL_OK);
    assert_int_equal(seen.count, 1);
}

static void test_a_bad_script_changes_nothing(void **state)
{
    (void)state;
    acl_fixture_expect(acl_run_script(acl_fixture.acl,
                                      "BEGIN; INSERT INTO registered_topics (topic) VALUES ('a');"
                                      " INSERT INTO nowhere VALUES (1); COMMIT;"),
                       SQL_UNAVAILABLE);
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl,
                       "BEGIN; INSERT INTO registered_topics (topic) VALUES ('a');"
                       " INSERT INTO registered_topics (topic) VALUES ('a'); COMMIT;"),
        SQL_EXISTS);
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
}

static void test_migrates(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl,
                       "DROP TABLE IF EXISTS registered_endpoints;"
                       "CREATE TABLE registered_endpoints (id INTEGER PRIMARY KEY,"
                       " endpoint VARCHAR(200), owner VARCHAR(50), pub TEXT, sub TEXT,"
                       " pub_password VARCHAR(255));"
                       "INSERT INTO registered_endpoints VALUES"
                       " (1, 'CASA/NIVEL_AGUA', 'ana', '[\"luis\", 7]', '[\"+\"]', NULL),"
                       " (2, 'CASA/nivel_agua', NULL, '', NULL, 'x'),"
                       " (3, 'taller', '', ' [] ', '[\"*\"]', '');"),
        SQL_OK);
    acl_fixture_run_file(acl_fixture.acl, acl_fixture.migration);
    acl_fixture_expect(acl_fixture_find("CASA/NIVEL_AGUA", &row), SQL_OK);
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.pub.text, "[\"luis\", 7]");
    assert_string_equal(row.sub.text, "[\"+\"]");
    assert_string_equal(row.pub_password.text, "");
    acl_fixture_expect(acl_fixture_find("CASA/nivel_agua", &row), SQL_OK);
    assert_string_equal(row.owner.text, "");
    assert_string_equal(row.pub.text, "[]");
    assert_string_equal(row.sub.text, "[]");
    assert_string_equal(row.pub_password.text, "x");
    acl_fixture_expect(acl_fixture_look("taller"), SQL_OK);
    acl_topic_free(&row);

    char *again = acl_fixture_read_source(acl_fixture.migration);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, again), SQL_EXISTS);
    acl_fixture_expect(acl_run_script(acl_fixture.acl,
                                      "DELETE FROM registered_topics; UPDATE registered_endpoints"
                                      " SET pub = 'ana,luis' WHERE id = 3;"),
                       SQL_OK);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, again), SQL_INVALID); /* all or nothing */
    free(again);
    acl_fixture_expect(acl_fixture_look("CASA/NIVEL_AGUA"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, "DROP TABLE registered_endpoints"), SQL_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, acl_fixture_empty_tables)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_finds_what_was_added),
        TEST(test_fills_in_what_is_not_given),
        TEST(test_compares_byte_for_byte),
        TEST(test_takes_long_topics),
        TEST(test_values_are_only_values),
        TEST(test_changes_what_is_given),
        TEST(test_refuses_bad_values),
        TEST(test_grants_and_revokes),
        TEST(test_no_grant_is_lost),
        TEST(test_nothing_is_remembered),
        TEST(test_ten_thousand_users),
        TEST(test_followers),
        TEST(test_thousands_of_followers),
        TEST(test_lists),
        TEST(test_rows_made_by_hand),
        TEST(test_finds_faults_of_the_tables),
        TEST(test_without_tables),
        TEST(test_a_bad_script_changes_nothing),
        TEST(test_migrates),
    };
    /* `make check` needs no server; tests/system/databases.test.js runs the same with "mariadb". */
    if (argc > 1 && strcmp(argv[1], "mariadb") == 0)
        return cmocka_run_group_tests_name("mariadb", tests, acl_fixture_open_mariadb,
                                           acl_fixture_close_mariadb);
    return cmocka_run_group_tests_name("sqlite", tests, acl_fixture_open_sqlite,
                                       acl_fixture_close_sqlite);
}
