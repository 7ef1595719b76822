#include "net/address_limits.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE = 16, NETWORK_SIZE = 8 };

struct counted_address {
    struct hash_node by_address;
    unsigned char key[KEY_SIZE];
    uint64_t connections;
};

static struct counted_address *address_of(struct hash_node *node)
{
    return (struct counted_address *)(void *)((char *)node -
                                              offsetof(struct counted_address, by_address));
}

static void map_ipv4(unsigned char key[KEY_SIZE], const void *four)
{
    key[10] = key[11] = 0xff;
    memcpy(key + 12, four, 4);
}

/* The same client may come as IPv4 or, on a socket for both, as IPv4 mapped into IPv6. */
static bool find_key(unsigned char key[KEY_SIZE], const struct sockaddr *address)
{
    memset(key, 0, KEY_SIZE);
    struct sockaddr_in four;
    if (address->sa_family == AF_INET) {
        memcpy(&four, address, sizeof four);
        map_ipv4(key, &four.sin_addr);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 six;
    memcpy(&six, address, sizeof six);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
        map_ipv4(key, six.sin6_addr.s6_addr + 12);
    else
        memcpy(key, &six.sin6_addr, NETWORK_SIZE);
    return true;
}

static struct counted_address *find(const struct address_limits *limits,
                                    const unsigned char key[KEY_SIZE], uint64_t hash)
{
    struct hash_node *node = hash_table_find(&limits->by_address, hash);

    while (node != NULL && memcmp(address_of(node)->key, key, KEY_SIZE) != 0)
        node = hash_table_find_next(node);
    return node != NULL ? address_of(node) : NULL;
}

static struct counted_address *add(struct address_limits *limits, const unsigned char key[KEY_SIZE],
                                   uint64_t hash)
{
    struct counted_address *address = calloc(1, sizeof *address);

    if (address == NULL)
        return NULL;
    memcpy(address->key, key, KEY_SIZE);
    if (hash_table_add(&limits->by_address, &address->by_address, hash))
        return address;
    free(address);
    return NULL;
}

enum address_verdict address_limits_enter(struct address_limits *limits,
                                          const struct sockaddr *address, uint64_t most,
                                          struct counted_address **counted)
{
    *counted = NULL;
    unsigned char key[KEY_SIZE];
    if (!find_key(key, address))
        return ADDRESS_ADMITTED;
    uint64_t hash = hash_bytes(limits->seed, key, KEY_SIZE);
    struct counted_address *found = find(limits, key, hash);
    if (found != NULL && found->connections >= most)
        return ADDRESS_HAS_MOST;
    if (found == NULL)
        found = add(limits, key, hash);
    if (found == NULL)
        return ADDRESS_NO_MEMORY;
    found->connections++;
    *counted = found;
    return ADDRESS_ADMITTED;
}

void address_limits_leave(struct address_limits *limits, struct counted_address **counted)
{
    struct counted_address *address = *counted;

    *counted = NULL;
    if (address == NULL || --address->connections > 0)
        return;
    hash_table_remove(&limits->by_address, &address->by_address);
    free(address);
}

void address_limits_free(struct address_limits *limits)
{
    hash_table_free(&limits->by_address);
}
