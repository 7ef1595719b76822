/* The registered topics, for commands. */
#ifndef ESN_DATABASE_H
#define ESN_DATABASE_H

#include "acl/acl_config.h"
#include "settings.h"

struct database {
    struct acl_config config;
    struct acl *acl;
};

/* Opens what [acl] of the loaded configuration names; `create`: also a SQLite file that is not
 * there. False after it said why. */
bool database_open(struct database *database, const struct settings *settings, bool create);
void database_close(struct database *database);

/* Says what became of a topic or user when that is not SQL_OK; the exit status. */
int database_tell(const struct database *database, enum sql_status status, const char *name);

/* The tables, as schema/ has them. */
extern const char database_schema_sqlite[], database_schema_mariadb[];
extern const char database_schema_outbox_sqlite[], database_schema_outbox_mariadb[];

#endif
