#include "net_address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool read_port(char out[NET_ADDRESS_PORT_SIZE], const char *text)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length >= NET_ADDRESS_PORT_SIZE || text[length] != '\0' ||
        strtoul(text, NULL, 10) > 65535)
        return false;
    memcpy(out, text, length + 1);
    return true;
}

bool net_address_read(struct net_address *out, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !read_port(out->port, colon + 1))
        return false;
    const char *start = text, *end = colon;
    bool bracketed = *start == '[' && end[-1] == ']';
    if (bracketed) {
        start++;
        end--;
    }
    size_t length = end > start ? (size_t)(end - start) : 0;
    if (length == 0 || length >= NET_ADDRESS_HOST_SIZE || memchr(start, '[', length) != NULL ||
        memchr(start, ']', length) != NULL || (!bracketed && memchr(start, ':', length) != NULL))
        return false;
    memcpy(out->host, start, length);
    out->host[length] = '\0';
    return !bracketed || strchr(out->host, ':') != NULL;
}

bool net_address_has_ipv4_beside(char *const *addresses, const char *address)
{
    struct net_address six, other;
    struct in_addr four;
    if (*address != '[' || !net_address_read(&six, address))
        return false;
    for (; *addresses != NULL; addresses++) {
        if (net_address_read(&other, *addresses) && strcmp(other.port, six.port) == 0 &&
            inet_pton(AF_INET, other.host, &four) == 1)
            return true;
    }
    return false;
}

bool net_address_is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcmp(host, "localhost") == 0;
}
