/* The body of POST /drop, and a drop as bytes. */
#include "drop_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct config config = {
    .max_topic_length = 20, .ticket_life_max = 60000, .ticket_skew = 2000};

static struct drop_request request;
static struct publish_fault fault;

static int forget(void **state)
{
    (void)state;
    drop_request_free(&request);
    return 0;
}

static bool parse(const char *body)
{
    drop_request_free(&request);
    fault = (struct publish_fault){0};
    return drop_request_parse(&request, body, strlen(body), &config, &fault);
}

static void assert_is(enum drop_kind kind, const char *name, uint64_t for_ms)
{
    assert_int_equal(request.drop.kind, kind);
    assert_int_equal(request.drop.name_length, strlen(name));
    assert_memory_equal(request.drop.name, name, strlen(name));
    assert_int_equal(request.drop.for_ms, for_ms);
}

static void says_whose_and_for_how_long(void **state)
{
    (void)state;
    assert_true(parse("{\"uid\":\"ana\"}"));
    assert_is(DROP_USER, "ana", 62000); /* as long as a ticket may live */
    assert_true(parse("{\"uid\":7.0,\"for\":0}"));
    assert_is(DROP_USER, "7", 0);
    assert_true(parse("{\"uid\":\"[][][]\",\"for\":1.5}"));
    assert_is(DROP_USER, "[][][]", 1500);
    assert_true(parse("{\"sid\":\"9f2c\",\"for\":2592000,\"uid\":null}"));
    assert_is(DROP_SESSION, "9f2c", 2592000000);
    assert_true(parse("{\"clid\":\"kitchen\"}"));
    assert_is(DROP_CLIENT, "kitchen", 0);
    assert_true(parse("{\"connid\":1882592973422592}"));
    assert_int_equal(request.drop.kind, DROP_CONNECTION);
    assert_int_equal(request.drop.connid, 1882592973422592);
}

static void refuses_everything_else(void **state)
{
    static const char *const wrong[][2] = {
        {"", "Invalid JSON in body"},
        {"7", "Invalid object"},
        {"{}", "One of uid, sid, connid and clid is missing"},
        {"{\"uid\":\"ana\",\"clid\":\"x\"}", "Only one of uid, sid, connid and clid"},
        {"{\"uid\":true}", "uid should be a user id"},
        {"{\"uid\":\"__DONT__\"}", "uid should be a user id"},
        {"{\"sid\":\"\"}", "sid should be a text of 1 to 255 bytes"},
        {"{\"clid\":\"longer than twenty bytes are\"}", "clid should be a client id"},
        {"{\"connid\":-1}", "connid should be a number"},
        {"{\"connid\":1.5}", "connid should be a number"},
        {"{\"clid\":\"x\",\"for\":0}", "for goes with uid and sid alone"},
        {"{\"uid\":\"ana\",\"for\":1e300}", "for should be a number of seconds, up to 2592000"},
        {"{\"uid\":\"ana\",\"more\":1}", "Invalid object"},
        {"{\"uid\":\"ana\",\"for\":[[[[[[[[]]]]]]]]}",
         "for should be a number of seconds, up to 2592000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(wrong[i][0]))
            fail_msg("taken: %s", wrong[i][0]);
        assert_int_equal(fault.status, 400);
        assert_string_equal(fault.reason, wrong[i][1]);
    }
}

static void goes_through_the_bus_as_it_is(void **state)
{
    static const struct drop drops[] = {
        {.kind = DROP_USER, .name = "ana", .name_length = 3, .for_ms = 60000},
        {.kind = DROP_SESSION, .name = "9f2c", .name_length = 4},
        {.kind = DROP_CONNECTION, .name = "", .connid = 1ULL << 52},
        {.kind = DROP_CLIENT, .name = "kitchen", .name_length = 7}};

    (void)state;
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
        unsigned char record[DROP_RECORD_SIZE];
        struct drop read;
        drop_write(record, &drops[i]);
        assert_true(drop_read(&read, record, sizeof record, drops[i].name, drops[i].name_length));
        assert_int_equal(read.kind, drops[i].kind);
        assert_int_equal(read.connid, drops[i].connid);
        assert_int_equal(read.for_ms, drops[i].for_ms);
        assert_false(drop_read(&read, record, sizeof record - 1, "x", 1));
        assert_false(drop_read(&read, record, sizeof record, "a\0b", 3));
        assert_false(drop_read(&read, record, sizeof record, drops[i].connid != 0 ? "x" : "",
                               drops[i].connid != 0 ? 1 : 0));
        record[1] = 1;
        assert_false(drop_read(&read, record, sizeof record, drops[i].name, drops[i].name_length));
        record[1] = 0;
        record[0] = 5;
        assert_false(drop_read(&read, record, sizeof record, drops[i].name, drops[i].name_length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(says_whose_and_for_how_long, forget),
        cmocka_unit_test_teardown(refuses_everything_else, forget),
        cmocka_unit_test(goes_through_the_bus_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
