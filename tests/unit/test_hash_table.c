#include "hash_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { RECORDS = 2000, OPERATIONS = 60000 };

struct record {
    struct hash_node node;
    uint64_t hash;
    bool held;
};

static struct record *record_of(struct hash_node *node)
{
    return (struct record *)(void *)((char *)node - offsetof(struct record, node));
}

static bool has(const struct hash_table *table, const struct record *record)
{
    struct hash_node *node = hash_table_find(table, record->hash);
    bool found = false;

    for (; node != NULL; node = hash_table_find_next(node)) {
        assert_int_equal(record_of(node)->hash, record->hash);
        assert_false(found && record_of(node) == record);
        found = found || record_of(node) == record;
    }
    return found;
}

static void count_visit(struct hash_node *node, void *context)
{
    size_t *visits = context;

    assert_true(record_of(node)->held);
    (*visits)++;
}

static void it_holds_what_was_added_and_not_removed(void **state)
{
    struct record *records = calloc(RECORDS, sizeof *records);
    struct hash_table table = {0};
    uint64_t random = 1;
    size_t held = 0, visits = 0;

    (void)state;
    /* Few different hashes, some alike in all that the buckets look at. */
    for (size_t i = 0; i < RECORDS; i++)
        records[i].hash = (uint64_t)random_below(&random, 500) << random_below(&random, 3) * 20;
    for (int i = 0; i < OPERATIONS; i++) {
        struct record *record = &records[random_below(&random, RECORDS)];
        assert_int_equal(has(&table, record), record->held);
        if (record->held)
            hash_table_remove(&table, &record->node);
        else
            assert_true(hash_table_add(&table, &record->node, record->hash));
        held += record->held ? (size_t)-1 : 1;
        record->held = !record->held;
        assert_int_equal(table.count, held);
    }
    hash_table_each(&table, count_visit, &visits);
    assert_int_equal(visits, held);
    assert_int_equal(hash_table_bytes(&table),
                     (table.bucket_count + table.former_count) * sizeof(void *));
    hash_table_free(&table);
    assert_int_equal(table.count, 0);
    free(records);
}

static void an_empty_table_has_nothing(void **state)
{
    struct hash_table table = {0};
    size_t visits = 0;

    (void)state;
    assert_null(hash_table_find(&table, 0));
    hash_table_each(&table, count_visit, &visits);
    assert_int_equal(hash_table_walk(&table, 0, count_visit, &visits), 0);
    assert_int_equal(visits, 0);
    assert_int_equal(hash_table_bytes(&table), 0);
    hash_table_free(&table);
}

static size_t longest_chain(const struct hash_table *table)
{
    size_t longest = 0;

    for (size_t i = 0; i < table->bucket_count; i++) {
        size_t length = 0;
        for (const struct hash_node *node = table->buckets[i]; node != NULL; node = node->next)
            length++;
        longest = length > longest ? length : longest;
    }
    return longest;
}

static void chains_stay_short(void **state)
{
    enum { MANY = 20000 };
    struct record *records = calloc(MANY, sizeof *records);
    struct hash_table table = {0};

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        records[i].hash = hash_bytes(42, &i, sizeof i);
        assert_true(hash_table_add(&table, &records[i].node, records[i].hash));
    }
    assert_true(table.bucket_count >= MANY);
    assert_true(longest_chain(&table) <= 12);
    hash_table_free(&table);
    free(records);
}

/* Connection ids: one after the other, and of one of several daemons, which share their last bits. */
static void chains_of_counted_hashes_stay_short(void **state)
{
    enum { MANY = 200000 };
    struct record *records = calloc(MANY, sizeof *records);

    (void)state;
    for (uint64_t step = 1; step <= 1024; step *= 1024) {
        struct hash_table table = {0};
        for (uint64_t i = 0; i < MANY; i++)
            assert_true(hash_table_add(&table, &records[i].node, 123456789 + i * step));
        assert_true(longest_chain(&table) <= 2);
        hash_table_free(&table);
    }
    free(records);
}

static struct record *new_records(size_t count)
{
    struct record *records = calloc(count, sizeof *records);

    assert_non_null(records);
    for (size_t i = 0; i < count; i++) {
        records[i].hash = hash_bytes(7, &i, sizeof i);
        records[i].held = true;
    }
    return records;
}

static void no_addition_moves_more_than_a_few(void **state)
{
    enum { MANY = 70000 };
    struct record *records = new_records(MANY);
    struct hash_table table = {0};
    size_t growing = 0, visits = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        size_t moved = table.former != NULL ? table.moved : 0;
        assert_true(hash_table_add(&table, &records[i].node, records[i].hash));
        growing += table.former != NULL;
        assert_true(table.former == NULL || table.moved <= moved + 4);
        assert_true(table.count <= table.bucket_count + 1);
        assert_true(has(&table, &records[i]) && has(&table, &records[i / 2]));
    }
    assert_true(growing > MANY / 16);
    hash_table_each(&table, count_visit, &visits);
    assert_int_equal(visits, MANY);
    hash_table_free(&table);
    free(records);
}

struct walked {
    struct record *records;
    unsigned char *visits;
};

static void count_each(struct hash_node *node, void *context)
{
    struct walked *walked = context;

    walked->visits[record_of(node) - walked->records]++;
}

/* The first FIRST are there all the time; others come and go meanwhile, and the table grows. */
static void a_walk_comes_to_each_once_while_the_table_grows(void **state)
{
    enum { FIRST = 100, MANY = 60000 };
    struct record *records = new_records(MANY);

    (void)state;
    for (size_t each = 1; each < 700; each += 60) {
        struct walked walked = {records, calloc(MANY, 1)};
        struct hash_table table = {0};
        size_t added = FIRST, cursor = 0, steps = 0;
        for (size_t i = 0; i < FIRST; i++)
            assert_true(hash_table_add(&table, &records[i].node, records[i].hash));
        do {
            cursor = hash_table_walk(&table, cursor, count_each, &walked);
            for (size_t i = 0; i < each && added < MANY; i++, added++)
                assert_true(hash_table_add(&table, &records[added].node, records[added].hash));
            if (steps++ % 3 == 0 && added > FIRST)
                hash_table_remove(&table, &records[--added].node);
        } while (cursor != 0);
        for (size_t i = 0; i < FIRST; i++)
            assert_int_equal(walked.visits[i], 1);
        hash_table_free(&table);
        free(walked.visits);
    }
    free(records);
}

static void hashes_depend_on_seed_length_and_every_byte(void **state)
{
    unsigned char text[40];

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t length = 0; length < sizeof text; length++) {
        uint64_t hash = hash_bytes(9, text, length);
        assert_int_equal(hash, hash_bytes(9, text, length));
        assert_int_not_equal(hash, hash_bytes(10, text, length));
        assert_int_not_equal(hash, hash_bytes(9, text, length + 1));
        for (size_t at = 0; at < length; at++) {
            text[at] ^= 1;
            assert_int_not_equal(hash, hash_bytes(9, text, length));
            text[at] ^= 1;
        }
    }
    /* A NUL at the end is not padding. */
    assert_int_not_equal(hash_bytes(9, "a\0", 1), hash_bytes(9, "a\0", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_added_and_not_removed),
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(no_addition_moves_more_than_a_few),
        cmocka_unit_test(a_walk_comes_to_each_once_while_the_table_grows),
        cmocka_unit_test(chains_stay_short),
        cmocka_unit_test(chains_of_counted_hashes_stay_short),
        cmocka_unit_test(hashes_depend_on_seed_length_and_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
