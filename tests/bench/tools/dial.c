#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_PER_ADDRESS = 5000 };

static bool bind_source(int fd, size_t index)
{
    uint32_t by_process = 1 + (uint32_t)getpid() % 250;
    uint32_t by_index = 1 + (uint32_t)(index / CONNECTIONS_PER_ADDRESS) % 250;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000000 | by_process << 8 | by_index)};
    int one = 1;
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) == 0 &&
           bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
}

int dial_local(unsigned port, size_t index, int mode)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (mode ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0) {
        perror("socket");
        return -1;
    }
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    if (!bind_source(fd, index) ||
        (connect(fd, (const struct sockaddr *)&server, sizeof server) != 0 &&
         errno != EINPROGRESS) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        fprintf(stderr, "connection to port %u: %s\n", port, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

bool dial_send_all(int fd, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0) {
            perror("send");
            return false;
        }
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

void dial_abort(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    /* Without the reset the close is merely an ordinary one. */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

bool dial_allow_files(size_t needed)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        perror("getrlimit");
        return false;
    }
    files.rlim_cur = files.rlim_max;
    if (files.rlim_max < needed || setrlimit(RLIMIT_NOFILE, &files) != 0) {
        fprintf(stderr, "%zu open files are needed, the hard limit (ulimit -Hn) is %llu\n", needed,
                (unsigned long long)files.rlim_max);
        return false;
    }
    return true;
}
