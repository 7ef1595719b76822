/* What a proxy says first on a connection: for whom it is (haproxy.org, "The PROXY protocol",
 * sections 2.1 and 2.2; both versions). Pure. */
#ifndef ESN_PROXY_HEADER_H
#define ESN_PROXY_HEADER_H

#include "ip_address.h"

#include <stdbool.h>
#include <stddef.h>

/* Longer ones are refused: with what proxies add (certificates' names and the like) they have a
 * few hundred bytes. */
enum { PROXY_HEADER_MOST = 4096 };

enum proxy_header_verdict {
    PROXY_HEADER_NEED_MORE,
    PROXY_HEADER_COMPLETE,
    PROXY_HEADER_REFUSED /* it is none */
};

struct proxy_header {
    size_t length;             /* of the header: what follows is the client's */
    bool is_proxys;            /* the proxy is here for itself, to see whether we are (LOCAL) */
    bool has_address;          /* else the proxy does not know it either */
    struct ip_address address; /* the client's */
};

/* Reads the first bytes of a connection. */
enum proxy_header_verdict proxy_header_read(struct proxy_header *header, const char *bytes,
                                            size_t length);

#endif
