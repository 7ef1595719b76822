#include "database.h"

#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a SQLite file that is not there ---- */

/* Made by root, it would be root's, and of no use to the handlers: it gets owner, group and access
 * of its folder. So do the files that SQLite makes beside it. */
static bool give_to_owner_of_folder(int file, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat of;
    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                   slash == NULL ? "." : path);
    if (stat(folder, &of) != 0 || (geteuid() == 0 && fchown(file, of.st_uid, of.st_gid) != 0) ||
        fchmod(file, of.st_mode & 0666) != 0)
        return false;
    if (geteuid() == 0 && of.st_uid == 0)
        (void)fprintf(stderr,
                      "%s: belongs to root, as its folder does; give both to the user that the "
                      "handlers run as (chown)\n",
                      path);
    return true;
}

static bool make_file(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST)
        return true;
    bool made = file >= 0 && give_to_owner_of_folder(file, path);
    if (!made)
        (void)command_fail("%s: %s", path, strerror(errno));
    if (file >= 0)
        (void)close(file);
    return made;
}

/* ---- the database ---- */

bool database_open(struct database *database, const struct settings *settings, bool create)
{
    char error[SQL_ERROR_SIZE];
    _Static_assert((int)SECRET_ERROR_SIZE <= (int)SQL_ERROR_SIZE, "a sentence has to fit");
    *database = (struct database){0};
    if (create && settings->config.acl_kind == SQL_SQLITE && !make_file(settings->config.acl_file))
        return false;
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

int database_tell(const struct database *database, enum sql_status status, const char *name)
{
    switch (status) {
    case SQL_OK:
        return COMMAND_GOOD;
    case SQL_INVALID:
    case SQL_UNAVAILABLE:
        return command_fail("%s: %s", name, acl_error(database->acl));
    default:
        return command_fail("%s: %s", name, sql_status_words(status));
    }
}
