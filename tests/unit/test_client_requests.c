/* What clients ask for while they hold a stream, over lines, where every answer can be read. */
#include "requests/client_requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "net/connection.h"

#define EVENT(type) "{\"type\":\"" type "\"}"

static void open_with(struct client *client, struct daemon *daemon, const char *subscription)
{
    client_open_lines(client, daemon);
    assert_true(client_send_text(client, subscription) && client_send_text(client, "\n"));
    client_expect(client, "\"connected\"");
    client_forget(client);
}

/* Sends a message and waits for what its answer has. */
static void ask(struct client *client, const char *message, const char *answer)
{
    client_forget(client);
    assert_true(client_send_text(client, message) && client_send_text(client, "\n"));
    client_expect(client, answer);
}

static void topics_come_and_go(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "{\"ep\":[]}");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("early")), 0);
    ask(&client, "{\"subscribe\":[\"a\",\"b/+\",\"a\"]}",
        "\"subscribed\",\"detail\":{\"topics\":2}");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("one")), 1);
    client_expect(&client, EVENT("one"));
    assert_int_equal(daemon_publish(&daemon, "b/c", EVENT("two")), 1);
    client_expect(&client, "\"requested\":\"b/+\",\"emitted\":\"b/c\"},\"e\":" EVENT("two"));
    assert_false(client_has(&client, "early"));
    ask(&client, "{\"subscribe\":[\"b/+\",\"c\"]}", "{\"topics\":3}");
    ask(&client, "{\"unsubscribe\":[\"b/+\",\"never\"]}",
        "\"unsubscribed\",\"detail\":{\"topics\":2}");
    assert_int_equal(daemon_publish(&daemon, "b/c", EVENT("three")), 0);
    assert_int_equal(daemon_publish(&daemon, "c", EVENT("four")), 1);
    client_expect(&client, EVENT("four"));
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("five")), 1);
    client_expect(&client, EVENT("five"));
    ask(&client, "{\"unsubscribe\":[\"a\",\"c\"]}", "{\"topics\":0}");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("six")), 0);
    client_close(&client);
    daemon_stop(&daemon);
}

static void what_is_refused_changes_nothing(void **state)
{
    static const char *const pairs[][2] = {
        {"nonsense", "Invalid JSON in message"},
        {"[]", "Message should be an object"},
        {"{\"ep\":[\"x\"]}", "Message should be subscribe, unsubscribe, alive, had or ping"},
        {"{\"subscribe\":[\"x\",\"\"]}", "Topic is empty"},
        {"{\"subscribe\":[{\"topic\":\"x\",\"binded\":true}]}", "Bound topics need a bind key"},
        {"{\"subscribe\":[\"x\",\"y\",\"z\"]}", "Too many Event Points"},
        {"{\"subscribe\":[\"x\"],\"last_id\":\"1-1\"}",
         "Last id should come with the first topics"},
        {"{\"alive\":\"00112233445566778899aabbccddeeff\"}", "Invalid data"},
        {"{\"alive\":\"\"}", "Invalid data"},
    };
    struct daemon daemon;
    struct client client;
    char answer[120];

    (void)state;
    daemon_start(&daemon, "max_topics = 3\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        (void)snprintf(answer, sizeof answer, "{\"type\":\"error\",\"detail\":{\"error\":\"%s\"}}",
                       pairs[i][1]);
        ask(&client, pairs[i][0], answer);
        assert_int_equal(daemon.server->streams.topics[SUBSCRIPTION_OPEN].subscriptions, 1);
    }
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("still")), 1);
    client_expect(&client, EVENT("still"));
    client_close(&client);
    daemon_stop(&daemon);
}

static void take_secret(const struct client *client, char out[40])
{
    const char *start = strstr(client->text, "\"secret\":\"");

    assert_non_null(start);
    (void)snprintf(out, 40, "%.32s", start + 10);
}

static void say_alive(struct client *client, const char *secret, const char *answer)
{
    char message[80];

    (void)snprintf(message, sizeof message, "{\"alive\":\"%s\"}", secret);
    ask(client, message, answer);
}

static void the_time_is_renewed_for_who_knows_the_secret(void **state)
{
    struct daemon daemon;
    struct client client;
    char first[40], second[40], third[40];

    (void)state;
    daemon_start(&daemon, "max_alive = 3\nstream_time = 1h\n");
    client_open_lines(&client, &daemon);
    assert_true(client_send_text(&client, "{\"ep\":[\"a\"]}\n"));
    client_expect(&client, "\"connected\"");
    take_secret(&client, first);
    say_alive(&client, first, "\"type\":\"alive\",\"detail\":{\"connid\":");
    assert_true(client_has(&client, "\"timeout\":3600000}"));
    /* The first one counts until the second was shown: the answer may have been lost. */
    say_alive(&client, first, "\"type\":\"alive\"");
    take_secret(&client, second);
    assert_string_not_equal(first, second);
    say_alive(&client, second, "\"type\":\"alive\"");
    take_secret(&client, third);
    say_alive(&client, first, "Invalid data");
    say_alive(&client, third, "Max alive reached");
    client_close(&client);
    daemon_stop(&daemon);
}

static void the_past_comes_with_the_first_topics(void **state)
{
    struct daemon daemon;
    struct client client;
    char message[120];
    const char *subscribed, *first, *second;

    (void)state;
    daemon_start(&daemon, "");
    (void)daemon_publish(&daemon, "a", EVENT("had"));
    uint64_t sequence = daemon.server->log.sequence;
    (void)daemon_publish(&daemon, "a", EVENT("first"));
    (void)daemon_publish(&daemon, "elsewhere", EVENT("other"));
    (void)daemon_publish(&daemon, "b", EVENT("second"));
    open_with(&client, &daemon, "{\"ep\":[]}");
    (void)snprintf(message, sizeof message,
                   "{\"subscribe\":[\"a\",\"b\",\"@CONNECTION@/x\"],\"last_id\":\"%llu-%llu\"}",
                   (unsigned long long)daemon.server->log.epoch, (unsigned long long)sequence);
    ask(&client, message, "\"available\"");
    subscribed = strstr(client.text, "\"detail\":{\"topics\":3,\"recovered\":true,\"id\":\"");
    first = strstr(client.text, EVENT("first"));
    second = strstr(client.text, EVENT("second"));
    assert_true(subscribed != NULL && first != NULL && second != NULL);
    assert_true(subscribed < first && first < second);
    assert_true(second < strstr(client.text, "\"available\""));
    assert_false(client_has(&client, "had") || client_has(&client, "other"));
    ask(&client, message, "Last id should come with the first topics");
    client_close(&client);
    daemon_stop(&daemon);
}

static void a_past_that_is_gone_is_told(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "{\"ep\":[]}");
    ask(&client, "{\"subscribe\":[\"a\"],\"last_id\":\"nonsense\"}",
        "{\"topics\":1,\"recovered\":false,\"id\":\"");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("live")), 1);
    client_expect(&client, EVENT("live"));
    client_close(&client);
    daemon_stop(&daemon);
}

enum { TOPICS = 500, LONG = 2000 };

static void publish_much(struct daemon *daemon)
{
    char topic[16], event[LONG + 64];

    for (int i = 0; i < TOPICS; i++) {
        (void)snprintf(topic, sizeof topic, "p/%d", i);
        (void)snprintf(event, sizeof event, "{\"type\":\"much\",\"detail\":\"%0*d\"}", LONG, i);
        (void)daemon_publish(daemon, topic, event);
    }
}

/* Begins to catch up with more than its socket takes, so that it is still at it. */
static void begin_to_catch_up(struct client *client, struct daemon *daemon)
{
    const struct event_log *log = &daemon->server->log;
    char message[120];
    uint64_t start = log->sequence;

    publish_much(daemon);
    client_open_lines(client, daemon);
    (void)snprintf(message, sizeof message, "{\"ep\":[\"p/#\"],\"last_id\":\"%llu-%llu\"}\n",
                   (unsigned long long)log->epoch, (unsigned long long)start);
    assert_true(client_send_text(client, message));
    for (int i = 0; i < 50; i++)
        daemon_turn(daemon);
    assert_int_equal(daemon->server->replays.catching_up, 1);
}

static size_t count_of(const struct client *client, const char *text)
{
    size_t count = 0;

    for (const char *at = client->text; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* What was found in the log for it before is no longer what it wants. */
static void topics_change_while_it_catches_up(void **state)
{
    struct daemon daemon;
    struct client client;
    char last[LONG + 16];

    (void)state;
    daemon_start(&daemon, "");
    begin_to_catch_up(&client, &daemon);
    assert_true(client_send_text(&client, "{\"subscribe\":[\"p/+\",\"q\"]}\n"));
    for (int i = 0; i < 10; i++)
        daemon_turn(&daemon);
    assert_int_equal(daemon.server->replays.catching_up, 1);
    assert_int_equal(daemon_publish(&daemon, "q", EVENT("last")), 1);
    client_expect(&client, EVENT("last"));
    assert_int_equal(count_of(&client, "\"requested\":\"p/#\""), TOPICS);
    assert_true(client_has(&client, "\"requested\":\"p/+\"")); /* from where it is */
    assert_true(count_of(&client, "\"requested\":\"p/+\"") < TOPICS);
    assert_true(strstr(client.text, "\"subscribed\"") < strstr(client.text, EVENT("last")));
    client_close(&client);

    begin_to_catch_up(&client, &daemon);
    assert_true(
        client_send_text(&client, "{\"subscribe\":[\"q\"]}\n{\"unsubscribe\":[\"p/#\"]}\n"));
    for (int i = 0; i < 10; i++)
        daemon_turn(&daemon);
    client_expect(&client, "\"unsubscribed\",\"detail\":{\"topics\":1}");
    (void)snprintf(last, sizeof last, "%0*d\"", LONG, TOPICS - 1);
    assert_int_equal(daemon_publish(&daemon, "q", EVENT("end")), 1);
    client_expect(&client, EVENT("end"));
    assert_false(client_has(&client, last));
    client_close(&client);
    daemon_stop(&daemon);
}

/* A new topic that watches somebody is told at once who is there; those held already are not. */
static void who_is_there_is_told_for_new_topics(void **state)
{
    struct daemon daemon;
    struct client client, other;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "{\"ep\":[],\"clid\":\"me\"}");
    open_with(&other, &daemon, "{\"ep\":[],\"clid\":\"you\"}");
    ask(&client, "{\"subscribe\":[\"@CONNECTION@/you\"]}",
        "\"available\",\"detail\":{\"clid_instances\":\"1\"}");
    client_close(&other);
    client_expect(&client, "\"disconnect\",\"detail\":{\"clid_instances\":0}");
    ask(&client, "{\"subscribe\":[\"@CONNECTION@/you\",\"@CONNECTION@/me\"]}", "\"available\"");
    assert_true(client_has(&client, "\"requested\":\"@CONNECTION@/me\""));
    assert_false(client_has(&client, "\"requested\":\"@CONNECTION@/you\""));
    client_close(&client);
    daemon_stop(&daemon);
}

static bool has_caught_up(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->replays.catching_up == 0;
}

/* Last values are looked for in the log, as by one that catches up. */
static void who_is_there_is_told_once_where_last_values_come_with_new_topics(void **state)
{
    struct event value = {.topic = "v",
                          .topic_length = 1,
                          .json = "{\"type\":\"kept\"}",
                          .json_length = 15,
                          .flags = ENVELOPE_KEEP};
    struct daemon daemon;
    struct client client, other;
    uint32_t receivers;

    (void)state;
    daemon_start(&daemon, "");
    assert_true(delivery_publish(&daemon.server->delivery, &value, &receivers));
    open_with(&other, &daemon, "{\"ep\":[],\"clid\":\"you\"}");
    open_with(&client, &daemon, "{\"ep\":[]}");
    ask(&client, "{\"subscribe\":[\"v\",\"@CONNECTION@/you\"]}", EVENT("kept"));
    daemon_turn_until(&daemon, has_caught_up, &daemon);
    assert_int_equal(daemon_publish(&daemon, "v", EVENT("live")), 1);
    client_expect(&client, EVENT("live"));
    assert_int_equal(count_of(&client, "\"available\""), 1);
    client_close(&client);
    client_close(&other);
    daemon_stop(&daemon);
}

static void whispers_reach_topics_that_came_later(void **state)
{
    struct daemon daemon;
    struct client client;
    struct event event = {.topic = "a", .topic_length = 1, .json = EVENT("psst")};
    uint32_t receivers;

    (void)state;
    event.json_length = strlen(event.json);
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "{\"ep\":[]}");
    event.whisper = daemon.server->streams.next_connid - 1;
    ask(&client, "{\"subscribe\":[\"z\",\"a\",\"y\"]}", "subscribed");
    ask(&client, "{\"unsubscribe\":[\"z\"]}", "unsubscribed");
    assert_true(delivery_publish(&daemon.server->delivery, &event, &receivers));
    assert_int_equal(receivers, 1);
    client_expect(&client, EVENT("psst"));
    client_close(&client);
    daemon_stop(&daemon);
}

static bool is_talkative(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.counters.closed[CLOSE_TALKATIVE] == 1;
}

/* A minute's worth may come at once; the next one is too many. */
static void messages_are_counted(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "max_messages = 7\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}"); /* the first of them */
    for (int i = 0; i < 6; i++)
        ask(&client, "{\"ping\":null}", "\"pong\",\"detail\":{}");
    ask(&client, "{\"ping\":null}", "\"error\",\"detail\":{\"error\":\"Too many messages\"}");
    client_expect_end(&client);
    client_close(&client);
    daemon_turn_until(&daemon, is_talkative, &daemon);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_come_and_go),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(the_time_is_renewed_for_who_knows_the_secret),
        cmocka_unit_test(the_past_comes_with_the_first_topics),
        cmocka_unit_test(a_past_that_is_gone_is_told),
        cmocka_unit_test(topics_change_while_it_catches_up),
        cmocka_unit_test(who_is_there_is_told_for_new_topics),
        cmocka_unit_test(who_is_there_is_told_once_where_last_values_come_with_new_topics),
        cmocka_unit_test(whispers_reach_topics_that_came_later),
        cmocka_unit_test(messages_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
