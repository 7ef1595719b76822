#include "secret_output.h"

#include "commands.h"
#include "hex.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, SECRET_MODE = 0640 };

static gid_t group_of_readers(const char *folder, const char *name)
{
    struct stat of;
    if (stat(folder, &of) != 0)
        return getegid(); /* without the folder, making the first file says so */
    const struct group *readers = of.st_gid == 0 ? getgrnam(name) : NULL;
    gid_t group = readers != NULL ? readers->gr_gid : of.st_gid;
    if (group == 0)
        (void)fprintf(stderr,
                      "%s: its group is root's, and there is no group %s: give what is made there "
                      "to the group "
                      "that is to read it (chgrp)\n",
                      folder, name);
    return group;
}

bool secret_output_take_group(const char *folder, const char *readers)
{
    gid_t group = geteuid() == 0 ? group_of_readers(folder, readers) : getegid();
    if (setegid(group) == 0)
        return true;
    (void)command_fail("cannot take the group %u: %s", (unsigned)group, strerror(errno));
    return false;
}

bool secret_output_give(const char *path, const char *folder, const char *readers)
{
    if (geteuid() != 0 || lchown(path, (uid_t)-1, group_of_readers(folder, readers)) == 0)
        return true;
    (void)command_fail("%s: %s", path, strerror(errno));
    return false;
}

bool secret_output_write(const char *path)
{
    unsigned char random[SECRET_BYTES];
    char text[2 * SECRET_BYTES + 2];
    if (!secret_random(random, sizeof random)) {
        (void)command_fail("there are no random numbers");
        return false;
    }
    hex_write(text, random, sizeof random);
    text[2 * SECRET_BYTES] = '\n';
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = file >= 0 && fchmod(file, SECRET_MODE) == 0 &&
                   write(file, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    if (!written)
        (void)command_fail("%s: %s", path, strerror(errno));
    if (file >= 0 && close(file) != 0 && written) {
        (void)command_fail("%s: %s", path, strerror(errno));
        written = false;
    }
    explicit_bzero(random, sizeof random);
    explicit_bzero(text, sizeof text);
    return written;
}
