#include "listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, LONGEST_HOST = 256 };

static int fail(char error[LISTEN_ERROR_SIZE], const char *address, const char *why)
{
    snprintf(error, LISTEN_ERROR_SIZE, "cannot listen on %s: %s", address, why);
    return -1;
}

static const char *unix_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

static int close_and_fail(int descriptor, char error[LISTEN_ERROR_SIZE], const char *address)
{
    int reason = errno;
    close(descriptor);
    return fail(error, address, strerror(reason));
}

/* ---- unix ---- */

/* Removes what a process that is gone left behind. NULL, or why the path cannot be used. */
static const char *clear_path(const struct sockaddr_un *name)
{
    struct stat status;
    if (lstat(name->sun_path, &status) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(status.st_mode))
        return "there is a file that is no socket";
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return strerror(errno);
    int answer = connect(probe, (const struct sockaddr *)name, sizeof *name);
    bool stale = answer != 0 && errno == ECONNREFUSED;
    close(probe);
    if (!stale)
        return "another process answers on it";
    return unlink(name->sun_path) == 0 ? NULL : strerror(errno);
}

static int open_unix(const char *address, const char *path, unsigned mode,
                     char error[LISTEN_ERROR_SIZE])
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (*path == '\0' || strlen(path) >= sizeof name.sun_path)
        return fail(error, address, "the path is empty or too long");
    memcpy(name.sun_path, path, strlen(path));
    const char *why = clear_path(&name);
    if (why != NULL)
        return fail(error, address, why);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return fail(error, address, strerror(errno));
    mode_t before = umask(~(mode_t)mode & 0777);
    int bound = bind(descriptor, (const struct sockaddr *)&name, sizeof name);
    umask(before);
    if (bound != 0 || listen(descriptor, BACKLOG) != 0)
        return close_and_fail(descriptor, error, address);
    return descriptor;
}

/* ---- tcp ---- */

/* Splits "host:port" or "[host]:port"; NULL when it is neither, else the port. */
static const char *split(const char *address, char host[LONGEST_HOST])
{
    const char *colon = strrchr(address, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - address);
    const char *start = address;
    if (length >= 2 && address[0] == '[' && colon[-1] == ']') {
        start++;
        length -= 2;
    } else if (colon != NULL && memchr(address, ':', length) != NULL) {
        return NULL;
    }
    if (length == 0 || length >= LONGEST_HOST || colon[1] == '\0')
        return NULL;
    memcpy(host, start, length);
    host[length] = '\0';
    return colon + 1;
}

static int open_tcp(const char *address, char error[LISTEN_ERROR_SIZE])
{
    char host[LONGEST_HOST];
    const char *port = split(address, host);
    if (port == NULL)
        return fail(error, address, "it is none of unix:PATH, host:port and [ipv6]:port");
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo(host, port, &hints, &found);
    if (wrong != 0)
        return fail(error, address, gai_strerror(wrong));
    const struct addrinfo name = *found;
    struct sockaddr_storage place = {0};
    memcpy(&place, name.ai_addr, name.ai_addrlen);
    freeaddrinfo(found);
    int descriptor = socket(name.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return fail(error, address, strerror(errno));
    const int yes = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(descriptor, (const struct sockaddr *)&place, name.ai_addrlen) != 0 ||
        listen(descriptor, BACKLOG) != 0)
        return close_and_fail(descriptor, error, address);
    return descriptor;
}

int listen_socket_open(const char *address, unsigned mode, char error[LISTEN_ERROR_SIZE])
{
    const char *path = unix_path(address);
    return path == NULL ? open_tcp(address, error) : open_unix(address, path, mode, error);
}

void listen_socket_remove(const char *address)
{
    const char *path = unix_path(address);
    if (path != NULL)
        (void)unlink(path);
}
