#include "doorbell.h"

#include "listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static bool fail(char error[DOORBELL_ERROR_SIZE], const char *address, const char *words)
{
    (void)snprintf(error, DOORBELL_ERROR_SIZE, "[outbox] doorbell: %s: %s", address, words);
    return false;
}

static bool is_datagram_socket(int descriptor)
{
    int type = 0;
    socklen_t size = sizeof type;
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/* ---- a file ---- */

/* Nobody listens any more at the file of one that was killed. */
static bool is_abandoned(const struct sockaddr_un *place)
{
    int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool refused = probe >= 0 &&
                   connect(probe, (const struct sockaddr *)place, sizeof *place) != 0 &&
                   errno == ECONNREFUSED;
    if (probe >= 0)
        (void)close(probe);
    return refused;
}

static bool bind_file(int descriptor, const struct sockaddr_un *place, unsigned mode)
{
    if (is_abandoned(place))
        (void)unlink(place->sun_path);
    mode_t mask = listen_socket_mask(mode);
    bool bound = bind(descriptor, (const struct sockaddr *)place, sizeof *place) == 0;
    int reason = errno;
    (void)umask(mask);
    errno = reason;
    return bound;
}

static bool open_file(struct doorbell *doorbell, const char *path, unsigned mode,
                      char error[DOORBELL_ERROR_SIZE])
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof place.sun_path)
        return fail(error, path, "is too long for a socket");
    (void)snprintf(place.sun_path, sizeof place.sun_path, "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return fail(error, path, strerror(errno));
    if (!bind_file(descriptor, &place, mode)) {
        int reason = errno;
        (void)close(descriptor);
        return reason == EADDRINUSE || fail(error, path, strerror(reason));
    }
    doorbell->descriptor = descriptor;
    doorbell->path = strdup(path);
    return true;
}

/* ---- UDP ---- */

static bool split_address(const char *address, char host[256], char port[16])
{
    const char *colon = strrchr(address, ':');
    bool bracketed = address[0] == '[' && colon != NULL && colon > address && colon[-1] == ']';
    size_t length = colon == NULL ? 0 : (size_t)(colon - address) - (bracketed ? 2 : 0);
    if (colon == NULL || length == 0 || length >= 256 || colon[1] == '\0' || strlen(colon) > 16)
        return false;
    (void)snprintf(host, 256, "%.*s", (int)length, address + bracketed);
    (void)snprintf(port, 16, "%s", colon + 1);
    return true;
}

static int bind_first(const struct addrinfo *found)
{
    for (const struct addrinfo *place = found; place != NULL; place = place->ai_next) {
        int descriptor = socket(place->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0)
            continue;
        if (bind(descriptor, place->ai_addr, place->ai_addrlen) == 0)
            return descriptor;
        int reason = errno;
        (void)close(descriptor);
        errno = reason;
    }
    return -1;
}

static bool open_udp(struct doorbell *doorbell, const char *address,
                     char error[DOORBELL_ERROR_SIZE])
{
    char host[256], port[16];
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    if (!split_address(address, host, port))
        return fail(error, address, "should be unix:/path or host:port");
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return fail(error, address, gai_strerror(code));
    doorbell->descriptor = bind_first(found);
    int reason = errno;
    freeaddrinfo(found);
    return doorbell->descriptor >= 0 || reason == EADDRINUSE ||
           fail(error, address, strerror(reason));
}

/* ---- both ---- */

bool doorbell_open(struct doorbell *doorbell, const char *address, unsigned mode,
                   char error[DOORBELL_ERROR_SIZE])
{
    *doorbell = (struct doorbell){.descriptor = -1};
    if (is_datagram_socket(STDIN_FILENO)) {
        doorbell->descriptor = STDIN_FILENO;
        return true;
    }
    if (address == NULL)
        return true;
    const char *path = listen_socket_path(address);
    return path != NULL ? open_file(doorbell, path, mode, error)
                        : open_udp(doorbell, address, error);
}

void doorbell_close(struct doorbell *doorbell)
{
    if (doorbell->path != NULL)
        (void)unlink(doorbell->path);
    free(doorbell->path);
    if (doorbell->descriptor > STDIN_FILENO)
        (void)close(doorbell->descriptor);
    *doorbell = (struct doorbell){.descriptor = -1};
}

/* As many as can lie there; who goes on ringing meanwhile is heard the next time. */
static bool take_rings(const struct doorbell *doorbell)
{
    enum { RINGS_MAX = 4096 };
    char byte;
    int count = 0;
    while (count < RINGS_MAX && recv(doorbell->descriptor, &byte, 1, MSG_DONTWAIT) >= 0)
        count++;
    return count > 0;
}

bool doorbell_wait(struct doorbell *doorbell, uint64_t wait_ms, bool deaf, const sigset_t *waiting)
{
    struct pollfd watched = {.fd = deaf ? -1 : doorbell->descriptor, .events = POLLIN};
    const struct timespec limit = {.tv_sec = (time_t)(wait_ms / 1000),
                                   .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    int ready = ppoll(&watched, 1, &limit, waiting);
    return ready > 0 && take_rings(doorbell);
}
