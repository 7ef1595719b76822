#include "web_server.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_SIZE = 512, COMMAND_SIZE = 8192 };

/* ---- sockets ---- */

/* The inode of the socket that listens on this port (proc_net_tcp of the kernel's documentation:
 * state 0A); 0: there is none. */
static unsigned long inode_in(const char *table, unsigned port)
{
    FILE *in = fopen(table, "r");
    char line[LINE_SIZE];
    unsigned long inode = 0;
    while (in != NULL && inode == 0 && fgets(line, sizeof line, in) != NULL) {
        unsigned local, state;
        unsigned long found;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
                   &local, &state, &found) == 3 &&
            local == port && state == 0x0a)
            inode = found;
    }
    if (in != NULL)
        (void)fclose(in);
    return inode;
}

static bool holds_socket(const char *pid, unsigned long inode)
{
    char folder[LINE_SIZE], path[LINE_SIZE + 300], target[64], wanted[64];
    const struct dirent *entry;
    bool holds = false;
    (void)snprintf(folder, sizeof folder, "/proc/%s/fd", pid);
    (void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *descriptors = opendir(folder);
    while (descriptors != NULL && !holds && (entry = readdir(descriptors)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        holds = strcmp(target, wanted) == 0;
    }
    if (descriptors != NULL)
        (void)closedir(descriptors);
    return holds;
}

/* ---- processes ---- */

static size_t read_of(const char *pid, const char *name, char *out, size_t size)
{
    char path[LINE_SIZE];
    (void)snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    FILE *in = fopen(path, "r");
    size_t length = in != NULL ? fread(out, 1, size - 1, in) : 0;
    out[length] = '\0';
    if (in != NULL)
        (void)fclose(in);
    return length;
}

static enum web_server_kind kind_of(const char *command)
{
    if (strstr(command, "nginx") != NULL)
        return WEB_SERVER_NGINX;
    return strstr(command, "apache2") != NULL || strstr(command, "httpd") != NULL
               ? WEB_SERVER_APACHE
               : WEB_SERVER_UNKNOWN;
}

/* The word behind an option, in a command whose words were made blanks between. */
static void take_option(const char *command, const char *option, char *out, size_t size)
{
    const char *at = strstr(command, option);
    if (at != NULL) {
        at += strlen(option);
        (void)snprintf(out, size, "%.*s", (int)strcspn(at, " "), at);
    }
}

static void take_command(struct web_server *server, const char *pid)
{
    char command[COMMAND_SIZE];
    size_t length = read_of(pid, "cmdline", command, sizeof command);
    for (size_t i = 0; i + 1 < length; i++) {
        if (command[i] == '\0')
            command[i] = ' ';
    }
    bool is_nginx = kind_of(command) == WEB_SERVER_NGINX;
    (void)snprintf(server->config, sizeof server->config, "%s",
                   is_nginx ? "/etc/nginx/nginx.conf" : "/etc/apache2/apache2.conf");
    take_option(command, is_nginx ? " -c " : " -f ", server->config, sizeof server->config);
}

static void take_identity(struct web_server *server, const char *pid)
{
    char status[COMMAND_SIZE], limits[COMMAND_SIZE];
    unsigned user = 0, group = 0;
    (void)read_of(pid, "status", status, sizeof status);
    (void)read_of(pid, "limits", limits, sizeof limits);
    const char *line = strstr(status, "\nUid:");
    if (line != NULL && sscanf(line, "\nUid: %*u %u", &user) == 1)
        server->user = user;
    server->group_count = 0;
    line = strstr(status, "\nGid:");
    if (line != NULL && sscanf(line, "\nGid: %*u %u", &group) == 1)
        server->groups[server->group_count++] = group;
    line = strstr(status, "\nGroups:");
    for (const char *at = line != NULL ? line + 8 : "";
         *at != '\n' && *at != '\0' && server->group_count < WEB_SERVER_GROUPS;) {
        char *end;
        unsigned long one = strtoul(at, &end, 10);
        if (end == at)
            break;
        server->groups[server->group_count++] = (gid_t)one;
        at = end + strspn(end, " \t");
    }
    line = strstr(limits, "Max open files");
    if (line == NULL || sscanf(line, "Max open files %ld", &server->open_files) != 1)
        server->open_files = -1;
}

static pid_t parent_of(const char *pid)
{
    char status[COMMAND_SIZE];
    int parent = 0;
    (void)read_of(pid, "status", status, sizeof status);
    const char *line = strstr(status, "\nPPid:");
    return line != NULL && sscanf(line, "\nPPid: %d", &parent) == 1 ? parent : 0;
}

/* Master and those that serve all hold the socket: who serves is another's child. */
static void take_process(struct web_server *server, const char *pid)
{
    char command[COMMAND_SIZE];
    (void)read_of(pid, "cmdline", command, sizeof command);
    enum web_server_kind kind = kind_of(command);
    if (kind == WEB_SERVER_UNKNOWN)
        return;
    bool serves = server->master != 0 && parent_of(pid) == server->master;
    if (server->master == 0) {
        server->kind = kind;
        server->master = (pid_t)strtol(pid, NULL, 10);
        take_command(server, pid);
    }
    if (serves || server->open_files == -1)
        take_identity(server, pid);
}

void web_server_find(struct web_server *server, unsigned port)
{
    *server = (struct web_server){.open_files = -1};
    unsigned long inode = inode_in("/proc/net/tcp", port);
    if (inode == 0)
        inode = inode_in("/proc/net/tcp6", port);
    DIR *processes = inode != 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            holds_socket(entry->d_name, inode))
            take_process(server, entry->d_name);
    }
    if (processes != NULL)
        (void)closedir(processes);
}

/* ---- rights ---- */

/* read 4, write 2, search 1, as in a mode. */
static bool may(const struct web_server *server, const struct stat *of, unsigned what)
{
    if (server->user == 0)
        return true;
    if (of->st_uid == server->user)
        return (of->st_mode >> 6 & what) == what;
    for (int i = 0; i < server->group_count; i++) {
        if (of->st_gid == server->groups[i])
            return (of->st_mode >> 3 & what) == what;
    }
    return (of->st_mode & what) == what;
}

bool web_server_may_open(const struct web_server *server, const char *path)
{
    char folder[PATH_MAX];
    struct stat of;
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (stat(folder, &of) != 0 || !may(server, &of, 1))
            return false;
    }
    return stat(path, &of) == 0 && may(server, &of, 2);
}
