#include "ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { MAPPED_SIZE = IP_ADDRESS_IPV4_BITS / 8 };

static const unsigned char mapped[MAPPED_SIZE] = {[10] = 0xff, [11] = 0xff};

static void take_ipv4(struct ip_address *address, const struct in_addr *four)
{
    memcpy(address->bytes, mapped, MAPPED_SIZE);
    memcpy(address->bytes + MAPPED_SIZE, four, IP_ADDRESS_SIZE - MAPPED_SIZE);
}

bool ip_address_read(struct ip_address *address, const char *text)
{
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) != 1)
        return inet_pton(AF_INET6, text, address->bytes) == 1;
    take_ipv4(address, &four);
    return true;
}

bool ip_address_of_socket(struct ip_address *address, const struct sockaddr *from)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (from->sa_family == AF_INET) {
        memcpy(&four, from, sizeof four);
        take_ipv4(address, &four.sin_addr);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    memcpy(&six, from, sizeof six);
    memcpy(address->bytes, &six.sin6_addr, IP_ADDRESS_SIZE);
    return true;
}

bool ip_address_is_ipv4(const struct ip_address *address)
{
    return memcmp(address->bytes, mapped, MAPPED_SIZE) == 0;
}

const char *ip_address_write(const struct ip_address *address, char out[IP_ADDRESS_TEXT_SIZE])
{
    out[0] = '\0';
    if (ip_address_is_ipv4(address))
        (void)inet_ntop(AF_INET, address->bytes + MAPPED_SIZE, out, IP_ADDRESS_TEXT_SIZE);
    else
        (void)inet_ntop(AF_INET6, address->bytes, out, IP_ADDRESS_TEXT_SIZE);
    return out;
}
