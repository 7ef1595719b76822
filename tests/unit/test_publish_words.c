/* What a publisher is told of its post, by one daemon and by several. */
#include "publish_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct publish_point points[] = {{.topic = "a", .topic_length = 1},
                                        {.topic = "b", .topic_length = 1}};
static const struct point_decision decisions[2] = {{.result = POINT_GRANTED},
                                                   {.result = POINT_GRANTED}};
static const struct publish_request post = {.points = points, .count = 2};

static struct bus_event taken(uint64_t sequence, uint32_t receivers, bool complete)
{
    return (struct bus_event){
        .acknowledged = true,
        .complete = complete,
        .epoch = 7,
        .ack = {.status = ACK_DELIVERED, .event_sequence = sequence, .receivers = receivers}};
}

static void expect(const struct bus_event events[2], bool of_several_daemons, const char *said)
{
    const struct publish_outcome outcome = {.post = &post,
                                            .decisions = decisions,
                                            .events = events,
                                            .event_count = 2,
                                            .of_several_daemons = of_several_daemons};
    struct publish_words words;
    publish_words_of_outcome(&words, &outcome);
    assert_int_equal(words.status, 200);
    const char *text = bytes_terminate(&words.body);
    assert_non_null(text);
    assert_memory_equal(text, said, strlen(said));
    bytes_free(&words.body);
}

static void several_daemons_say_whether_all_have_told(void **state)
{
    (void)state;
    const struct bus_event all[] = {taken(8, 2, true), taken(9, 3, true)};
    const struct bus_event some[] = {taken(8, 2, true), taken(9, 3, false)};
    expect(all, false, "{\"id\":\"7-8\",\"receivers\":5,\"ep\":[");
    expect(all, true, "{\"id\":\"7-8\",\"receivers\":5,\"complete\":true,\"ep\":[");
    expect(some, true, "{\"id\":\"7-8\",\"receivers\":5,\"complete\":false,\"ep\":[");
}

static void expect_fault(int status, const char *said)
{
    const struct publish_fault fault = {.status = status, .reason = "No"};
    struct bytes out = BYTES_EMPTY;
    publish_words_add_fault(&out, &fault);
    assert_string_equal(bytes_terminate(&out), said);
    bytes_free(&out);
}

static void a_post_of_a_batch_is_sent_again_only_where_that_may_help(void **state)
{
    (void)state;
    expect_fault(503, "{\"status\":503,\"retry_after\":1,\"error\":\"No\"}");
    expect_fault(400, "{\"status\":400,\"error\":\"No\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_daemons_say_whether_all_have_told),
        cmocka_unit_test(a_post_of_a_batch_is_sent_again_only_where_that_may_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
