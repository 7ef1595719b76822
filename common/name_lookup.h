/* The addresses of a name, within a time limit: getaddrinfo(3) has none, and a name server that is
 * silent would hold who asks for minutes. */
#ifndef ESN_NAME_LOOKUP_H
#define ESN_NAME_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

enum {
    NAME_LOOKUP_ERROR_SIZE = 160,
    NAME_LOOKUP_ABANDONED_MAX = 8 /* questions of this process that nobody waits for any more */
};

struct addrinfo;

/* Stream sockets' addresses, to be freed with freeaddrinfo(3). Waits until `deadline_ms` of the
 * monotonic clock; an address, which needs no name server, is there at once. NULL with a sentence
 * in error. Any thread. */
struct addrinfo *name_lookup(const char *host, const char *port, uint64_t deadline_ms,
                             char error[NAME_LOOKUP_ERROR_SIZE]);

#endif
