/* Ports of the unit tests that start servers of others. */
#ifndef ESN_TEST_FREE_PORT_H
#define ESN_TEST_FREE_PORT_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool port_is_free(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        abort();
    bool is_free = bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(probe);
    return is_free;
}

/* A TCP port of loopback that was free a moment ago, below those that Linux hands out to outgoing
 * connections: none of these takes it before a server listens there, or while that starts anew. */
static inline uint16_t free_port(void)
{
    enum { FIRST = 12000, COUNT = 20000 };
    uint16_t port;
    do {
        uint32_t random;
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            abort();
        port = (uint16_t)(FIRST + random % COUNT);
    } while (!port_is_free(port));
    return port;
}

#endif
