#include "hash_table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
    /* Odd constants without structure: the fractional bits of sqrt(2) and sqrt(3). */
    const uint64_t first = 0x6a09e667f3bcc909ULL, second = 0xbb67ae8584caa73bULL;
    const unsigned char *at = bytes;
    uint64_t hash = seed ^ fold(length ^ first, second);
    uint64_t word;

    for (; length >= sizeof word; at += sizeof word, length -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = fold(hash ^ word ^ first, seed | 1) + second;
    }
    word = 0;
    memcpy(&word, at, length);
    return fold(hash ^ word ^ second, seed ^ first);
}

static struct hash_node **bucket_of(const struct hash_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static bool grow(struct hash_table *table)
{
    size_t count = table->bucket_count ? table->bucket_count * 2 : FIRST_BUCKETS;
    struct hash_node **buckets = calloc(count, sizeof *buckets);
    struct hash_table larger = {buckets, count, table->count};

    if (buckets == NULL)
        return table->bucket_count != 0; /* fuller chains still work */
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hash_node *next;
        for (struct hash_node *node = table->buckets[i]; node != NULL; node = next) {
            struct hash_node **bucket = bucket_of(&larger, node->hash);
            next = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(table->buckets);
    *table = larger;
    return true;
}

bool hash_table_add(struct hash_table *table, struct hash_node *node, uint64_t hash)
{
    if (table->count >= table->bucket_count && !grow(table))
        return false;
    struct hash_node **bucket = bucket_of(table, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    table->count++;
    return true;
}

void hash_table_remove(struct hash_table *table, struct hash_node *node)
{
    struct hash_node **link = bucket_of(table, node->hash);

    while (*link != NULL && *link != node)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    *link = node->next;
    node->next = NULL;
    table->count--;
}

static struct hash_node *same_hash(struct hash_node *node, uint64_t hash)
{
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct hash_node *hash_table_find(const struct hash_table *table, uint64_t hash)
{
    return table->count ? same_hash(*bucket_of(table, hash), hash) : NULL;
}

struct hash_node *hash_table_find_next(const struct hash_node *node)
{
    return same_hash(node->next, node->hash);
}

void hash_table_each(const struct hash_table *table, void (*visit)(struct hash_node *, void *),
                     void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct hash_node *node = table->buckets[i]; node != NULL; node = node->next)
            visit(node, context);
}

void hash_table_free(struct hash_table *table)
{
    free(table->buckets);
    *table = (struct hash_table){0};
}

size_t hash_table_bytes(const struct hash_table *table)
{
    return table->bucket_count * sizeof *table->buckets;
}
