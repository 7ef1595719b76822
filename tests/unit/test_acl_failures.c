/* Registered topics: what a SQLite file or a MariaDB server can do wrong, and what is said then. */
#include "acl_fixture.h"
#include "clock.h"
#include "failing_memory.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- SQLite alone ---- */

static void test_sqlite_file_that_is_not_there(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.other", acl_fixture.path);
    options.path = path;
    options.create = false;
    struct acl *acl = acl_fixture_open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(acl), path));
    assert_non_null(strstr(acl_error(acl), "unable to open database file"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(acl_check(acl), SQL_UNAVAILABLE);
    /* There it is, and nobody had to open anything again. */
    const struct acl_values values = {.owner = "ana"};
    struct sql_options making = options;
    making.create = true;
    struct acl *maker = acl_fixture_open_with(&making);
    acl_fixture_run_file(maker, acl_fixture.schema);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_NOT_FOUND);
    assert_int_equal(acl_add_topic(maker, "a", &values), SQL_OK);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_OK);
    /* Another file takes its place: what the old one granted is over. */
    char old[200];
    (void)snprintf(old, sizeof old, "%s.old", path);
    acl_close(&maker);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    maker = acl_fixture_open_with(&making);
    acl_fixture_run_file(maker, acl_fixture.schema);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_NOT_FOUND);
    acl_close(&maker);
    acl_topic_free(&row);
    acl_close(&acl);
}

static void test_sqlite_is_not_a_database(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.text", acl_fixture.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        assert_true(fputs("this is no database\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    options.path = path;
    struct acl *acl = acl_fixture_open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    acl_close(&acl);
}

/* A row that came before something went wrong grants nothing. */
static void test_sqlite_fails_behind_a_row(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.view", acl_fixture.path);
    options.path = path;
    struct acl *acl = acl_fixture_open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_run_script(acl, "CREATE TABLE numbers (number);"
                                         "INSERT INTO numbers VALUES (1);"
                                         "CREATE VIEW registered_topics AS SELECT 'a' AS topic,"
                                         " 'ana' AS owner, '[]' AS pub, '[\"*\"]' AS sub,"
                                         " abs(number) AS pub_password FROM numbers"),
                     SQL_OK);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_OK);
    assert_string_equal(row.owner.text, "ana");
    assert_int_equal(acl_run_script(acl, "INSERT INTO numbers VALUES (-9223372036854775807 - 1)"),
                     SQL_OK);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(acl), "overflow"));
    assert_null(row.topic.text);
    assert_null(row.owner.text);
    assert_null(row.sub.text);
    acl_topic_free(&row);
    acl_close(&acl);
}

static void test_sqlite_writers(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    options.limit_ms = 50;
    struct acl *hasty = acl_fixture_open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    const struct acl_values values = {.owner = "ana"};
    acl_fixture_add("a", NULL, NULL, NULL);
    /* A writer in the middle of its work holds up no reader, and readers see what is done only. */
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl, "BEGIN IMMEDIATE; DELETE FROM registered_topics;"), SQL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_OK);
    /* But another writer waits, and gives up after its time limit. */
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_change_topic(hasty, "a", &values), SQL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < ACL_FIXTURE_GENEROUS_MS);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, "COMMIT"), SQL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_NOT_FOUND);
    /* A lock of everything, as a backup tool may take it. */
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE"),
        SQL_UNAVAILABLE); /* not while somebody else is connected */
    acl_close(&hasty);
    acl_fixture_expect(
        acl_run_script(acl_fixture.acl, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE"), SQL_OK);
    hasty = acl_fixture_open_with(&options);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_UNAVAILABLE);
    acl_fixture_expect(acl_run_script(acl_fixture.acl, "COMMIT; PRAGMA journal_mode = WAL"),
                       SQL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_NOT_FOUND);
    acl_topic_free(&row);
    acl_close(&hasty);
}

/* A right list is not said to be a wrong one. */
static void test_without_memory_a_list_is_not_wrong(void **state)
{
    (void)state;
    const struct acl_values values = {.sub = "[\"ana\"]"};
    failing_memory_at(1);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "a", &values), SQL_NO_MEMORY);
    assert_true(failing_memory_stop());
    assert_string_equal(acl_error(acl_fixture.acl), "no memory");
    acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "a", &values), SQL_OK);
}

/* ---- MariaDB alone ---- */

static void test_mariadb_that_goes_away(void **state)
{
    (void)state;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    acl_fixture_add("a", "ana", NULL, NULL);
    mariadb_server_stop(&acl_fixture_server, SIGKILL);
    for (int i = 0; i < 3; i++) {
        acl_fixture_expect(acl_fixture_find("a", &row), SQL_UNAVAILABLE);
        assert_null(row.owner.text); /* nothing of before */
    }
    assert_true(strlen(acl_error(acl_fixture.acl)) > 0);
    mariadb_server_start(&acl_fixture_server, false);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    assert_string_equal(row.owner.text, "ana");
    mariadb_server_stop(&acl_fixture_server, SIGTERM);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_UNAVAILABLE);
    mariadb_server_start(&acl_fixture_server, false);
    acl_fixture_expect(acl_fixture_find("a", &row), SQL_OK);
    acl_topic_free(&row);
}

static void test_mariadb_that_closed_idle_connections(void **state)
{
    (void)state;
    const struct acl_values values = {.owner = "ana"};
    for (int i = 0; i < 3; i++) {
        acl_fixture_expect(acl_fixture_look("a"), SQL_NOT_FOUND);
        assert_int_equal(acl_fixture_count_followers("a"), 0);
        acl_fixture_run_as_admin("KILL USER esn");
        acl_fixture_expect(acl_fixture_look("a"),
                           SQL_NOT_FOUND); /* no failure: asked again on a new connection */
    }
    acl_fixture_run_as_admin("KILL USER esn");
    /* A change is not done twice on suspicion. */
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "a", &values), SQL_UNAVAILABLE);
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, "a", &values), SQL_OK);
}

static void test_mariadb_that_is_locked(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    options.limit_ms = 2000; /* enough for a server that is not locked */
    const struct sql_options admin_options = {.kind = SQL_MARIADB,
                                              .limit_ms = ACL_FIXTURE_GENEROUS_MS,
                                              .socket = acl_fixture_server.socket,
                                              .user = "root",
                                              .database = "esn"};
    struct acl *hasty = acl_fixture_open_with(&options),
               *admin = acl_fixture_open_with(&admin_options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_NOT_FOUND);
    assert_int_equal(acl_run_script(admin, "LOCK TABLES registered_topics WRITE"), SQL_OK);
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < ACL_FIXTURE_GENEROUS_MS);
    assert_int_equal(acl_run_script(admin, "UNLOCK TABLES"), SQL_OK);
    assert_int_equal(acl_find_topic(hasty, "a", 1, &row), SQL_NOT_FOUND);
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
    struct sql_options options = acl_fixture.options;
    int listener = open_silent_server(&options.port);
    options.limit_ms = 200;
    struct acl *acl = acl_fixture_open_with(&options);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    uint64_t began = clock_monotonic_ms();
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - began < ACL_FIXTURE_GENEROUS_MS);
    acl_close(&acl);
    assert_int_equal(close(listener), 0);
}

/* A name that the library would take for a Unix socket, which may be another server's. */
static void test_mariadb_on_localhost(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    options.host = "localhost";
    options.socket = "/nowhere/socket";
    struct acl *acl = acl_fixture_open_with(&options);
    acl_fixture_add("a", "ana", NULL, NULL);
    struct acl_topic row = ACL_TOPIC_EMPTY;
    if (acl_find_topic(acl, "a", 1, &row) != SQL_OK)
        fail_msg("%s", acl_error(acl));
    assert_string_equal(row.owner.text, "ana");
    acl_topic_free(&row);
    acl_close(&acl);
}

static const char two_characters[] = "\xe6\x9d\x8e\xe9\x9b\xb7"; /* a name outside of latin1 */

/* Writes and reads names as a server with `option` sets the session up, and looks at them again. */
static void check_names(const char *option, const char *init_connect)
{
    char statement[100], list[40];
    struct acl_topic row = ACL_TOPIC_EMPTY;
    (void)snprintf(statement, sizeof statement, "SET GLOBAL init_connect = '%s'", init_connect);
    (void)snprintf(list, sizeof list, "[\"%s\"]", two_characters);
    mariadb_server_stop(&acl_fixture_server, SIGTERM);
    acl_fixture_server.option = option;
    mariadb_server_start(&acl_fixture_server, false);
    acl_fixture_run_as_admin(statement);
    acl_fixture_run_as_admin("KILL USER esn");
    (void)acl_check(acl_fixture.acl);
    acl_fixture_add(two_characters, two_characters, NULL, NULL);
    acl_fixture_expect(acl_grant(acl_fixture.acl, two_characters, ACL_SUB, two_characters), SQL_OK);
    acl_fixture_run_as_admin("KILL USER esn"); /* a new connection is no different */
    for (int i = 0; i < 2; i++) {
        acl_fixture_expect(acl_fixture_find(two_characters, &row), SQL_OK);
        assert_string_equal(row.topic.text, two_characters);
        assert_string_equal(row.owner.text, two_characters);
        assert_string_equal(row.sub.text, list);
        if (i == 1)
            break;
        mariadb_server_stop(&acl_fixture_server, SIGTERM);
        acl_fixture_server.option = NULL;
        mariadb_server_start(&acl_fixture_server, false);
    }
    acl_topic_free(&row);
    acl_fixture_expect(acl_remove_topic(acl_fixture.acl, two_characters), SQL_OK);
}

static void test_mariadb_that_ignores_the_character_set(void **state)
{
    (void)state;
    check_names("--skip-character-set-client-handshake", "");
    check_names(NULL, "SET NAMES latin1");
}

/* A proxy that wants another character set than its clients. */
struct proxy {
    int listener;
    unsigned port, server_port;
};

static bool pass_on(int from, int to)
{
    char bytes[65536];
    ssize_t length = recv(from, bytes, sizeof bytes, 0);
    if (length <= 0)
        return false;
    char *found = memmem(bytes, (size_t)length, "SET NAMES utf8mb4", 17);
    if (found != NULL)
        found[16] = '3';
    return send(to, bytes, (size_t)length, MSG_NOSIGNAL) == length;
}

static void *be_proxy(void *context)
{
    const struct proxy *proxy = context;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)proxy->server_port)};
    int client = accept(proxy->listener, NULL, NULL);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd both[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    if (connect(server, (struct sockaddr *)&address, sizeof address) == 0) {
        bool open = true;
        while (open && poll(both, 2, -1) > 0)
            open = (both[0].revents == 0 || pass_on(client, server)) &&
                   (both[1].revents == 0 || pass_on(server, client));
    }
    (void)close(server);
    (void)close(client);
    return NULL;
}

static void test_mariadb_with_another_character_set(void **state)
{
    (void)state;
    struct proxy proxy = {.server_port = acl_fixture_server.port};
    struct sql_options options = acl_fixture.options;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    pthread_t thread;
    proxy.listener = open_silent_server(&options.port);
    assert_int_equal(pthread_create(&thread, NULL, be_proxy, &proxy), 0);
    struct acl *acl = acl_fixture_open_with(&options);
    assert_int_equal(acl_find_topic(acl, "a", 1, &row), SQL_UNAVAILABLE);
    assert_non_null(strstr(acl_error(acl), "character set"));
    acl_close(&acl);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(close(proxy.listener), 0);
}

static enum sql_status try_with(const struct sql_options *options)
{
    struct acl *acl = acl_fixture_open_with(options);
    enum sql_status status = acl_check(acl);
    if (status != SQL_OK)
        assert_true(strlen(acl_error(acl)) > 0);
    acl_close(&acl);
    return status;
}

static void test_mariadb_refuses_strangers(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    options.password = "secret";
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    options = acl_fixture.options;
    options.database = "elsewhere";
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    options = acl_fixture.options;
    options.host = "does-not-exist.invalid";
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    options.kind = SQL_MARIADB;
    options.database = NULL;
    char error[SQL_ERROR_SIZE];
    assert_null(acl_open(&options, error));
    options.kind = SQL_SQLITE;
    assert_null(acl_open(&options, error));
}

static void test_mariadb_with_tls(void **state)
{
    (void)state;
    struct sql_options options = acl_fixture.options;
    options.tls = true;
    options.tls_ca = acl_fixture_server.ca;
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE); /* the server has none */
    acl_close(&acl_fixture.acl);
    mariadb_server_stop(&acl_fixture_server, SIGTERM);
    mariadb_server_start(&acl_fixture_server, true);
    acl_fixture_run_as_admin("ALTER USER esn@127.0.0.1 REQUIRE SSL");
    assert_int_equal(try_with(&options), SQL_OK);
    assert_int_equal(try_with(&acl_fixture.options),
                     SQL_UNAVAILABLE); /* plain: refused by the server */
    /* Closed while idle, as without TLS: no failure, and no SIGPIPE either. */
    struct acl *acl = acl_fixture_open_with(&options);
    assert_int_equal(acl_check(acl), SQL_OK);
    acl_fixture_run_as_admin("KILL USER esn");
    assert_int_equal(acl_check(acl), SQL_OK);
    acl_close(&acl);
    options.tls_ca = acl_fixture_server.other_ca;
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    options.tls_ca = NULL; /* the system's authorities know nothing of this one */
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    options.tls_ca = acl_fixture_server.ca;
    options.host = "127.0.0.2"; /* reaches the same server, whose certificate does not name it */
    acl_fixture_run_as_admin(
        "CREATE USER esn@'%' IDENTIFIED BY 'se''cret'; GRANT ALL ON esn.* TO esn@'%';");
    assert_int_equal(try_with(&options), SQL_UNAVAILABLE);
    acl_fixture_run_as_admin("DROP USER esn@'%'; ALTER USER esn@127.0.0.1 REQUIRE NONE");
    acl_fixture.acl = acl_fixture_open_with(&acl_fixture.options);
}

#define TEST(name) cmocka_unit_test_setup(name, acl_fixture_empty_tables)

int main(int argc, char **argv)
{
    const struct CMUnitTest of_sqlite[] = {
        TEST(test_sqlite_file_that_is_not_there),      TEST(test_sqlite_is_not_a_database),
        TEST(test_sqlite_fails_behind_a_row),          TEST(test_sqlite_writers),
        TEST(test_without_memory_a_list_is_not_wrong),
    };
    const struct CMUnitTest of_mariadb[] = {
        TEST(test_mariadb_that_closed_idle_connections),
        TEST(test_mariadb_that_is_locked),
        TEST(test_mariadb_that_is_silent),
        TEST(test_mariadb_on_localhost),
        TEST(test_mariadb_that_ignores_the_character_set),
        TEST(test_mariadb_with_another_character_set),
        TEST(test_mariadb_refuses_strangers),
        TEST(test_mariadb_that_goes_away),
        TEST(test_mariadb_with_tls),
    };
    /* `make check` needs no server; tests/system/databases.test.js runs "mariadb". */
    if (argc > 1 && strcmp(argv[1], "mariadb") == 0)
        return cmocka_run_group_tests_name("mariadb", of_mariadb, acl_fixture_open_mariadb,
                                           acl_fixture_close_mariadb);
    return cmocka_run_group_tests_name("sqlite", of_sqlite, acl_fixture_open_sqlite,
                                       acl_fixture_close_sqlite);
}
