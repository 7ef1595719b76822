/* The web server of this machine that listens on a port: who it is and where its configuration is, by
 * /proc (proc(5)). */
#ifndef ESN_WEB_SERVER_H
#define ESN_WEB_SERVER_H

#include "findings.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { WEB_SERVER_GROUPS = 64 };

struct web_server {
    enum web_server_kind kind; /* WEB_SERVER_UNKNOWN: none was found, or it may not be looked at */
    pid_t master;
    uid_t user; /* of those that serve */
    gid_t groups[WEB_SERVER_GROUPS];
    int group_count;
    long open_files; /* most of each that serves; -1: not known */
    char config[PATH_MAX];
};

void web_server_find(struct web_server *server, unsigned port);
/* Whether those that serve may open this socket (connect(2) needs to write it, and to search the
 * folders on the way). */
bool web_server_may_open(const struct web_server *server, const char *path);

#endif
