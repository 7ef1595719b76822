#include "hand_off.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char prefix[] = "/_fanout/", url[] = "https://stream.example/live/";
static const struct hand_off plain = {.ticket = "a-b_c.d.e", .ticket_length = 9, .path = ""};

#define EVERY                                                                                      \
    "Access-Control-Allow-Origin: *\r\nCache-Control: no-store\r\nX-Content-Type-Options: "        \
    "nosniff\r\n"

static void expect(enum config_handoff mode, const struct hand_off *hand_off, const char *answer)
{
    const struct config config = {
        .handoff_mode = mode, .handoff_prefix = prefix, .handoff_url = url};
    struct bytes out = BYTES_EMPTY;
    hand_off_write(&out, hand_off, &config);
    assert_string_equal(bytes_terminate(&out), answer);
    bytes_free(&out);
}

static void each_way_has_its_answer(void **state)
{
    (void)state;
    expect(CONFIG_HANDOFF_ACCEL, &plain,
           "Status: 200 OK\r\nContent-Type: text/plain\r\n"
           "X-Accel-Redirect: /_fanout/?ticket=a-b_c.d.e\r\n\r\n");
    expect(CONFIG_HANDOFF_LOCAL, &plain, "Location: /_fanout/?ticket=a-b_c.d.e\r\n\r\n");
    expect(CONFIG_HANDOFF_REDIRECT, &plain,
           "Status: 303 See Other\r\n" EVERY "Location: https://stream.example/live/"
           "?ticket=a-b_c.d.e\r\nContent-Length: 0\r\n\r\n");
    expect(
        CONFIG_HANDOFF_JSON, &plain,
        "Status: 200 OK\r\n" EVERY "Content-Type: application/json\r\nContent-Length: 77\r\n\r\n"
        "{\"ticket\":\"a-b_c.d.e\",\"url\":\"https://stream.example/live/?ticket=a-b_c.d.e\"}\n");
}

/* Whatever a client calls its secret, it makes no header and no parameter. */
static void what_the_client_says_is_escaped(void **state)
{
    (void)state;
    const struct hand_off hand_off = {.ticket = "t",
                                      .ticket_length = 1,
                                      .path = "",
                                      .connid = 9007199254740991,
                                      .secret = "aZ09\r\nX: y&ticket=z#%/\xc3\xb1"};
    expect(CONFIG_HANDOFF_LOCAL, &hand_off,
           "Location: /_fanout/?ticket=t&connid=9007199254740991&secret="
           "aZ09%0D%0AX%3A%20y%26ticket%3Dz%23%25%2F%C3%B1\r\n\r\n");
}

static void a_secret_that_is_none_stays_behind(void **state)
{
    (void)state;
    char secret[66];
    memset(secret, 'a', sizeof secret - 1);
    secret[sizeof secret - 1] = '\0';
    struct hand_off hand_off = {
        .ticket = "t", .ticket_length = 1, .connid = 5, .secret = secret, .path = ""};
    expect(CONFIG_HANDOFF_LOCAL, &hand_off, "Location: /_fanout/?ticket=t\r\n\r\n");
    secret[64] = '\0';
    const struct config config = {.handoff_mode = CONFIG_HANDOFF_LOCAL, .handoff_prefix = prefix};
    struct bytes out = BYTES_EMPTY;
    hand_off_write(&out, &hand_off, &config);
    assert_non_null(strstr(bytes_terminate(&out), "&connid=5&secret=aaaa"));
    bytes_free(&out);
}

static void each_transport_is_handed_to_its_own_path(void **state)
{
    (void)state;
    struct hand_off hand_off = {
        .ticket = "t", .ticket_length = 1, .path = "poll", .wait_ms = 250, .has_wait = true};
    expect(CONFIG_HANDOFF_LOCAL, &hand_off, "Location: /_fanout/poll?ticket=t&wait=250\r\n\r\n");
    hand_off.says_had = true;
    expect(CONFIG_HANDOFF_LOCAL, &hand_off,
           "Location: /_fanout/poll?ticket=t&wait=250&report=true\r\n\r\n");
    hand_off = (struct hand_off){.ticket = "t", .ticket_length = 1, .path = "sse"};
    expect(CONFIG_HANDOFF_LOCAL, &hand_off, "Location: /_fanout/sse?ticket=t\r\n\r\n");
}

static void a_daemon_of_several_has_a_way_of_its_own(void **state)
{
    (void)state;
    struct hand_off hand_off = {
        .ticket = "t", .ticket_length = 1, .path = "poll", .way = "node/3/"};
    expect(CONFIG_HANDOFF_ACCEL, &hand_off,
           "Status: 200 OK\r\nContent-Type: text/plain\r\n"
           "X-Accel-Redirect: /_fanout/node/3/poll?ticket=t\r\n\r\n");
    expect(CONFIG_HANDOFF_LOCAL, &hand_off, "Location: /_fanout/node/3/poll?ticket=t\r\n\r\n");
    expect(CONFIG_HANDOFF_REDIRECT, &hand_off,
           "Status: 303 See Other\r\n" EVERY "Location: https://stream.example/live/"
           "node/3/poll?ticket=t\r\nContent-Length: 0\r\n\r\n");
    hand_off.needs_body = true;
    expect(CONFIG_HANDOFF_LOCAL, &hand_off,
           "Status: 307 Temporary Redirect\r\n" EVERY
           "Location: node/3/poll?ticket=t\r\nContent-Length: 0\r\n\r\n");
    hand_off = (struct hand_off){
        .ticket = "t", .ticket_length = 1, .path = "", .way = "https://three.example/"};
    expect(CONFIG_HANDOFF_REDIRECT, &hand_off,
           "Status: 303 See Other\r\n" EVERY
           "Location: https://three.example/?ticket=t\r\nContent-Length: 0\r\n\r\n");
    expect(CONFIG_HANDOFF_JSON, &hand_off,
           "Status: 200 OK\r\n" EVERY "Content-Type: application/json\r\nContent-Length: 55\r\n\r\n"
           "{\"ticket\":\"t\",\"url\":\"https://three.example/?ticket=t\"}\n");
}

static void a_ticket_alone_is_json_in_every_mode(void **state)
{
    (void)state;
    const struct config config = {.handoff_mode = CONFIG_HANDOFF_ACCEL, .handoff_prefix = prefix};
    struct bytes out = BYTES_EMPTY;
    hand_off_write_ticket(&out, &plain, &config);
    assert_string_equal(bytes_terminate(&out),
                        "Status: 200 OK\r\n" EVERY
                        "Content-Type: application/json\r\nContent-Length: 23\r\n\r\n"
                        "{\"ticket\":\"a-b_c.d.e\"}\n");
    bytes_free(&out);
}

static void renewals_are_sent_on(void **state)
{
    (void)state;
    const struct config config = {.handoff_mode = CONFIG_HANDOFF_REDIRECT, .handoff_url = url};
    struct bytes out = BYTES_EMPTY;
    hand_off_write_alive(&out, NULL, &config);
    assert_string_equal(bytes_terminate(&out),
                        "Status: 307 Temporary Redirect\r\n" EVERY
                        "Location: https://stream.example/live/alive\r\nContent-Length: "
                        "0\r\n\r\n");
    bytes_free(&out);
}

static void who_has_a_ticket_is_sent_on_with_it(void **state)
{
    (void)state;
    const struct config config = {.handoff_mode = CONFIG_HANDOFF_REDIRECT, .handoff_url = url};
    struct bytes out = BYTES_EMPTY;
    hand_off_write_query(&out, "sse", "ticket=a.b.c&wait=1\r\nX: y", NULL, &config);
    assert_string_equal(bytes_terminate(&out),
                        "Status: 307 Temporary Redirect\r\n" EVERY
                        "Location: https://stream.example/live/sse?ticket=a.b.c&wait=1\r\n"
                        "Content-Length: 0\r\n\r\n");
    bytes_free(&out);
}

/* A local redirect has no body, and 303 makes a GET of a POST. */
static void a_ticket_that_needs_the_body_keeps_it(void **state)
{
    (void)state;
    const struct hand_off hand_off = {
        .ticket = "t", .ticket_length = 1, .path = "poll", .needs_body = true};
    expect(CONFIG_HANDOFF_ACCEL, &hand_off,
           "Status: 200 OK\r\nContent-Type: text/plain\r\n"
           "X-Accel-Redirect: /_fanout/poll?ticket=t\r\n\r\n");
    expect(CONFIG_HANDOFF_LOCAL, &hand_off,
           "Status: 307 Temporary Redirect\r\n" EVERY
           "Location: ?ticket=t\r\nContent-Length: 0\r\n\r\n");
    expect(CONFIG_HANDOFF_REDIRECT, &hand_off,
           "Status: 307 Temporary Redirect\r\n" EVERY
           "Location: https://stream.example/live/poll?ticket=t\r\nContent-Length: 0\r\n\r\n");
    const struct config config = {.handoff_mode = CONFIG_HANDOFF_ACCEL, .handoff_prefix = prefix};
    struct bytes out = BYTES_EMPTY;
    hand_off_write_ticket(&out, &hand_off, &config);
    assert_non_null(strstr(bytes_terminate(&out), "{\"ticket\":\"t\",\"body\":true}\n"));
    bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_has_its_answer),
        cmocka_unit_test(what_the_client_says_is_escaped),
        cmocka_unit_test(a_secret_that_is_none_stays_behind),
        cmocka_unit_test(each_transport_is_handed_to_its_own_path),
        cmocka_unit_test(a_daemon_of_several_has_a_way_of_its_own),
        cmocka_unit_test(a_ticket_alone_is_json_in_every_mode),
        cmocka_unit_test(renewals_are_sent_on),
        cmocka_unit_test(a_ticket_that_needs_the_body_keeps_it),
        cmocka_unit_test(who_has_a_ticket_is_sent_on_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
