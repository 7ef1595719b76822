/* Internet addresses as 16 bytes, IPv4 as IPv6 has it (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2):
 * so the same client is the same address on whichever socket it comes. Pure. */
#ifndef ESN_IP_ADDRESS_H
#define ESN_IP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { IP_ADDRESS_SIZE = 16, IP_ADDRESS_TEXT_SIZE = 46, IP_ADDRESS_IPV4_BITS = 96 };

struct ip_address {
    unsigned char bytes[IP_ADDRESS_SIZE];
};

/* As text without port or brackets; false when it is none. */
bool ip_address_read(struct ip_address *address, const char *text);
/* False when the socket's is neither IPv4 nor IPv6. */
bool ip_address_of_socket(struct ip_address *address, const struct sockaddr *from);
bool ip_address_is_ipv4(const struct ip_address *address);
/* Gives out. */
const char *ip_address_write(const struct ip_address *address, char out[IP_ADDRESS_TEXT_SIZE]);

#endif
