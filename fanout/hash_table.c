#include "hash_table.h"

#include "heap.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64, MOVED_AT_ONCE = 4 };

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

/* Connection ids are hashes too, and those of one of several daemons have the same last bits. */
static uint64_t spread(uint64_t hash)
{
    return hash ^ hash >> 10;
}

static struct hash_node **bucket_of(const struct hash_table *table, uint64_t hash)
{
    return &table->buckets[spread(hash) & (table->bucket_count - 1)];
}

static struct hash_node **former_bucket_of(const struct hash_table *table, uint64_t hash)
{
    return &table->former[spread(hash) & (table->former_count - 1)];
}

static void move_bucket(struct hash_table *table, struct hash_node **former)
{
    struct hash_node *next;

    for (struct hash_node *node = *former; node != NULL; node = next) {
        struct hash_node **bucket = bucket_of(table, node->hash);
        next = node->next;
        node->next = *bucket;
        *bucket = node;
    }
    *former = NULL;
}

/* A table has room for as many records again as it had when it began to grow: with several buckets
 * for each that is added, everything is moved long before. */
static void move_some(struct hash_table *table)
{
    for (int i = 0; i < MOVED_AT_ONCE && table->moved < table->former_count; i++)
        move_bucket(table, &table->former[table->moved++]);
    if (table->moved < table->former_count)
        return;
    free(table->former);
    table->former = NULL;
    table->former_count = 0;
}

/* False without memory: fuller chains still work, but not none. */
static bool grow(struct hash_table *table)
{
    size_t count = table->bucket_count ? table->bucket_count * 2 : FIRST_BUCKETS;
    struct hash_node **buckets = calloc(count, sizeof *buckets);

    if (buckets == NULL)
        return table->bucket_count != 0;
    table->former = table->buckets;
    table->former_count = table->bucket_count;
    table->moved = 0;
    table->buckets = buckets;
    table->bucket_count = count;
    return true;
}

bool hash_table_add(struct hash_table *table, struct hash_node *node, uint64_t hash)
{
    if (table->former == NULL && table->count >= table->bucket_count && !grow(table))
        return false;
    if (table->former != NULL) {
        move_bucket(table, former_bucket_of(table, hash));
        move_some(table);
    }
    struct hash_node **bucket = bucket_of(table, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    table->count++;
    return true;
}

static bool take_out(struct hash_node **link, struct hash_node *node)
{
    while (*link != NULL && *link != node)
        link = &(*link)->next;
    if (*link == NULL)
        return false;
    *link = node->next;
    node->next = NULL;
    return true;
}

void hash_table_remove(struct hash_table *table, struct hash_node *node)
{
    if (table->buckets == NULL)
        return;
    if (take_out(bucket_of(table, node->hash), node) ||
        (table->former != NULL && take_out(former_bucket_of(table, node->hash), node)))
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
    if (table->count == 0)
        return NULL;
    struct hash_node *node = same_hash(*bucket_of(table, hash), hash);
    return node != NULL || table->former == NULL ? node
                                                 : same_hash(*former_bucket_of(table, hash), hash);
}

struct hash_node *hash_table_find_next(const struct hash_node *node)
{
    return same_hash(node->next, node->hash);
}

static void visit_chain(struct hash_node *node, void (*visit)(struct hash_node *, void *),
                        void *context)
{
    for (; node != NULL; node = node->next)
        visit(node, context);
}

void hash_table_each(const struct hash_table *table, void (*visit)(struct hash_node *, void *),
                     void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++)
        visit_chain(table->buckets[i], visit, context);
    for (size_t i = table->moved; i < table->former_count; i++)
        visit_chain(table->former[i], visit, context);
}

static size_t reverse_bits(size_t bits)
{
    size_t reversed = 0;

    for (size_t i = 0; i < 8 * sizeof bits; i++, bits >>= 1)
        reversed = reversed << 1 | (bits & 1);
    return reversed;
}

/* Counts with its highest bit as the lowest one. So all buckets into which one is divided by growing
 * follow each other, and the cursor says the same of the larger table. */
size_t hash_table_walk(const struct hash_table *table, size_t cursor,
                       void (*visit)(struct hash_node *, void *), void *context)
{
    size_t mask = table->bucket_count - 1;
    size_t former_mask = table->former != NULL ? table->former_count - 1 : mask;

    if (table->bucket_count == 0)
        return 0;
    if (table->former != NULL)
        visit_chain(table->former[cursor & former_mask], visit, context);
    do {
        visit_chain(table->buckets[cursor & mask], visit, context);
        cursor = reverse_bits(reverse_bits(cursor | ~mask) + 1);
    } while ((cursor & (mask ^ former_mask)) != 0);
    return cursor;
}

void hash_table_free(struct hash_table *table)
{
    free(table->buckets);
    free(table->former);
    *table = (struct hash_table){0};
}

size_t hash_table_bytes(const struct hash_table *table)
{
    return (table->bucket_count + table->former_count) * sizeof *table->buckets;
}

size_t hash_table_bytes_with(const struct hash_table *table, size_t record)
{
    return hash_table_bytes(table) + table->count * heap_taken(record);
}
