#include "service_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool fail(char error[SERVICE_USER_ERROR_SIZE], const char *name, const char *why)
{
    (void)snprintf(error, SERVICE_USER_ERROR_SIZE, "cannot become the user %s: %s", name, why);
    return false;
}

bool service_user_become_named(const char *name, char error[SERVICE_USER_ERROR_SIZE])
{
    const struct passwd *user = getpwnam(name);
    if (user == NULL)
        return fail(error, name, "there is no such user");
    if (geteuid() == user->pw_uid)
        return true;
    if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        return fail(error, name, strerror(errno));
    return true;
}

bool service_user_become(const char *program, char error[SERVICE_USER_ERROR_SIZE])
{
    return geteuid() != 0 || getpwnam(program) == NULL || service_user_become_named(program, error);
}

const char *service_user_current(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return user != NULL ? user->pw_name : "of this process";
}
