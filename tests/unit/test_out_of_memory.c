/* Every allocation fails once: nothing crashes, nothing leaks (AddressSanitizer says so), and what
 * could not be done has changed nothing. */
#include "crowd.h"
#include "daemon.h"
#include "events/publisher_counts.h"
#include "events/seen_events.h"
#include "failing_memory.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "log/log_database.h"
#include "masked_frames.h"
#include "net/frame.h"
#include "net/output.h"
#include "requests/client_message.h"
#include "streams/departed.h"
#include "streams/held_topics.h"
#include "streams/identities.h"
#include "streams/presence.h"
#include "streams/presence_own.h"
#include "subscription_body.h"
#include "topics/topic_index.h"
#include "transports/line_input.h"
#include "transports/websocket_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_END = 5000 };

/* Tries with the n-th allocation failing, for each n until none is left to fail; at least `least`
 * allocations must have failed by then. */
static void try_each(void (*attempt)(uint64_t n), unsigned least)
{
    uint64_t n = 0;

    do {
        assert_true(++n < NO_END);
        attempt(n);
    } while (failing_memory_stop());
    assert_true(n > least);
}

static void add_topics(uint64_t n)
{
    static const char *const topics[] = {"a/b/c", "a/b", "a/+/#", "a/b/c", "a/b/c"};
    enum { TOPICS = sizeof topics / sizeof *topics };
    struct subscription subscriptions[TOPICS] = {0};
    struct subscriber subscriber = {subscriptions, TOPICS};
    struct topic_index index;
    uint64_t held = 0;

    assert_true(topic_index_open(&index, 1));
    failing_memory_at(n);
    for (uint32_t i = 0; i < TOPICS; i++) {
        uint64_t bytes = index.bytes, topics_before = index.topics;
        size_t nodes = index.levels.count;
        if (topic_index_add(&index, &subscriber, i, topics[i], strlen(topics[i]))) {
            held++;
            continue;
        }
        assert_null(subscriptions[i].node);
        assert_int_equal(index.bytes, bytes);
        assert_int_equal(index.topics, topics_before);
        assert_int_equal(index.levels.count, nodes);
    }
    assert_int_equal(index.subscriptions, held);
    assert_true(held >= TOPICS - 1);
    for (uint32_t i = 0; i < TOPICS; i++)
        topic_index_remove(&index, &subscriber, i);
    assert_int_equal(index.bytes, 0);
    assert_int_equal(index.levels.count, 0);
    topic_index_close(&index);
}

static void an_index_without_memory_is_as_it_was(void **state)
{
    (void)state;
    try_each(add_topics, 8);
}

static void match_topics(uint64_t n)
{
    enum { TOPICS = 200 };
    static struct subscription subscriptions[TOPICS];
    struct subscriber subscriber = {subscriptions, TOPICS};
    struct topic_index index;
    struct topic_matches matches = {0};
    char topic[16];

    assert_true(topic_index_open(&index, 1));
    for (uint32_t i = 0; i < TOPICS; i++) {
        (void)snprintf(topic, sizeof topic, "a/%u", i);
        assert_true(topic_index_add(&index, &subscriber, i, topic, strlen(topic)));
    }
    failing_memory_at(n);
    topic_index_match(&index, "a/+", 3, false, &matches);
    if (!matches.failed)
        assert_int_equal(matches.count, TOPICS);
    topic_index_match(&index, "a/+", 3, false, &matches); /* it recovers */
    assert_false(matches.failed);
    assert_int_equal(matches.count, TOPICS);
    topic_matches_free(&matches);
    topic_index_close(&index);
}

static void a_look_up_says_that_it_is_incomplete(void **state)
{
    (void)state;
    try_each(match_topics, 5);
}

static void enter_presence(uint64_t n)
{
    struct presence presence = {.seed = 1};
    struct presence_entry *first, *second;

    failing_memory_at(n);
    first = presence_enter(&presence, "ana", 3);
    second = presence_enter(&presence, "ana", 3);
    assert_int_equal(presence_count(&presence, "ana", 3), (first != NULL) + (second != NULL));
    if (first == NULL)
        assert_int_equal(presence.by_clid.count, second != NULL);
    if (first != NULL)
        presence_leave(&presence, first);
    if (second != NULL)
        presence_leave(&presence, second);
    assert_int_equal(presence.bytes, 0);
    assert_int_equal(presence.by_clid.count, 0);
    presence_free(&presence);
}

/* What the other daemons are told of. */
static void enter_own_presence(uint64_t n)
{
    struct presence_own own = {0};
    uint64_t entered = 0;

    presence_own_open(&own, 1);
    failing_memory_at(n);
    entered += presence_own_enter(&own, "ana", 3);
    entered += presence_own_enter(&own, "ana", 3);
    assert_true(entered >= 1);
    assert_int_equal(own.by_clid.count, 1);
    assert_int_equal(TAILQ_FIRST(&own.changed)->instances, entered);
    presence_own_free(&own);
}

static void presence_counts_only_who_entered(void **state)
{
    (void)state;
    try_each(enter_presence, 2);
    try_each(enter_own_presence, 2);
}

static void read_body(uint64_t n)
{
    static const char text[] = "{\"clid\":\"c\",\"ep\":[\"a\",\"b\",\"a\",{\"topic\":\"c/#\"}],"
                               "\"last_id\":\"1-2\"}";
    struct config config = {.max_topics = 10, .max_topic_length = 100, .max_topic_levels = 10};
    struct subscription_body body;
    json_malloc_t library_malloc;
    json_free_t library_free;

    json_get_alloc_funcs(&library_malloc, &library_free);
    json_set_alloc_funcs(malloc, free); /* so that those of the library fail, too */
    failing_memory_at(n);
    const char *fault = subscription_body_read(&body, text, sizeof text - 1, 0, &config);
    if (fault == NULL) {
        assert_int_equal(body.topics.count, 3);
        assert_string_equal(body.clid, "c");
    } else {
        /* The library does not tell want of memory from bad JSON. */
        assert_true(fault == REQUESTED_TOPICS_NO_MEMORY ||
                    strcmp(fault, "Invalid JSON in body") == 0);
    }
    subscription_body_free(&body);
    json_set_alloc_funcs(library_malloc, library_free);
}

static void a_body_is_read_whole_or_refused(void **state)
{
    (void)state;
    try_each(read_body, 8);
}

static void hold_topics(uint64_t n)
{
    static const struct requested_topic first[] = {{"a", 1, false, false}, {"a/b", 3, true, false}};
    static const struct requested_topic more[] = {
        {"a", 1, false, false}, {"b/c", 3, false, false}, {"b/d", 3, true, false}};
    struct topic_index indexes[SUBSCRIPTION_KINDS];
    struct subscriber subscriber = {0};

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        assert_true(topic_index_open(&indexes[kind], 1));
    assert_null(held_topics_add(indexes, &subscriber, NULL, first, 2, 10));
    failing_memory_at(n);
    const char *fault = held_topics_add(indexes, &subscriber, NULL, more, 3, 10);
    assert_true(fault == NULL || fault == REQUESTED_TOPICS_NO_MEMORY);
    assert_int_equal(subscriber.count, fault != NULL ? 2 : 4);
    assert_int_equal(indexes[SUBSCRIPTION_OPEN].subscriptions, fault != NULL ? 1 : 2);
    bool removed = held_topics_remove(indexes, &subscriber, NULL, first, 2);
    assert_int_equal(subscriber.count, (fault != NULL ? 2 : 4) - (removed ? 2 : 0));
    held_topics_clear(indexes, &subscriber);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        assert_int_equal(indexes[kind].bytes, 0);
        topic_index_close(&indexes[kind]);
    }
}

static void topics_are_held_all_or_none(void **state)
{
    (void)state;
    try_each(hold_topics, 6);
}

static void read_message(uint64_t n)
{
    static const char text[] = "{\"subscribe\":[\"a\",\"b\",\"a\"],\"last_id\":\"1-1\"}";
    static const struct config config = {
        .max_topics = 5, .max_topic_length = 20, .max_topic_levels = 4};
    struct client_message message;

    failing_memory_at(n);
    const char *fault = client_message_read(&message, text, sizeof text - 1, false, &config);
    if (fault == NULL)
        assert_int_equal(message.topics.count, 2);
    client_message_free(&message);
}

static void a_message_is_read_whole_or_refused(void **state)
{
    (void)state;
    try_each(read_message, 1);
}

static void read_websocket(uint64_t n)
{
    struct input_budget budget = {.used = 0, .most = 1000};
    const struct websocket_limits limits = {100, &budget};
    struct bytes out = BYTES_EMPTY;
    enum websocket_verdict verdict = WEBSOCKET_NEED_MORE;
    size_t consumed, length;

    masked_frame_add(&out, WEBSOCKET_TEXT, "abc", 3);
    masked_frame_add(&out, FIN | WEBSOCKET_CONTINUATION, "def", 3);
    failing_memory_at(n);
    struct websocket_input *input = websocket_input_new(&limits);
    for (size_t at = 0; input != NULL && verdict == WEBSOCKET_NEED_MORE && at < out.length;
         at += consumed)
        verdict = websocket_input_feed(input, out.data + at, 1, &consumed);
    if (verdict == WEBSOCKET_IS_BROKEN) {
        assert_int_equal(websocket_input_code(input), WEBSOCKET_CODE_INTERNAL);
    } else if (input != NULL) {
        assert_int_equal(verdict, WEBSOCKET_HAS_MESSAGE);
        assert_memory_equal(websocket_input_payload(input, &length), "abcdef", 6);
    }
    websocket_input_free(&input);
    assert_int_equal(budget.used, 0);
    bytes_free(&out);
}

static void read_lines(uint64_t n)
{
    static const char text[] = "a line that comes in pieces\nand one that is whole\n";
    struct input_budget budget = {.used = 0, .most = 1000};
    const struct line_limits limits = {100, &budget};
    struct line_input input = {0};
    enum line_verdict verdict = LINE_NEED_MORE;
    size_t consumed;

    failing_memory_at(n);
    for (size_t at = 0; at + 1 < sizeof text && verdict != LINE_NO_MEMORY; at += consumed) {
        verdict = line_input_feed(&input, &limits, text + at, at < 28 ? 1 : sizeof text - 1 - at,
                                  &consumed);
        assert_true(verdict != LINE_TOO_LONG && verdict != LINE_TOO_MANY);
    }
    line_input_clear(&input, &limits);
    assert_int_equal(budget.used, 0);
}

static void what_clients_say_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    try_each(read_websocket, 2);
    try_each(read_lines, 1);
}

static void store_and_queue(uint64_t n)
{
    struct frame_pool pool = {0};
    struct output output = {0};
    uint64_t expected = 0;

    failing_memory_at(n);
    for (int i = 0; i < 40; i++) {
        struct frame frame;
        uint64_t before = pool.bytes_held;
        if (!frame_store(&pool, i % 3, "", 0, "{}", 2, "", 0, &frame)) {
            assert_int_equal(pool.bytes_held, before);
            continue;
        }
        if (output_append(&output, &frame))
            expected += frame.length;
        assert_int_equal(output.length, expected);
    }
    output_clear(&output);
    frame_pool_close(&pool);
    assert_int_equal(pool.segments_held, 0);
    assert_int_equal(pool.bytes_held, 0);
}

static void frames_are_queued_whole_or_not_at_all(void **state)
{
    (void)state;
    try_each(store_and_queue, 5);
}

static void read_request(uint64_t n)
{
    static const char text[] =
        "POST /path?query=1 HTTP/1.1\r\nHost: example.org\r\n"
        "User-Agent: somebody with a long name, so that memory must grow\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    const struct http_limits limits = {1000, 1000, NULL};
    enum http_verdict verdict = HTTP_NEED_MORE;
    struct bytes query = BYTES_EMPTY;
    size_t used, length;

    failing_memory_at(n);
    struct http_request *request = http_request_new(&limits);
    if (request == NULL)
        return;
    for (size_t at = 0; at + 1 < sizeof text && verdict == HTTP_NEED_MORE; at += used)
        verdict = http_request_feed(request, text + at, 1, &used);
    if (verdict == HTTP_COMPLETE) {
        assert_string_equal(http_request_path(request), "/path");
        assert_memory_equal(http_request_body(request, &length), "abcdef", 6);
        assert_int_equal(length, 6);
        assert_string_equal(http_request_header(request, HTTP_HEADER_HOST), "example.org");
        if (http_request_query(request, "query", &query))
            assert_memory_equal(query.data, "1", 1);
    } else {
        assert_int_equal(verdict, HTTP_REFUSED);
        assert_int_equal(http_request_status(request), 503);
    }
    bytes_free(&query);
    http_request_free(&request);
}

static void a_request_is_read_whole_or_answered_503(void **state)
{
    (void)state;
    try_each(read_request, 5);
}

static void remember_events(uint64_t n)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);
    unsigned char key[ENVELOPE_POST_KEY_SIZE] = {0};

    failing_memory_at(n);
    for (unsigned char i = 0; i < 100; i++) {
        size_t before = events.by_key.count;
        key[0] = i;
        bool added = seen_events_add(&events, key, 0, i, 0, 0);
        assert_int_equal(events.by_key.count, before + added);
        assert_int_equal(seen_events_find(&events, key, 0) != NULL, added);
    }
    seen_events_free(&events);
}

static void events_are_remembered_or_not(void **state)
{
    (void)state;
    try_each(remember_events, 100);
}

static void remember_streams(uint64_t n)
{
    struct departed departed = {.max_count = 10, .max_age_ms = 1000};
    const struct stream_secrets secrets = {0};
    const unsigned char secret[STREAM_SECRET_SIZE] = {1};

    departed_open(&departed);

    failing_memory_at(n);
    for (uint64_t connid = 1; connid < 20; connid++)
        departed_add(&departed, connid, secret, NULL, 0);
    assert_false(departed_take(&departed, &secrets, 1, secret, 0)); /* only the last ten are */
    departed_free(&departed);
}

static void streams_are_remembered_or_not(void **state)
{
    (void)state;
    try_each(remember_streams, 19);
}

static void know_whose_it_is(uint64_t n)
{
    struct identities identities = {.seed = 1};

    failing_memory_at(n);
    struct stream_identity *first = identities_new(&identities, "ana", "one");
    struct stream_identity *second = identities_new(&identities, "ana", "two");
    assert_true(first != NULL || second != NULL);
    const struct identity_name *user = identities_find(&identities, DROP_USER, "ana", 3);
    assert_non_null(user);
    assert_int_equal(user->uses, (first != NULL) + (second != NULL));
    assert_int_equal(identities_find(&identities, DROP_SESSION, "one", 3) != NULL, first != NULL);
    assert_int_equal(identities_find(&identities, DROP_SESSION, "two", 3) != NULL, second != NULL);
    stream_identity_free(first);
    stream_identity_free(second);
    assert_int_equal(identities.by_text.count, 0);
    assert_int_equal(identities.bytes, 0);
    identities_close(&identities);
}

static void whose_a_stream_is_is_known_whole_or_not(void **state)
{
    (void)state;
    try_each(know_whose_it_is, 5);
}

static void load_counts(uint64_t n)
{
    struct publisher_counts counts = {0};
    char error[PUBLISHERS_ERROR_SIZE] = "";

    failing_memory_at(n);
    if (!publisher_counts_load(&counts, NULL, error))
        assert_string_equal(error, "out of memory");
    publisher_counts_free(&counts);
}

static void open_log_database(uint64_t n)
{
    char error[LOG_DATABASE_ERROR_SIZE] = "";

    failing_memory_at(n);
    struct log_database *database = log_database_open("/proc/nowhere/log", false, error);
    assert_null(database);
    assert_true(strlen(error) > 0);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    try_each(load_counts, 1);
    try_each(open_log_database, 1);
}

/* ---- the whole daemon ---- */

static bool has_ended_or(struct client *client, const char *text)
{
    client_receive(client);
    if (client_has(client, "HTTP/1.1 400")) /* it is not the client's fault */
        fail_msg("%s", client->text);
    return client->ended || client_has(client, text) || client_has(client, "HTTP/1.1 503");
}

static void fail_while_it_works(bool begins)
{
    failing_memory_pause(!begins);
}

static void turn(struct daemon *daemon)
{
    fail_while_it_works(true);
    daemon_turn(daemon);
    fail_while_it_works(false);
}

static bool publish(struct daemon *daemon)
{
    struct event event = {
        .topic = "a/b", .topic_length = 3, .json = "{\"type\":\"x\"}", .json_length = 12};
    uint32_t receivers;

    fail_while_it_works(true);
    bool published = delivery_publish(&daemon->server->delivery, &event, &receivers);
    fail_while_it_works(false);
    return published && receivers == 1;
}

static void wait_for(struct daemon *daemon, struct client *client, const char *text)
{
    while (!has_ended_or(client, text))
        turn(daemon);
}

/* A client of each other transport comes and goes. */
static void live_otherwise(struct daemon *daemon)
{
    static const char sse[] =
        "GET /sse?ep=a/%2B&ep=%40CONNECTION%40/s&clid=s HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char poll[] = "POST /poll HTTP/1.1\r\nHost: h\r\nContent-Length: 34\r\n\r\n"
                               "{\"ep\":[\"a/b\"],\"clid\":\"p\",\"wait\":0}";
    struct client stream, poller;

    client_open(&stream, daemon);
    client_open(&poller, daemon);
    (void)client_send(&stream, sse, sizeof sse - 1);
    wait_for(daemon, &stream, "\"available\"");
    (void)client_send(&poller, poll, sizeof poll - 1);
    wait_for(daemon, &poller, "],\"id\":\"");
    if (publish(daemon))
        wait_for(daemon, &stream, "\"type\":\"x\"");
    client_close(&stream);
    client_close(&poller);
}

/* One that speaks and changes its topics, by either way in. */
static void live_both_ways(struct daemon *daemon)
{
    static const char handshake[] =
        "GET /ws?clid=w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char subscribe[] = "{\"subscribe\":[\"a/+\",\"b\",\"@CONNECTION@/w\"]}";
    static const char unsubscribe[] = "{\"unsubscribe\":[\"a/+\"]}";
    struct bytes out = BYTES_EMPTY;
    struct client socket, lines;

    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, subscribe, sizeof subscribe - 1);
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, unsubscribe, sizeof unsubscribe - 1);
    masked_frame_add(&out, FIN | WEBSOCKET_CLOSE, "\x03\xe8", 2);
    client_open(&socket, daemon);
    (void)client_send_text(&socket, handshake);
    while (!has_ended_or(&socket, "\"connected\""))
        turn(daemon);
    if (client_has(&socket, "HTTP/1.1 101"))
        (void)client_send(&socket, out.data, out.length - 1);
    client_open_lines(&lines, daemon);
    (void)client_send_text(&lines, "{\"ep\":[\"b\"],\"clid\":\"l\"}\n");
    (void)client_send_text(&lines, subscribe);
    while (!has_ended_or(&socket, "\"unsubscribed\"") && !client_has(&socket, "Out of memory"))
        turn(daemon);
    (void)client_send_text(&lines, "\n");
    (void)client_send_text(&lines, unsubscribe);
    (void)client_send_text(&lines, "\n");
    while (!has_ended_or(&lines, "\"unsubscribed\"") && !client_has(&lines, "Out of memory"))
        turn(daemon);
    if (client_has(&socket, "HTTP/1.1 101"))
        (void)client_send(&socket, out.data + out.length - 1, 1);
    while (!has_ended_or(&socket, "\x88\x02\x03\xe8"))
        turn(daemon);
    client_close(&socket);
    client_close(&lines);
    bytes_free(&out);
}

/* Some life of clients; each wait ends with what is waited for, or with the connection. */
static void live(struct daemon *daemon)
{
    static const char subscription[] =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 52\r\n\r\n"
        "{\"clid\":\"c\",\"ep\":[\"a\",\"a/+\",\"@CONNECTION@/c\",\"#\"]  }";
    struct client stream, asking;

    client_open(&stream, daemon);
    client_open(&asking, daemon);
    (void)client_send(&stream, subscription, sizeof subscription - 1);
    wait_for(daemon, &stream, "\"available\"");
    if (publish(daemon))
        wait_for(daemon, &stream, "\"type\":\"x\"");
    (void)client_send_text(
        &asking, "GET /connections?details=true&token=admin HTTP/1.1\r\nHost: h\r\n\r\n"
                 "GET /state?token=admin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    wait_for(daemon, &asking, "\"closed\"");
    client_close(&stream);
    client_close(&asking);
    live_otherwise(daemon);
    live_both_ways(daemon);
    while (daemon->server->net.connections > 0)
        turn(daemon);
}

static struct daemon shared;

static bool live_with_failure(uint64_t n)
{
    static const char health[] = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    struct client client;

    failing_memory_at(n);
    failing_memory_pause(true);
    live(&shared);
    bool failed = failing_memory_stop();
    /* Whatever happened, the next one is served. */
    client_open(&client, &shared);
    assert_true(client_send_text(&client, health));
    client_expect(&client, "{\"status\":\"ok\"}");
    client_close(&client);
    while (shared.server->net.connections > 0)
        daemon_turn(&shared);
    return failed;
}

static void the_daemon_lives_on_whichever_allocation_fails(void **state)
{
    uint64_t n = 0;

    (void)state;
    daemon_start(&shared, "");
    while (live_with_failure(++n))
        assert_true(n < NO_END);
    assert_true(n > 30);
    daemon_stop(&shared);
}

static void a_crowd_in_want_of_memory_leaves_nothing_behind(void **state)
{
    enum { STEPS = 20000 };
    struct daemon daemon;
    struct crowd crowd;

    (void)state;
    daemon_start(&daemon, crowd_config);
    crowd_open(&crowd, &daemon, 77);
    crowd.daemon_works = fail_while_it_works;
    failing_memory_pause(true);
    failing_memory_randomly(78, 60);
    for (int i = 0; i < STEPS; i++)
        crowd_step(&crowd);
    assert_true(failing_memory_stop());
    crowd_close(&crowd);
    assert_true(crowd.frames_checked > 1000);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_without_memory_is_as_it_was),
        cmocka_unit_test(a_look_up_says_that_it_is_incomplete),
        cmocka_unit_test(presence_counts_only_who_entered),
        cmocka_unit_test(a_body_is_read_whole_or_refused),
        cmocka_unit_test(topics_are_held_all_or_none),
        cmocka_unit_test(a_message_is_read_whole_or_refused),
        cmocka_unit_test(what_clients_say_is_read_whole_or_not_at_all),
        cmocka_unit_test(frames_are_queued_whole_or_not_at_all),
        cmocka_unit_test(a_request_is_read_whole_or_answered_503),
        cmocka_unit_test(events_are_remembered_or_not),
        cmocka_unit_test(streams_are_remembered_or_not),
        cmocka_unit_test(whose_a_stream_is_is_known_whole_or_not),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(the_daemon_lives_on_whichever_allocation_fails),
        cmocka_unit_test(a_crowd_in_want_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
