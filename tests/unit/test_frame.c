#include "net/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 64 * 1024 - 64 };

static struct frame store(struct frame_pool *pool, int kind, const char *text)
{
    struct frame frame;

    assert_true(frame_store(pool, kind, "", 0, text, strlen(text), "", 0, &frame));
    frame_hold(&frame);
    return frame;
}

static void check_frame(const struct frame *frame, const char *text)
{
    assert_int_equal(frame->length, strlen(text));
    assert_memory_equal(frame_bytes(frame), text, frame->length);
}

/* All frames are given back: only the pool's own open segments are left, and then nothing. */
static void close_pool(struct frame_pool *pool)
{
    assert_true(pool->segments_held <= FRAME_PRIVATE + 1);
    frame_pool_close(pool);
    assert_int_equal(pool->segments_held, 0);
    assert_int_equal(pool->bytes_held, 0);
}

static void frames_of_one_kind_follow_each_other(void **state)
{
    struct frame_pool pool = {0};
    struct frame first = store(&pool, FRAME_CHUNKED, "first"), other, second;

    (void)state;
    other = store(&pool, FRAME_PLAIN, "other");
    second = store(&pool, FRAME_CHUNKED, "second");
    assert_ptr_equal(first.segment, second.segment);
    assert_int_equal(first.offset + first.length, second.offset);
    check_frame(&first, "first");
    check_frame(&second, "second");
    check_frame(&other, "other");
    frame_release(&first);
    frame_release(&other);
    frame_release(&second);
    close_pool(&pool);
}

static void a_segment_that_nobody_refers_to_is_used_again(void **state)
{
    struct frame_pool pool = {0};
    struct frame first = store(&pool, FRAME_CHUNKED, "first"), second;
    const struct frame_segment *segment = first.segment;

    (void)state;
    frame_release(&first);
    second = store(&pool, FRAME_CHUNKED, "second");
    assert_ptr_equal(second.segment, segment);
    assert_int_equal(second.offset, 0);
    frame_release(&second);
    assert_int_equal(pool.segments_held, 1);
    close_pool(&pool);
}

static void a_full_segment_lives_as_long_as_its_frames(void **state)
{
    struct frame_pool pool = {0};
    char *text = malloc(SEGMENT);
    struct frame kept = store(&pool, FRAME_CHUNKED, "kept"), large, next;

    (void)state;
    memset(text, 'x', SEGMENT - 1);
    text[SEGMENT - 1] = '\0';
    large = store(&pool, FRAME_CHUNKED, text);
    assert_ptr_not_equal(large.segment, kept.segment);
    assert_int_equal(pool.segments_held, 2);
    next = store(&pool, FRAME_CHUNKED, "y");
    assert_ptr_equal(next.segment, large.segment); /* just one byte was left */
    check_frame(&kept, "kept");
    check_frame(&large, text);
    frame_release(&kept);
    assert_int_equal(pool.segments_held, 1);
    frame_release(&large);
    frame_release(&next);
    free(text);
    close_pool(&pool);
}

static void a_frame_larger_than_a_segment_has_one_of_its_own(void **state)
{
    struct frame_pool pool = {0};
    size_t size = 5 * SEGMENT;
    char *text = malloc(size + 1);
    struct frame large, small;

    (void)state;
    memset(text, 'x', size);
    text[size] = '\0';
    large = store(&pool, FRAME_CHUNKED, text);
    assert_true(pool.bytes_held >= size);
    check_frame(&large, text);
    frame_release(&large);
    /* Its memory is not kept for small ones. */
    small = store(&pool, FRAME_CHUNKED, "small");
    assert_true(pool.bytes_held < size);
    check_frame(&small, "small");
    frame_release(&small);
    free(text);
    close_pool(&pool);
}

static void frames_outlive_the_pools_own_interest(void **state)
{
    struct frame_pool pool = {0};
    struct frame frame = store(&pool, FRAME_PRIVATE, "private"), again = frame;

    (void)state;
    frame_hold(&again);
    frame_pool_close(&pool);
    assert_int_equal(pool.segments_held, 1);
    check_frame(&frame, "private");
    frame_release(&frame);
    check_frame(&again, "private");
    frame_release(&again);
    assert_int_equal(pool.segments_held, 0);
    assert_int_equal(pool.bytes_held, 0);
}

static void what_is_too_large_is_refused_before_it_is_read(void **state)
{
    struct frame_pool pool = {0};
    struct frame frame;

    (void)state;
    assert_false(
        frame_store(&pool, FRAME_CHUNKED, "", 0, "", (size_t)FRAME_LARGEST + 1, "", 0, &frame));
    assert_false(
        frame_store(&pool, FRAME_CHUNKED, "head", 4, "", FRAME_LARGEST - 3, "", 0, &frame));
    assert_false(frame_store(&pool, FRAME_CHUNKED, "", 0, "", SIZE_MAX, "tail", 4, &frame));
    assert_int_equal(pool.segments_held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_one_kind_follow_each_other),
        cmocka_unit_test(a_segment_that_nobody_refers_to_is_used_again),
        cmocka_unit_test(a_full_segment_lives_as_long_as_its_frames),
        cmocka_unit_test(a_frame_larger_than_a_segment_has_one_of_its_own),
        cmocka_unit_test(frames_outlive_the_pools_own_interest),
        cmocka_unit_test(what_is_too_large_is_refused_before_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
