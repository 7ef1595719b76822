/* Registered topics: one suite, run on SQLite and on MariaDB, then what only one of them can do
 * wrong. */
#include "acl.h"
#include "clock.h"
#include "mariadb_server.h"
#include "password.h"
#include "rights.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* No wait of the code under test is longer than this, however slow the machine. */
enum { GENEROUS_MS = 60000 };

static struct fixture {
    struct acl_options options;
    struct acl *acl;
    const char *schema, *migration;
    char path[96]; /* of the SQLite file */
} fixture;

static struct mariadb_server server;

/* ---- helpers ---- */

static char *read_source(const char *name)
{
    char path[512];
    const char *folder = getenv("srcdir");
    (void)snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : ".", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read %s", path);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void run_file(struct acl *acl, const char *name)
{
    char *script = read_source(name);
    enum acl_status status = acl_run_script(acl, script);
    free(script);
    if (status != ACL_OK)
        fail_msg("%s: %s", name, acl_error(acl));
}

static struct acl *open_with(const struct acl_options *options)
{
    char error[ACL_ERROR_SIZE];
    struct acl *acl = acl_open(options, error);
    if (acl == NULL)
        fail_msg("%s", error);
    return acl;
}

static void expect(enum acl_status status, enum acl_status wanted)
{
    if (status != wanted)
        fail_msg("'%s' instead of '%s': %s", acl_status_words(status), acl_status_words(wanted),
                 acl_error(fixture.acl));
}

static enum acl_status find(const char *topic, struct acl_topic *row)
{
    return acl_find_topic(fixture.acl, topic, strlen(topic), row);
}

static enum acl_status look(const char *topic)
{
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum acl_status status = find(topic, &row);
    acl_topic_free(&row);
    return status;
}

static void add(const char *topic, const char *owner, const char *pub, const char *sub)
{
    const struct acl_values values = {owner, pub, sub, NULL};
    expect(acl_add_topic(fixture.acl, topic, &values), ACL_OK);
}

/* ---- fixtures ---- */

static int open_sqlite(void **state)
{
    (void)state;
    fixture = (struct fixture){.options = {.kind = ACL_SQLITE, .limit_ms = 2000, .create = true},
                               .schema = "schema/sqlite.sql",
                               .migration = "schema/migrate-sqlite.sql"};
    char folder[] = "/tmp/esn-sqlite-XXXXXX";
    assert_non_null(mkdtemp(folder));
    (void)snprintf(fixture.path, sizeof fixture.path, "%s/topics.db", folder);
    fixture.options.path = fixture.path;
    fixture.acl = open_with(&fixture.options);
    run_file(fixture.acl, fixture.schema);
    return 0;
}

static int close_sqlite(void **state)
{
    (void)state;
    char folder[sizeof fixture.path], command[256];
    acl_close(&fixture.acl);
    assert_null(fixture.acl);
    (void)snprintf(folder, sizeof folder, "%s", fixture.path);
    *strrchr(folder, '/') = '\0';
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void run_as_admin(const char *sql)
{
    const struct acl_options options = {.kind = ACL_MARIADB,
                                        .limit_ms = GENEROUS_MS,
                                        .socket = server.socket,
                                        .user = "root",
                                        .database = "mysql"};
    struct acl *admin = open_with(&options);
    if (acl_run_script(admin, sql) != ACL_OK)
        fail_msg("%s", acl_error(admin));
    acl_close(&admin);
}

static struct acl_options mariadb_options(void)
{
    return (struct acl_options){.kind = ACL_MARIADB,
                                .limit_ms = 5000,
                                .host = "127.0.0.1",
                                .port = server.port,
                                .user = "esn",
                                .password = "se'cret",
                                .database = "esn"};
}

static int open_mariadb(void **state)
{
    (void)state;
    mariadb_server_create(&server);
    mariadb_server_start(&server, false);
    run_as_admin("CREATE DATABASE esn CHARACTER SET latin1;"
                 "CREATE USER esn@127.0.0.1 IDENTIFIED BY 'se''cret';"
                 "GRANT ALL ON esn.* TO esn@127.0.0.1;"
                 /* What a careless server may be set to: the program must not depend on it. */
                 "SET GLOBAL sql_mode = '';");
    fixture = (struct fixture){.options = mariadb_options(),
                               .schema = "schema/mariadb.sql",
                               .migration = "schema/migrate-mariadb.sql"};
    fixture.acl = open_with(&fixture.options);
    run_file(fixture.acl, fixture.schema);
    return 0;
}

static int close_mariadb(void **state)
{
    (void)state;
    acl_close(&fixture.acl);
    mariadb_server_remove(&server);
    return 0;
}

static int empty_tables(void **state)
{
    (void)state;
    expect(acl_run_script(fixture.acl, "DELETE FROM registered_topics"), ACL_OK);
    return 0;
}

/* ---- the suite of both ---- */

static void test_finds_what_was_added(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    const struct acl_values values = {"ana", "[\"luis\",7]", "[\"+\"]", "$2y$04$hash"};
    expect(acl_add_topic(fixture.acl, "CASA/NIVEL_AGUA", &values), ACL_OK);
    expect(find("CASA/NIVEL_AGUA", &row), ACL_OK);
    assert_string_equal(row.topic.text, "CASA/NIVEL_AGUA");
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.pub.text, "[\"luis\",7]");
    assert_int_equal(row.pub.length, strlen("[\"luis\",7]"));
    assert_string_equal(row.sub.text, "[\"+\"]");
    assert_string_equal(row.pub_password.text, "$2y$04$hash");
    expect(find("CASA/NIVEL", &row), ACL_NOT_FOUND);
    assert_null(row.topic.text);
    acl_topic_free(&row);
    expect(acl_add_topic(fixture.acl, "CASA/NIVEL_AGUA", &values), ACL_EXISTS);
}

static void test_fills_in_what_is_not_given(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    add("a", NULL, NULL, NULL);
    expect(find("a", &row), ACL_OK);
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
    add("casa/ni\xc3\xb1o", "ana", NULL, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect(look(others[i]), ACL_NOT_FOUND);
    expect(acl_find_topic(fixture.acl, "casa/ni\xc3\xb1o\0", 11, &ACL_TOPIC_EMPTY), ACL_NOT_FOUND);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        add(others[i], NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect(look(others[i]), ACL_OK);
}

static void test_takes_long_topics(void **state)
{
    (void)state;
    char first[4097], second[4097];
    memset(first, 'x', sizeof first);
    first[4096] = '\0';
    memcpy(second, first, sizeof second);
    second[4095] = 'y';
    add(first, "ana", NULL, NULL);
    expect(look(second), ACL_NOT_FOUND);
    add(second, "luis", NULL, NULL);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    expect(find(first, &row), ACL_OK);
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.topic.text, first);
    expect(find(second, &row), ACL_OK);
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
        add(nasty[i], nasty[i], NULL, NULL);
        expect(acl_grant(fixture.acl, nasty[i], ACL_PUB, nasty[i]), ACL_OK);
        expect(acl_follow(fixture.acl, nasty[i], nasty[i]), ACL_OK);
    }
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        expect(find(nasty[i], &row), ACL_OK);
        assert_string_equal(row.topic.text, nasty[i]);
        assert_string_equal(row.owner.text, nasty[i]);
        row.owner.length = 0; /* leaves the list alone to decide */
        assert_int_equal(rights_check_publisher(&row, nasty[i], NULL), RIGHTS_GRANTED);
        bytes_clear(&users);
        expect(acl_find_followers(fixture.acl, nasty[i], strlen(nasty[i]), &users), ACL_OK);
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
    add("a", "ana", "[1]", "[2]");
    const struct acl_values owner = {.owner = "luis"}, nobody = {.owner = ""};
    const struct acl_values rest = {.pub = "[]", .sub = "[\"*\"]", .pub_password = "x"};
    expect(acl_change_topic(fixture.acl, "a", &owner), ACL_OK);
    expect(acl_change_topic(fixture.acl, "a", &owner), ACL_OK); /* nothing new is no failure */
    expect(find("a", &row), ACL_OK);
    assert_string_equal(row.owner.text, "luis");
    assert_string_equal(row.pub.text, "[1]");
    assert_string_equal(row.sub.text, "[2]");
    expect(acl_change_topic(fixture.acl, "a", &rest), ACL_OK);
    expect(acl_change_topic(fixture.acl, "a", &nobody), ACL_OK);
    expect(find("a", &row), ACL_OK);
    assert_string_equal(row.owner.text, "");
    assert_string_equal(row.pub.text, "[]");
    assert_string_equal(row.sub.text, "[\"*\"]");
    assert_string_equal(row.pub_password.text, "x");
    acl_topic_free(&row);
    expect(acl_change_topic(fixture.acl, "b", &rest), ACL_NOT_FOUND);
    expect(acl_remove_topic(fixture.acl, "a"), ACL_OK);
    expect(acl_remove_topic(fixture.acl, "a"), ACL_NOT_FOUND);
    expect(look("a"), ACL_NOT_FOUND);
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
    char long_owner[257];
    memset(long_owner, 'x', 256);
    long_owner[256] = '\0';
    const struct acl_values too_long = {.owner = long_owner};
    add("there", "ana", NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect(acl_add_topic(fixture.acl, "bad", &bad[i]), ACL_INVALID);
        expect(acl_change_topic(fixture.acl, "there", &bad[i]), ACL_INVALID);
        assert_true(strlen(acl_error(fixture.acl)) > 0);
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        expect(acl_add_topic(fixture.acl, topics[i], &none), ACL_INVALID);
    expect(acl_add_topic(fixture.acl, "bad", &too_long), ACL_INVALID);
    expect(look("bad"), ACL_NOT_FOUND);
    expect(acl_grant(fixture.acl, "there", ACL_PUB, ""), ACL_INVALID);
    expect(acl_grant(fixture.acl, "there", ACL_PUB, "__DONT__"), ACL_INVALID);
    expect(acl_follow(fixture.acl, "there", "*"), ACL_INVALID);
}

static void test_grants_and_revokes(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    add("a", NULL, "[7, \"x\"]", NULL);
    expect(acl_grant(fixture.acl, "a", ACL_PUB, "7"), ACL_OK); /* is there, as a number */
    expect(acl_grant(fixture.acl, "a", ACL_PUB, "*"), ACL_OK);
    expect(acl_grant(fixture.acl, "a", ACL_SUB, "[][][]"), ACL_OK);
    expect(find("a", &row), ACL_OK);
    assert_string_equal(row.pub.text, "[7,\"x\",\"*\"]");
    assert_string_equal(row.sub.text, "[\"[][][]\"]");
    expect(acl_revoke(fixture.acl, "a", ACL_PUB, "7"), ACL_OK);
    expect(acl_revoke(fixture.acl, "a", ACL_PUB, "*"), ACL_OK);
    expect(acl_revoke(fixture.acl, "a", ACL_PUB, "nobody"), ACL_OK);
    expect(find("a", &row), ACL_OK);
    assert_string_equal(row.pub.text, "[\"x\"]");
    expect(acl_grant(fixture.acl, "b", ACL_PUB, "x"), ACL_NOT_FOUND);
    acl_topic_free(&row);
}

/* Each child grants its own users; a lost update would lose some. */
static void grant_as_child(int child, int users)
{
    char error[ACL_ERROR_SIZE], name[32];
    struct acl *acl = acl_open(&fixture.options, error);
    for (int i = 0; acl != NULL && i < users; i++) {
        enum acl_status status = ACL_CONFLICT;
        (void)snprintf(name, sizeof name, "child%d-%d", child, i);
        while (status == ACL_CONFLICT)
            status = acl_grant(acl, "shared", ACL_SUB, name);
        if (status != ACL_OK)
            _exit(2);
    }
    _exit(acl != NULL ? 0 : 1);
}

static void test_no_grant_is_lost(void **state)
{
    (void)state;
    enum { CHILDREN = 4, USERS = 15 };
    add("shared", NULL, NULL, NULL);
    acl_close(&fixture.acl); /* a connection must not be shared with children */
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            grant_as_child(i, USERS);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    fixture.acl = open_with(&fixture.options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    struct bytes allowed = BYTES_EMPTY;
    uint16_t flags;
    expect(find("shared", &row), ACL_OK);
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
    struct acl *other = open_with(&fixture.options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    add("a", NULL, "[\"ana\"]", NULL);
    expect(find("a", &row), ACL_OK);
    assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_GRANTED);
    assert_int_equal(acl_revoke(other, "a", ACL_PUB, "ana"), ACL_OK);
    expect(find("a", &row), ACL_OK);
    assert_int_equal(rights_check_publisher(&row, "ana", NULL), RIGHTS_FORBIDDEN);
    assert_int_equal(acl_remove_topic(other, "a"), ACL_OK);
    expect(find("a", &row), ACL_NOT_FOUND);
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
    add("big", "ana", bytes_terminate(&list), list.data);
    expect(find("big", &row), ACL_OK);
    assert_int_equal(row.sub.length, list.length);
    assert_int_equal(rights_check_publisher(&row, "user-9999@example.org", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "user-10000@example.org", NULL),
                     RIGHTS_FORBIDDEN);
    expect(acl_grant(fixture.acl, "big", ACL_SUB, "one more"), ACL_OK);
    expect(find("big", &row), ACL_OK);
    assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
    assert_true(rights_may_hear(flags, allowed.data, allowed.length, "one more"));
    assert_true(rights_may_hear(flags, allowed.data, allowed.length, "user-0@example.org"));
    assert_false(rights_may_hear(flags, allowed.data, allowed.length, "user-0"));
    bytes_free(&allowed);
    bytes_free(&list);
    acl_topic_free(&row);
}

static size_t count_followers(const char *topic)
{
    struct bytes users = BYTES_EMPTY;
    expect(acl_find_followers(fixture.acl, topic, strlen(topic), &users), ACL_OK);
    size_t count = 0;
    for (size_t i = 0; i < users.length; i++)
        count += users.data[i] == '\0';
    bytes_free(&users);
    return count;
}

static void test_followers(void **state)
{
    (void)state;
    struct bytes users = BYTES_EMPTY;
    add("a", NULL, NULL, NULL);
    add("b", NULL, NULL, NULL);
    assert_int_equal(count_followers("a"), 0);
    expect(acl_follow(fixture.acl, "a", "luis"), ACL_OK);
    expect(acl_follow(fixture.acl, "a", "ana"), ACL_OK);
    expect(acl_follow(fixture.acl, "a", "ana"), ACL_OK);
    expect(acl_follow(fixture.acl, "a", "Ana"), ACL_OK);
    expect(acl_follow(fixture.acl, "b", "ana"), ACL_OK);
    expect(acl_find_followers(fixture.acl, "a", 1, &users), ACL_OK);
    assert_int_equal(users.length, 13);
    assert_memory_equal(users.data, "Ana\0ana\0luis", 13);
    bytes_free(&users);
    expect(acl_unfollow(fixture.acl, "a", "Ana"), ACL_OK);
    expect(acl_unfollow(fixture.acl, "a", "Ana"), ACL_NOT_FOUND);
    assert_int_equal(count_followers("a"), 2);
    expect(acl_follow(fixture.acl, "c", "ana"), ACL_NOT_FOUND);
    expect(acl_unfollow(fixture.acl, "c", "ana"), ACL_NOT_FOUND);
    assert_int_equal(count_followers("c"), 0);
    expect(acl_remove_topic(fixture.acl, "a"), ACL_OK);
    add("a", NULL, NULL, NULL);
    assert_int_equal(count_followers("a"), 0);
    assert_int_equal(count_followers("b"), 1);
}

static void test_thousands_of_followers(void **state)
{
    (void)state;
    enum { FOLLOWERS = 5000 };
    struct bytes script = BYTES_EMPTY;
    add("a", NULL, NULL, NULL);
    bytes_append_text(&script, "INSERT INTO topic_followers (topic_id, user_id) VALUES ");
    for (int i = 0; i < FOLLOWERS; i++)
        bytes_append_format(&script, "%s((SELECT id FROM registered_topics), %d)", i > 0 ? "," : "",
                            i);
    expect(acl_run_script(fixture.acl, bytes_terminate(&script)), ACL_OK);
    bytes_free(&script);
    assert_int_equal(count_followers("a"), FOLLOWERS);
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
    add("b", NULL, NULL, NULL);
    add("B", NULL, NULL, NULL);
    add("\xc3\xa1", NULL, NULL, NULL);
    add("a", NULL, NULL, NULL);
    expect(acl_list_topics(fixture.acl, collect_topic, &seen), ACL_OK);
    assert_string_equal(bytes_terminate(&seen), "B a b \xc3\xa1 ");
    bytes_clear(&seen);
    expect(acl_list_topics(fixture.acl, stop_at_second, &seen), ACL_OK);
    assert_string_equal(bytes_terminate(&seen), "B a ");
    expect(look("b"), ACL_OK); /* the connection is free again */
    bytes_free(&seen);
}

/* As a PHP shop does. */
static void test_rows_made_by_hand(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    expect(acl_run_script(fixture.acl, "INSERT INTO registered_topics (topic, owner, pub)"
                                       " VALUES ('hand', 7, '[ 8 , \"x\" ]')"),
           ACL_OK);
    expect(find("hand", &row), ACL_OK);
    assert_int_equal(rights_check_publisher(&row, "7", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "8", NULL), RIGHTS_GRANTED);
    assert_int_equal(rights_check_publisher(&row, "9", NULL), RIGHTS_FORBIDDEN);
    acl_topic_free(&row);
    static const char *const refused[] = {
        "UPDATE registered_topics SET pub = '{}'", "UPDATE registered_topics SET sub = '[1'",
        "UPDATE registered_topics SET pub = ''", "UPDATE registered_topics SET sub = NULL",
        "INSERT INTO registered_topics (topic) VALUES ('')"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        expect(acl_run_script(fixture.acl, refused[i]), ACL_INVALID);
    expect(acl_run_script(fixture.acl, "INSERT INTO registered_topics (topic) VALUES ('hand')"),
           ACL_EXISTS);
}

static void test_without_tables(void **state)
{
    (void)state;
    expect(acl_check(fixture.acl), ACL_OK);
    expect(look("a"), ACL_NOT_FOUND);
    expect(acl_run_script(fixture.acl, "DROP TABLE topic_followers; DROP TABLE registered_topics;"),
           ACL_OK);
    expect(look("a"), ACL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(fixture.acl), "registered_topics"));
    expect(acl_check(fixture.acl), ACL_UNAVAILABLE);
    run_file(fixture.acl, fixture.schema);
    run_file(fixture.acl, fixture.schema); /* again, harmless */
    expect(look("a"), ACL_NOT_FOUND);
}

static void test_a_bad_script_changes_nothing(void **state)
{
    (void)state;
    expect(acl_run_script(fixture.acl, "BEGIN; INSERT INTO registered_topics (topic) VALUES ('a');"
                                       " INSERT INTO nowhere VALUES (1); COMMIT;"),
           ACL_UNAVAILABLE);
    expect(look("a"), ACL_NOT_FOUND);
    expect(acl_run_script(fixture.acl,
                          "BEGIN; INSERT INTO registered_topics (topic) VALUES ('a');"
                          " INSERT INTO registered_topics (topic) VALUES ('a'); COMMIT;"),
           ACL_EXISTS);
    expect(look("a"), ACL_NOT_FOUND);
}

static void test_migrates(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    expect(acl_run_script(fixture.acl,
                          "DROP TABLE IF EXISTS registered_endpoints;"
                          "CREATE TABLE registered_endpoints (id INTEGER PRIMARY KEY,"
                          " endpoint VARCHAR(200), owner VARCHAR(50), pub TEXT, sub TEXT,"
                          " pub_password VARCHAR(255));"
                          "INSERT INTO registered_endpoints VALUES"
                          " (1, 'CASA/NIVEL_AGUA', 'ana', '[\"luis\", 7]', '[\"+\"]', NULL),"
                          " (2, 'CASA/nivel_agua', NULL, '', NULL, 'x'),"
                          " (3, 'taller', '', ' [] ', '[\"*\"]', '');"),
           ACL_OK);
    run_file(fixture.acl, fixture.migration);
    expect(find("CASA/NIVEL_AGUA", &row), ACL_OK);
    assert_string_equal(row.owner.text, "ana");
    assert_string_equal(row.pub.text, "[\"luis\", 7]");
    assert_string_equal(row.sub.text, "[\"+\"]");
    assert_string_equal(row.pub_password.text, "");
    expect(find("CASA/nivel_agua", &row), ACL_OK);
    assert_string_equal(row.owner.text, "");
    assert_string_equal(row.pub.text, "[]");
    assert_string_equal(row.sub.text, "[]");
    assert_string_equal(row.pub_password.text, "x");
    expect(look("taller"), ACL_OK);
    acl_topic_free(&row);

    char *again = read_source(fixture.migration);
    expect(acl_run_script(fixture.acl, again), ACL_EXISTS);
    expect(acl_run_script(fixture.acl, "DELETE FROM registered_topics; UPDATE registered_endpoints"
                                       " SET pub = 'ana,luis' WHERE id = 3;"),
           ACL_OK);
    expect(acl_run_script(fixture.acl, again), ACL_INVALID); /* all or nothing */
    free(again);
    expect(look("CASA/NIVEL_AGUA"), ACL_NOT_FOUND);
    expect(acl_run_script(fixture.acl, "DROP TABLE registered_endpoints"), ACL_OK);
}

/* ---- rights, read from a database ---- */

enum { LISTS = 5, PEOPLE = 5, PASSWORDS = 4 };
static const char *const lists[LISTS] = {"[]", "[\"luis\"]", "[\"+\"]", "[\"[][][]\"]", "[\"*\"]"};
static const char *const people[PEOPLE] = {"ana", "luis", "eva", "[][][]", NULL};

/* What a publisher is told, in the order of PROTOCOL.md: . unbound, u unregistered, f forbidden, w
 * wrong password, s sent, d database unavailable. */
static char publish(struct password_checker *checker, const char *topic, const char *user,
                    const char *password)
{
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum acl_status status = find(topic, &row);
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
            expect(acl_add_topic(fixture.acl, "cell", &values), ACL_OK);
            for (int person = 0; person < PEOPLE; person++) {
                char answer = publish(checker, "cell", people[person], given[password]);
                if (answer != wanted[person][list][password])
                    fail_msg("pub %s, publisher %d, password %d: %c", lists[list], person, password,
                             answer);
            }
            expect(acl_remove_topic(fixture.acl, "cell"), ACL_OK);
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
        add("cell", "ana", "[]", lists[list]);
        expect(find("cell", &row), ACL_OK);
        assert_int_equal(rights_find_receivers(&row, &flags, &allowed), RIGHTS_GRANTED);
        for (int person = 0; person < PEOPLE; person++)
            assert_int_equal(rights_may_hear(flags, allowed.data, allowed.length, people[person]),
                             wanted[person][list] == 'y');
        expect(acl_remove_topic(fixture.acl, "cell"), ACL_OK);
    }
    acl_topic_free(&row);
    bytes_free(&allowed);
}

/* ---- SQLite alone ---- */

static void test_sqlite_file_that_is_not_there(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.other", fixture.path);
    options.path = path;
    options.create = false;
    struct acl *acl = open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(acl), path));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(acl_check(acl), ACL_UNAVAILABLE);
    /* There it is, and nobody had to open anything again. */
    const struct acl_values values = {.owner = "ana"};
    struct acl_options making = options;
    making.create = true;
    struct acl *maker = open_with(&making);
    run_file(maker, fixture.schema);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_NOT_FOUND);
    assert_int_equal(acl_add_topic(maker, "a", &values), ACL_OK);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_OK);
    /* Another file takes its place: what the old one granted is over. */
    char old[200];
    (void)snprintf(old, sizeof old, "%s.old", path);
    acl_close(&maker);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_UNAVAILABLE);
    maker = open_with(&making);
    run_file(maker, fixture.schema);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_NOT_FOUND);
    acl_close(&maker);
    acl_topic_free(&row);
    acl_close(&acl);
}

static void test_sqlite_is_not_a_database(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.text", fixture.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        assert_true(fputs("this is no database\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    options.path = path;
    struct acl *acl = open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_UNAVAILABLE);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_UNAVAILABLE);
    acl_close(&acl);
}

static void test_sqlite_writers(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    options.limit_ms = 50;
    struct acl *hasty = open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    const struct acl_values values = {.owner = "ana"};
    add("a", NULL, NULL, NULL);
    /* A writer in the middle of its work holds up no reader, and readers see what is done only. */
    expect(acl_run_script(fixture.acl, "BEGIN IMMEDIATE; DELETE FROM registered_topics;"), ACL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_OK);
    /* But another writer waits, and gives up after its time limit. */
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_change_topic(hasty, "a", &values), ACL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < GENEROUS_MS);
    expect(acl_run_script(fixture.acl, "COMMIT"), ACL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_NOT_FOUND);
    /* A lock of everything, as a backup tool may take it. */
    expect(acl_run_script(fixture.acl, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE"),
           ACL_UNAVAILABLE); /* not while somebody else is connected */
    acl_close(&hasty);
    expect(acl_run_script(fixture.acl, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE"), ACL_OK);
    hasty = open_with(&options);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_UNAVAILABLE);
    expect(acl_run_script(fixture.acl, "COMMIT; PRAGMA journal_mode = WAL"), ACL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_NOT_FOUND);
    acl_topic_free(&row);
    acl_close(&hasty);
}

/* ---- MariaDB alone ---- */

static void test_mariadb_that_goes_away(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    add("a", "ana", NULL, NULL);
    mariadb_server_stop(&server, SIGKILL);
    for (int i = 0; i < 3; i++) {
        expect(find("a", &row), ACL_UNAVAILABLE);
        assert_null(row.owner.text); /* nothing of before */
    }
    assert_true(strlen(acl_error(fixture.acl)) > 0);
    mariadb_server_start(&server, false);
    expect(find("a", &row), ACL_OK);
    assert_string_equal(row.owner.text, "ana");
    mariadb_server_stop(&server, SIGTERM);
    expect(find("a", &row), ACL_UNAVAILABLE);
    mariadb_server_start(&server, false);
    expect(find("a", &row), ACL_OK);
    acl_topic_free(&row);
}

static void test_mariadb_that_closed_idle_connections(void **state)
{
    (void)state;
    const struct acl_values values = {.owner = "ana"};
    for (int i = 0; i < 3; i++) {
        expect(look("a"), ACL_NOT_FOUND);
        assert_int_equal(count_followers("a"), 0);
        run_as_admin("KILL USER esn");
        expect(look("a"), ACL_NOT_FOUND); /* no failure: asked again on a new connection */
    }
    run_as_admin("KILL USER esn");
    /* A change is not done twice on suspicion. */
    expect(acl_add_topic(fixture.acl, "a", &values), ACL_UNAVAILABLE);
    expect(acl_add_topic(fixture.acl, "a", &values), ACL_OK);
}

static void test_mariadb_that_is_locked(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    options.limit_ms = 300;
    const struct acl_options admin_options = {.kind = ACL_MARIADB,
                                              .limit_ms = GENEROUS_MS,
                                              .socket = server.socket,
                                              .user = "root",
                                              .database = "esn"};
    struct acl *hasty = open_with(&options), *admin = open_with(&admin_options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_NOT_FOUND);
    assert_int_equal(acl_run_script(admin, "LOCK TABLES registered_topics WRITE"), ACL_OK);
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < GENEROUS_MS);
    assert_int_equal(acl_run_script(admin, "UNLOCK TABLES"), ACL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), ACL_NOT_FOUND);
    acl_close(&hasty);
    acl_close(&admin);
}

/* Takes connections and never says a word. */
static int open_silent_server(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 10), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

static void test_mariadb_that_is_silent(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    int listener = open_silent_server(&options.port);
    options.limit_ms = 200;
    struct acl *acl = open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), ACL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < GENEROUS_MS);
    acl_close(&acl);
    assert_int_equal(close(listener), 0);
}

static enum acl_status try_with(const struct acl_options *options)
{
    struct acl *acl = open_with(options);
    enum acl_status status = acl_check(acl);
    if (status != ACL_OK)
        assert_true(strlen(acl_error(acl)) > 0);
    acl_close(&acl);
    return status;
}

static void test_mariadb_refuses_strangers(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    options.password = "secret";
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    options = fixture.options;
    options.database = "elsewhere";
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    options = fixture.options;
    options.host = "does-not-exist.invalid";
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    options.kind = ACL_MARIADB;
    options.database = NULL;
    char error[ACL_ERROR_SIZE];
    assert_null(acl_open(&options, error));
    options.kind = ACL_SQLITE;
    assert_null(acl_open(&options, error));
}

static void test_mariadb_with_tls(void **state)
{
    (void)state;
    struct acl_options options = fixture.options;
    options.tls = true;
    options.tls_ca = server.ca;
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE); /* the server has none */
    acl_close(&fixture.acl);
    mariadb_server_stop(&server, SIGTERM);
    mariadb_server_start(&server, true);
    run_as_admin("ALTER USER esn@127.0.0.1 REQUIRE SSL");
    assert_int_equal(try_with(&options), ACL_OK);
    assert_int_equal(try_with(&fixture.options),
                     ACL_UNAVAILABLE); /* plain: refused by the server */
    options.tls_ca = server.other_ca;
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    options.tls_ca = NULL; /* the system's authorities know nothing of this one */
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    options.tls_ca = server.ca;
    options.host = "127.0.0.2"; /* reaches the same server, whose certificate does not name it */
    run_as_admin("CREATE USER esn@'%' IDENTIFIED BY 'se''cret'; GRANT ALL ON esn.* TO esn@'%';");
    assert_int_equal(try_with(&options), ACL_UNAVAILABLE);
    run_as_admin("DROP USER esn@'%'; ALTER USER esn@127.0.0.1 REQUIRE NONE");
    fixture.acl = open_with(&fixture.options);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_tables)
#define TESTS_OF_BOTH                                                                              \
    TEST(test_finds_what_was_added), TEST(test_fills_in_what_is_not_given),                        \
        TEST(test_compares_byte_for_byte), TEST(test_takes_long_topics),                           \
        TEST(test_values_are_only_values), TEST(test_changes_what_is_given),                       \
        TEST(test_refuses_bad_values), TEST(test_grants_and_revokes), TEST(test_no_grant_is_lost), \
        TEST(test_nothing_is_remembered), TEST(test_ten_thousand_users), TEST(test_followers),     \
        TEST(test_thousands_of_followers), TEST(test_lists), TEST(test_rows_made_by_hand),         \
        TEST(test_without_tables), TEST(test_a_bad_script_changes_nothing), TEST(test_migrates),   \
        TEST(test_table_of_publishers), TEST(test_table_of_subscribers)

int main(void)
{
    const struct CMUnitTest of_sqlite[] = {
        TESTS_OF_BOTH,
        TEST(test_sqlite_file_that_is_not_there),
        TEST(test_sqlite_is_not_a_database),
        TEST(test_sqlite_writers),
    };
    const struct CMUnitTest of_mariadb[] = {
        TESTS_OF_BOTH,
        TEST(test_mariadb_that_closed_idle_connections),
        TEST(test_mariadb_that_is_locked),
        TEST(test_mariadb_that_is_silent),
        TEST(test_mariadb_refuses_strangers),
        TEST(test_mariadb_that_goes_away),
        TEST(test_mariadb_with_tls),
    };
    int failed = cmocka_run_group_tests_name("sqlite", of_sqlite, open_sqlite, close_sqlite);
    failed += cmocka_run_group_tests_name("mariadb", of_mariadb, open_mariadb, close_mariadb);
    return failed;
}
