#include "net/address_limits.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NETWORK_SIZE = 8,
    REMEMBERED_MS = 2000,
    FORGOTTEN_AT_ONCE = 4 /* more than come: so they never heap up */
};

static struct ip_address network_of(const struct ip_address *address)
{
    struct ip_address network = *address;

    if (!ip_address_is_ipv4(address))
        memset(network.bytes + NETWORK_SIZE, 0, IP_ADDRESS_SIZE - NETWORK_SIZE);
    return network;
}

static struct counted_address *address_of(struct hash_node *node)
{
    return (struct counted_address *)(void *)((char *)node -
                                              offsetof(struct counted_address, by_address));
}

static struct counted_address *find(const struct address_limits *limits,
                                    const struct ip_address *network, uint64_t hash)
{
    struct hash_node *node = hash_table_find(&limits->by_address, hash);

    while (node != NULL && memcmp(&address_of(node)->network, network, sizeof *network) != 0)
        node = hash_table_find_next(node);
    return node != NULL ? address_of(node) : NULL;
}

static struct counted_address *add(struct address_limits *limits, const struct ip_address *network,
                                   uint64_t hash)
{
    struct counted_address *address = calloc(1, sizeof *address);

    if (address == NULL)
        return NULL;
    address->network = *network;
    if (hash_table_add(&limits->by_address, &address->by_address, hash)) {
        TAILQ_INSERT_TAIL(&limits->left, address, by_age);
        return address;
    }
    free(address);
    return NULL;
}

static void forget(struct address_limits *limits, struct counted_address *address)
{
    TAILQ_REMOVE(&limits->left, address, by_age);
    hash_table_remove(&limits->by_address, &address->by_address);
    free(address);
}

static void forget_some(struct address_limits *limits, uint64_t now_ms)
{
    struct counted_address *oldest;

    for (int i = 0; i < FORGOTTEN_AT_ONCE && (oldest = TAILQ_FIRST(&limits->left)) != NULL &&
                    oldest->left_at_ms + REMEMBERED_MS < now_ms;
         i++)
        forget(limits, oldest);
}

void address_limits_open(struct address_limits *limits)
{
    TAILQ_INIT(&limits->left);
}

enum address_verdict address_limits_enter(struct address_limits *limits,
                                          const struct ip_address *address, uint64_t most,
                                          uint64_t now_ms, struct counted_address **counted)
{
    *counted = NULL;
    forget_some(limits, now_ms);
    const struct ip_address network = network_of(address);
    uint64_t hash = hash_bytes(limits->seed, &network, sizeof network);
    struct counted_address *found = find(limits, &network, hash);
    if (found != NULL && most > 0 && found->connections >= most)
        return ADDRESS_HAS_MOST;
    if (found == NULL)
        found = add(limits, &network, hash);
    if (found == NULL)
        return ADDRESS_NO_MEMORY;
    if (found->connections++ == 0)
        TAILQ_REMOVE(&limits->left, found, by_age);
    *counted = found;
    return ADDRESS_ADMITTED;
}

void address_limits_leave(struct address_limits *limits, uint64_t now_ms,
                          struct counted_address **counted)
{
    struct counted_address *address = *counted;

    *counted = NULL;
    if (address == NULL || --address->connections > 0)
        return;
    address->left_at_ms = now_ms;
    TAILQ_INSERT_TAIL(&limits->left, address, by_age);
    forget_some(limits, now_ms);
}

const char *counted_address_write(const struct counted_address *counted,
                                  char out[COUNTED_ADDRESS_TEXT_SIZE])
{
    char text[IP_ADDRESS_TEXT_SIZE];

    out[0] = '\0';
    if (counted != NULL)
        (void)snprintf(out, COUNTED_ADDRESS_TEXT_SIZE, "%s%s",
                       ip_address_write(&counted->network, text),
                       ip_address_is_ipv4(&counted->network) ? "" : "/64");
    return out;
}

void address_limits_free(struct address_limits *limits)
{
    while (!TAILQ_EMPTY(&limits->left))
        forget(limits, TAILQ_FIRST(&limits->left));
    hash_table_free(&limits->by_address);
}

uint64_t address_limits_bytes(const struct address_limits *limits)
{
    return hash_table_bytes_with(&limits->by_address, sizeof(struct counted_address));
}
