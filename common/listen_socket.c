#include "listen_socket.h"

#include "messages.h"
#include "net_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char prefix[] = "unix:";

static bool listen_fail(char error[LISTEN_ERROR_SIZE], const char *address, const char *why)
{
    (void)snprintf(error, LISTEN_ERROR_SIZE, "cannot listen on %s: %s", address, why);
    return false;
}

static void add(struct listen_sockets *sockets, int descriptor)
{
    sockets->descriptors[sockets->count++] = descriptor;
}

/* ---- files ---- */

const char *listen_socket_path(const char *address)
{
    return strncmp(address, prefix, sizeof prefix - 1) == 0 ? address + sizeof prefix - 1 : NULL;
}

static bool name_file(struct sockaddr_un *name, const char *path)
{
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (*path == '\0' || strlen(path) >= sizeof name->sun_path)
        return false;
    memcpy(name->sun_path, path, strlen(path));
    return true;
}

bool listen_socket_is_answered(const char *path)
{
    struct sockaddr_un name;
    if (!name_file(&name, path))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return true; /* who cannot ask must not remove it */
    bool answered = connect(probe, (const struct sockaddr *)&name, sizeof name) == 0 ||
                    (errno != ECONNREFUSED && errno != ENOENT);
    (void)close(probe);
    return answered;
}

mode_t listen_socket_mask(unsigned mode)
{
    return umask(~(mode_t)mode & 0777);
}

/* Removes what a process that is gone left behind. NULL, or why the path cannot be used. */
static const char *clear_path(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(status.st_mode))
        return "there is a file that is no socket";
    if (listen_socket_is_answered(path))
        return "another process answers on it";
    return unlink(path) == 0 ? NULL : strerror(errno);
}

static bool open_file(struct listen_sockets *sockets, const char *address, const char *path,
                      struct listen_options options, char error[LISTEN_ERROR_SIZE])
{
    struct sockaddr_un name;
    if (!name_file(&name, path))
        return listen_fail(error, address, "the path is empty or too long");
    const char *why = clear_path(path);
    if (why != NULL)
        return listen_fail(error, address, why);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return listen_fail(error, address, strerror(errno));
    mode_t before = listen_socket_mask(options.mode);
    int bound = bind(descriptor, (const struct sockaddr *)&name, sizeof name);
    (void)umask(before);
    if (bound != 0 || (options.backlog > 0 && listen(descriptor, options.backlog) != 0)) {
        why = strerror(errno);
        (void)close(descriptor);
        return listen_fail(error, address, why);
    }
    add(sockets, descriptor);
    return true;
}

/* ---- addresses ---- */

static int bind_and_listen(const struct addrinfo *place, bool takes_ipv4, int backlog)
{
    const int yes = 1, own_kind = !takes_ipv4;
    int descriptor = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        (place->ai_family != AF_INET6 ||
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &own_kind, sizeof own_kind) == 0) &&
        bind(descriptor, place->ai_addr, place->ai_addrlen) == 0 &&
        (backlog == 0 || listen(descriptor, backlog) == 0))
        return descriptor;
    int reason = errno;
    (void)close(descriptor);
    errno = reason;
    return -1;
}

static bool came_before(const struct addrinfo *first, const struct addrinfo *place)
{
    for (; first != place; first = first->ai_next) {
        if (first->ai_addrlen == place->ai_addrlen &&
            memcmp(first->ai_addr, place->ai_addr, place->ai_addrlen) == 0)
            return true;
    }
    return false;
}

/* A name may have addresses that this machine has not, or not now (IPv6 that is switched off). */
static bool is_elsewhere(int reason)
{
    return reason == EADDRNOTAVAIL || reason == EAFNOSUPPORT;
}

static bool open_each(struct listen_sockets *sockets, const char *address,
                      const struct addrinfo *found, struct listen_options options,
                      char error[LISTEN_ERROR_SIZE])
{
    int reason = 0;
    bool takes_ipv4 = found->ai_next == NULL && !options.leaves_ipv4;
    for (const struct addrinfo *place = found; place != NULL; place = place->ai_next) {
        if (came_before(found, place) || sockets->count == LISTEN_MOST)
            continue;
        int descriptor = bind_and_listen(place, takes_ipv4, options.backlog);
        if (descriptor >= 0) {
            add(sockets, descriptor);
            continue;
        }
        reason = errno;
        if (!is_elsewhere(reason))
            return listen_fail(error, address, strerror(reason));
    }
    if (sockets->count == 0)
        return listen_fail(error, address, strerror(reason));
    if (reason != 0)
        message_warning("not listening on each address of a name", message_text("name", address),
                        message_error_code(reason));
    return true;
}

static bool open_addresses(struct listen_sockets *sockets, const char *address,
                           struct listen_options options, char error[LISTEN_ERROR_SIZE])
{
    struct net_address name;
    if (!net_address_read(&name, address))
        return listen_fail(error, address, "it is none of unix:PATH, host:port and [ipv6]:port");
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo(name.host, name.port, &hints, &found);
    if (wrong != 0)
        return listen_fail(error, address, gai_strerror(wrong));
    bool opened = open_each(sockets, address, found, options, error);
    freeaddrinfo(found);
    return opened;
}

/* ---- all ---- */

bool listen_socket_open(struct listen_sockets *sockets, const char *address,
                        struct listen_options options, char error[LISTEN_ERROR_SIZE])
{
    const char *path = listen_socket_path(address);
    *sockets = (struct listen_sockets){0};
    bool opened = path == NULL ? open_addresses(sockets, address, options, error)
                               : open_file(sockets, address, path, options, error);
    if (!opened)
        listen_socket_close(sockets);
    return opened;
}

void listen_socket_close(struct listen_sockets *sockets)
{
    while (sockets->count > 0)
        (void)close(sockets->descriptors[--sockets->count]);
}

void listen_socket_remove(const char *address)
{
    const char *path = listen_socket_path(address);
    if (path != NULL)
        (void)unlink(path);
}

void listen_socket_name(int descriptor, char name[LISTEN_NAME_SIZE])
{
    struct sockaddr_storage place = {0};
    socklen_t length = sizeof place;
    char host[INET6_ADDRSTRLEN + 24] = "?", port[NET_ADDRESS_PORT_SIZE] = "?";
    (void)getsockname(descriptor, (struct sockaddr *)&place, &length);
    if (place.ss_family == AF_UNIX) {
        const struct sockaddr_un *file = (const struct sockaddr_un *)&place;
        (void)snprintf(name, LISTEN_NAME_SIZE, "unix:%.108s", file->sun_path);
        return;
    }
    (void)getnameinfo((const struct sockaddr *)&place, length, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(name, LISTEN_NAME_SIZE, place.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                   port);
}
