#include "net/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "random.h"
#include "saved_state.h"

enum { RECEIVERS = 12, OPERATIONS = 30000, VECTORS = 7, LONGEST = 3000 };

/* A receiver, and the plain bytes that it should have got and should still get. */
struct receiver {
    struct output output;
    struct bytes expected;
    size_t consumed;
};

struct scene {
    struct frame_pool pool;
    struct receiver receivers[RECEIVERS];
    uint64_t random;
    char text[LONGEST];
};

static struct frame make_frame(struct scene *scene)
{
    uint32_t length = 1 + random_below(&scene->random, LONGEST - 1);
    struct frame frame;
    int kind = (int)random_below(&scene->random, FRAME_PRIVATE + 1);

    for (uint32_t i = 0; i < length; i++)
        scene->text[i] = (char)random_next(&scene->random);
    assert_true(frame_store(&scene->pool, kind, "", 0, scene->text, length, "", 0, &frame));
    return frame;
}

static void append(struct scene *scene)
{
    struct frame frame = make_frame(scene);

    for (size_t i = 0; i < RECEIVERS; i++) {
        struct receiver *receiver = &scene->receivers[i];
        if (random_below(&scene->random, 3) == 0)
            continue;
        assert_true(output_append(&receiver->output, &frame));
        bytes_append(&receiver->expected, scene->text, frame.length);
    }
}

/* What is gathered is the oldest part of what was appended and not consumed. */
static size_t check_gathered(const struct receiver *receiver, int max)
{
    struct iovec vectors[VECTORS];
    int count = output_gather(&receiver->output, vectors, max);
    size_t at = receiver->consumed;

    assert_true(count >= 0 && count <= max);
    assert_int_equal(count > 0, max > 0 && receiver->output.length > 0);
    for (int i = 0; i < count; i++) {
        assert_true(vectors[i].iov_len > 0);
        assert_true(at + vectors[i].iov_len <= receiver->expected.length);
        assert_memory_equal(vectors[i].iov_base, receiver->expected.data + at, vectors[i].iov_len);
        at += vectors[i].iov_len;
    }
    return at - receiver->consumed;
}

static void consume(struct scene *scene, struct receiver *receiver)
{
    size_t gathered = check_gathered(receiver, (int)random_below(&scene->random, VECTORS + 1));
    size_t count = gathered ? random_below(&scene->random, (unsigned)gathered + 1) : 0;

    if (random_below(&scene->random, 3) == 0)
        count = gathered;
    output_consume(&receiver->output, count);
    receiver->consumed += count;
    assert_int_equal(receiver->output.length, receiver->expected.length - receiver->consumed);
}

/* What is saved is what is left behind any number of the oldest bytes. */
static void save(struct scene *scene, const struct receiver *receiver)
{
    const struct output *output = &receiver->output;
    size_t skip = output->length ? random_below(&scene->random, (unsigned)output->length + 1) : 0;
    struct saved_writer writer = {0}, plain = {0};
    size_t left = receiver->expected.length - receiver->consumed - skip;
    if (left > 0)
        saved_put_bytes(&plain, receiver->expected.data + receiver->consumed + skip, left);
    else
        saved_put_bytes(&plain, NULL, 0);
    output_save(output, skip, &writer);
    assert_int_equal(writer.out.length, plain.out.length);
    assert_memory_equal(writer.out.data, plain.out.data, plain.out.length);
    bytes_free(&writer.out);
    bytes_free(&plain.out);
}

static void forget(struct receiver *receiver)
{
    output_clear(&receiver->output);
    assert_int_equal(receiver->output.length, 0);
    assert_null(receiver->output.first.segment);
    assert_null(receiver->output.rest);
    receiver->consumed = receiver->expected.length;
}

static void check_no_memory_when_idle(const struct receiver *receiver)
{
    if (receiver->output.length > 0)
        return;
    assert_null(receiver->output.first.segment);
    assert_null(receiver->output.rest);
}

static void everybody_gets_every_byte_in_order(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    (void)state;
    assert_non_null(scene);
    scene->random = 11;
    for (int i = 0; i < OPERATIONS; i++) {
        struct receiver *receiver = &scene->receivers[random_below(&scene->random, RECEIVERS)];
        unsigned what = random_below(&scene->random, 1000);
        /* Slow and fast times take turns. */
        if (what < (i / 1000 % 2 ? 300 : 100))
            append(scene);
        else if (what < 310)
            save(scene, receiver);
        else if (what < 999)
            consume(scene, receiver);
        else
            forget(receiver);
        check_no_memory_when_idle(receiver);
    }
    for (size_t i = 0; i < RECEIVERS; i++) {
        struct receiver *receiver = &scene->receivers[i];
        while (receiver->output.length > 0) {
            size_t gathered = check_gathered(receiver, VECTORS);
            output_consume(&receiver->output, gathered);
            receiver->consumed += gathered;
        }
        check_no_memory_when_idle(receiver);
        assert_int_equal(receiver->consumed, receiver->expected.length);
        bytes_free(&receiver->expected);
    }
    assert_true(scene->pool.segments_held <= FRAME_PRIVATE + 1);
    frame_pool_close(&scene->pool);
    assert_int_equal(scene->pool.segments_held, 0);
    assert_int_equal(scene->pool.bytes_held, 0);
    free(scene);
}

static struct frame store(struct frame_pool *pool, int kind, const char *text)
{
    struct frame frame;

    assert_true(frame_store(pool, kind, "", 0, text, strlen(text), "", 0, &frame));
    return frame;
}

static void neighbours_become_one_range(void **state)
{
    struct frame_pool pool = {0};
    struct output output = {0};
    struct iovec vectors[4];
    struct frame frame;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        frame = store(&pool, FRAME_CHUNKED, "0123456789");
        assert_true(output_append(&output, &frame));
    }
    assert_int_equal(output_gather(&output, vectors, 4), 1);
    assert_int_equal(vectors[0].iov_len, 10000);
    assert_null(output.rest);
    assert_int_equal(frame.segment->references, 2); /* the pool's and one for all the range */
    frame = store(&pool, FRAME_PRIVATE, "private");
    assert_true(output_append(&output, &frame));
    frame = store(&pool, FRAME_CHUNKED, "next");
    assert_true(output_append(&output, &frame));
    assert_int_equal(output_gather(&output, vectors, 4), 3);
    assert_int_equal(output_gather(&output, vectors, 2), 2);
    assert_int_equal(output_gather(&output, vectors, 0), 0);
    output_clear(&output);
    output_clear(&output);
    frame_pool_close(&pool);
    assert_int_equal(pool.segments_held, 0);
}

static void a_range_that_is_being_written_still_grows(void **state)
{
    struct frame_pool pool = {0};
    struct output output = {0};
    struct iovec vectors[2];
    struct frame frame = store(&pool, FRAME_CHUNKED, "begin ");

    (void)state;
    assert_true(output_append(&output, &frame));
    assert_int_equal(output_gather(&output, vectors, 1), 1);
    frame = store(&pool, FRAME_CHUNKED, "end");
    assert_true(output_append(&output, &frame));
    assert_memory_equal(vectors[0].iov_base, "begin ", 6);
    output_consume(&output, vectors[0].iov_len);
    assert_int_equal(output_gather(&output, vectors, 2), 1);
    assert_int_equal(vectors[0].iov_len, 3);
    assert_memory_equal(vectors[0].iov_base, "end", 3);
    output_consume(&output, 3);
    assert_int_equal(output.length, 0);
    frame_pool_close(&pool);
    assert_int_equal(pool.segments_held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_every_byte_in_order),
        cmocka_unit_test(neighbours_become_one_range),
        cmocka_unit_test(a_range_that_is_being_written_still_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
