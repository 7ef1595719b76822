/* An intrusive chained hash table and the keyed hash that all tables of the daemon use. The owner
 * embeds a hash_node in its records, compares keys itself and frees the records itself. */
#ifndef ESN_HASH_TABLE_H
#define ESN_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

/* Grows a few buckets at a time, so that no addition takes long: meanwhile what is not moved yet
 * stands in the buckets it had. Records with one hash are always together. */
struct hash_table {
    struct hash_node **buckets; /* a power of two of them; NULL while empty */
    size_t bucket_count;
    size_t count;
    struct hash_node **former; /* NULL: everything is in `buckets` */
    size_t former_count;
    size_t moved; /* of the former buckets: those before it are empty */
};

/* Hashes bytes under a secret seed, so that clients cannot choose names that share a bucket. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t length);

/* Adds a record under a hash; false without memory (the record is not added). */
bool hash_table_add(struct hash_table *table, struct hash_node *node, uint64_t hash);
/* Takes out a record that is in the table. */
void hash_table_remove(struct hash_table *table, struct hash_node *node);
/* First record with this hash, then the next one with the same; NULL at the end. */
struct hash_node *hash_table_find(const struct hash_table *table, uint64_t hash);
struct hash_node *hash_table_find_next(const struct hash_node *node);
/* Calls visit for every record; it may not change the table. */
void hash_table_each(const struct hash_table *table, void (*visit)(struct hash_node *, void *),
                     void *context);
/* The same for a few records: begin with 0 and go on with what is returned, until that is 0. The
 * table may change between two calls: each record that is there all the time is visited once. */
size_t hash_table_walk(const struct hash_table *table, size_t cursor,
                       void (*visit)(struct hash_node *, void *), void *context);
/* Frees the buckets; the records are the caller's. */
void hash_table_free(struct hash_table *table);
/* Bytes held by the buckets. */
size_t hash_table_bytes(const struct hash_table *table);
/* What buckets and records take from the heap, when each record is an allocation of so many bytes. */
size_t hash_table_bytes_with(const struct hash_table *table, size_t record);

#endif
