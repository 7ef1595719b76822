#include "acl_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct acl_fixture acl_fixture;
struct mariadb_server acl_fixture_server;

/* ---- helpers ---- */

char *acl_fixture_read_source(const char *name)
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

void acl_fixture_run_file(struct acl *acl, const char *name)
{
    char *script = acl_fixture_read_source(name);
    enum sql_status status = acl_run_script(acl, script);
    free(script);
    if (status != SQL_OK)
        fail_msg("%s: %s", name, acl_error(acl));
}

struct acl *acl_fixture_open_with(const struct sql_options *options)
{
    char error[SQL_ERROR_SIZE];
    struct acl *acl = acl_open(options, error);
    if (acl == NULL)
        fail_msg("%s", error);
    return acl;
}

void acl_fixture_expect(enum sql_status status, enum sql_status wanted)
{
    if (status != wanted)
        fail_msg("'%s' instead of '%s': %s", sql_status_words(status), sql_status_words(wanted),
                 acl_error(acl_fixture.acl));
}

enum sql_status acl_fixture_find(const char *topic, struct acl_topic *row)
{
    return acl_find_topic(acl_fixture.acl, topic, strlen(topic), row);
}

enum sql_status acl_fixture_look(const char *topic)
{
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum sql_status status = acl_fixture_find(topic, &row);
    acl_topic_free(&row);
    return status;
}

void acl_fixture_add(const char *topic, const char *owner, const char *pub, const char *sub)
{
    const struct acl_values values = {owner, pub, sub, NULL};
    acl_fixture_expect(acl_add_topic(acl_fixture.acl, topic, &values), SQL_OK);
}

/* ---- fixtures ---- */

int acl_fixture_open_sqlite(void **state)
{
    (void)state;
    acl_fixture = (struct acl_fixture){
        .options = {.kind = SQL_SQLITE, .limit_ms = ACL_FIXTURE_GENEROUS_MS, .create = true},
        .schema = "schema/sqlite.sql",
        .migration = "schema/migrate-sqlite.sql"};
    char folder[] = "/tmp/esn-sqlite-XXXXXX";
    assert_non_null(mkdtemp(folder));
    (void)snprintf(acl_fixture.path, sizeof acl_fixture.path, "%s/topics.db", folder);
    acl_fixture.options.path = acl_fixture.path;
    acl_fixture.acl = acl_fixture_open_with(&acl_fixture.options);
    acl_fixture_run_file(acl_fixture.acl, acl_fixture.schema);
    return 0;
}

int acl_fixture_close_sqlite(void **state)
{
    (void)state;
    char folder[sizeof acl_fixture.path], command[256];
    acl_close(&acl_fixture.acl);
    assert_null(acl_fixture.acl);
    (void)snprintf(folder, sizeof folder, "%s", acl_fixture.path);
    *strrchr(folder, '/') = '\0';
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

void acl_fixture_run_as_admin(const char *sql)
{
    const struct sql_options options = {.kind = SQL_MARIADB,
                                        .limit_ms = ACL_FIXTURE_GENEROUS_MS,
                                        .socket = acl_fixture_server.socket,
                                        .user = "root",
                                        .database = "mysql"};
    struct acl *admin = acl_fixture_open_with(&options);
    if (acl_run_script(admin, sql) != SQL_OK)
        fail_msg("%s", acl_error(admin));
    acl_close(&admin);
}

static struct sql_options mariadb_options(void)
{
    return (struct sql_options){.kind = SQL_MARIADB,
                                .limit_ms = ACL_FIXTURE_GENEROUS_MS,
                                .host = "127.0.0.1",
                                .port = acl_fixture_server.port,
                                .user = "esn",
                                .password = "se'cret",
                                .database = "esn"};
}

int acl_fixture_open_mariadb(void **state)
{
    (void)state;
    mariadb_server_create(&acl_fixture_server);
    mariadb_server_start(&acl_fixture_server, false);
    acl_fixture_run_as_admin(
        "CREATE DATABASE esn CHARACTER SET latin1;"
        "CREATE USER esn@127.0.0.1 IDENTIFIED BY 'se''cret';"
        "GRANT ALL ON esn.* TO esn@127.0.0.1;"
        /* What a careless server may be set to: the program must not depend on it. */
        "SET GLOBAL sql_mode = '';");
    acl_fixture = (struct acl_fixture){.options = mariadb_options(),
                                       .schema = "schema/mariadb.sql",
                                       .migration = "schema/migrate-mariadb.sql"};
    acl_fixture.acl = acl_fixture_open_with(&acl_fixture.options);
    acl_fixture_run_file(acl_fixture.acl, acl_fixture.schema);
    return 0;
}

int acl_fixture_close_mariadb(void **state)
{
    (void)state;
    acl_close(&acl_fixture.acl);
    mariadb_server_remove(&acl_fixture_server);
    return 0;
}

int acl_fixture_empty_tables(void **state)
{
    (void)state;
    acl_fixture_expect(acl_run_script(acl_fixture.acl, "DELETE FROM registered_topics"), SQL_OK);
    return 0;
}

size_t acl_fixture_count_followers(const char *topic)
{
    struct bytes users = BYTES_EMPTY;
    acl_fixture_expect(acl_find_followers(acl_fixture.acl, topic, strlen(topic), &users), SQL_OK);
    size_t count = 0;
    for (size_t i = 0; i < users.length; i++)
        count += users.data[i] == '\0';
    bytes_free(&users);
    return count;
}
