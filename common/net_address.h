/* Addresses of sockets as the configuration writes them: "host:port", "[ipv6]:port". Pure: asks no
 * name server. */
#ifndef ESN_NET_ADDRESS_H
#define ESN_NET_ADDRESS_H

#include <stdbool.h>

enum { NET_ADDRESS_HOST_SIZE = 256, NET_ADDRESS_PORT_SIZE = 6 };

struct net_address {
    char host[NET_ADDRESS_HOST_SIZE]; /* a name or an address, without brackets */
    char port[NET_ADDRESS_PORT_SIZE]; /* decimal, 0 to 65535 */
};

/* False when the text is no such address; then *out holds nothing of worth. */
bool net_address_read(struct net_address *out, const char *text);

/* True when one of the addresses (a list that ends with NULL) is of IPv4, in figures, with the port of
 * this one, which is of IPv6. */
bool net_address_has_ipv4_beside(char *const *addresses, const char *address);

/* True when what is sent to the host never leaves this machine: 127.0.0.0/8, ::1, or the name
 * "localhost". A name that merely begins as an address does is none. */
bool net_address_is_loopback(const char *host);

#endif
