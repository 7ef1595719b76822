/* What the tests of registered topics share: a database of their own, SQLite or MariaDB, and short
 * words. */
#ifndef ESN_TEST_ACL_FIXTURE_H
#define ESN_TEST_ACL_FIXTURE_H

#include "acl/acl.h"
#include "mariadb_server.h"

#include <stddef.h>

/* No wait of the code under test is longer than this, however slow the machine. */
enum { ACL_FIXTURE_GENEROUS_MS = 60000 };

struct acl_fixture {
    struct sql_options options;
    struct acl *acl;
    const char *schema, *migration; /* files of the source tree */
    char path[96];                  /* of the SQLite file */
};

extern struct acl_fixture acl_fixture;
extern struct mariadb_server acl_fixture_server;

/* Group set-up and tear-down, and a set-up for each test that leaves no row. */
int acl_fixture_open_sqlite(void **state);
int acl_fixture_close_sqlite(void **state);
int acl_fixture_open_mariadb(void **state);
int acl_fixture_close_mariadb(void **state);
int acl_fixture_empty_tables(void **state);

/* A file of the source tree as text, which the caller frees. */
char *acl_fixture_read_source(const char *name);
void acl_fixture_run_file(struct acl *acl, const char *name);
/* As MariaDB's root. */
void acl_fixture_run_as_admin(const char *sql);
struct acl *acl_fixture_open_with(const struct sql_options *options);

/* Fails the test unless the fixture's call had this outcome. */
void acl_fixture_expect(enum sql_status status, enum sql_status wanted);
enum sql_status acl_fixture_find(const char *topic, struct acl_topic *row);
enum sql_status acl_fixture_look(const char *topic);
void acl_fixture_add(const char *topic, const char *owner, const char *pub, const char *sub);
size_t acl_fixture_count_followers(const char *topic);

#endif
