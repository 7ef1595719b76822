#include "database.h"

#include "commands.h"

bool database_open(struct database *database, const struct settings *settings, bool create)
{
    char error[ACL_ERROR_SIZE];
    _Static_assert((int)SECRET_ERROR_SIZE <= (int)ACL_ERROR_SIZE, "a sentence has to fit");
    *database = (struct database){0};
    if (acl_config_load(&database->config, &settings->config, error)) {
        database->config.options.create = create;
        database->config.options.read_only = false;
        database->acl = acl_open(&database->config.options, error);
    }
    if (database->acl != NULL)
        return true;
    database_close(database);
    (void)command_fail("%s", error);
    return false;
}

void database_close(struct database *database)
{
    acl_close(&database->acl);
    acl_config_free(&database->config);
}

int database_tell(const struct database *database, enum acl_status status, const char *name)
{
    switch (status) {
    case ACL_OK:
        return COMMAND_GOOD;
    case ACL_INVALID:
    case ACL_UNAVAILABLE:
        return command_fail("%s: %s", name, acl_error(database->acl));
    default:
        return command_fail("%s: %s", name, acl_status_words(status));
    }
}
