/* A daemon on an engine that numbers events, which other daemons have too: what it gives its clients, and what they
 * learn when it lost some, or was cut off. */
#include "daemon.h"
#include "failing_memory.h"
#include "fake_inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_endian.h"
#include "clock.h"
#include "events/intake.h"
#include "events/node_notes.h"
#include "hex.h"
#include "streams/streams.h"

#define ID(number) "\"7000-" number "\""

static struct daemon daemon_of_test;

/* What is given so far is taken. */
static void settle(void)
{
    daemon_turn_until(&daemon_of_test, fake_inbox_is_empty, NULL);
    daemon_turn(&daemon_of_test);
}

static struct daemon *start_at(uint64_t sequence, const char *lines)
{
    fake_inbox_begin(sequence);
    daemon_start(&daemon_of_test, lines);
    return &daemon_of_test;
}

/* It has its window, in which is nothing. */
static struct daemon *start(uint64_t sequence)
{
    struct daemon *daemon = start_at(sequence, "");

    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    return daemon;
}

static void stop(void)
{
    daemon_stop(&daemon_of_test);
    assert_true(fake_inbox.has_left);
    fake_inbox_end();
}

static void subscribe(struct client *client, const char *json)
{
    client_open(client, &daemon_of_test);
    (void)client_subscribe(client, json);
}

/* Asks and gives what was answered, until the next call. */
static const char *answer_to(const char *request)
{
    static char text[65536];
    struct client client;

    client_open(&client, &daemon_of_test);
    assert_true(client_send_text(&client, request));
    client_expect(&client, "\r\n\r\n");
    (void)snprintf(text, sizeof text, "%s", client.text);
    client_close(&client);
    return text;
}

static const char subscription[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n"
                                   "{\"ep\":[\"a\"]}";
static const char ready[] = "GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/* ---- numbers ---- */

static void it_serves_when_it_has_the_window(void **state)
{
    struct client client;

    (void)state;
    start_at(20, "");
    assert_non_null(strstr(answer_to(subscription), "503 Reading what was published before"));
    assert_non_null(strstr(answer_to(subscription), "Retry-After: 1"));
    assert_non_null(strstr(answer_to(ready), "503 Reading what was published before"));
    assert_false(upgrade_begin(&daemon_of_test.server->upgrade));
    assert_string_equal(daemon_of_test.server->upgrade.outcome.reason,
                        "Reading what was published before: try again later");
    fake_inbox_past(18, "a", "{\"type\":\"x18\"}", 0);
    fake_inbox_past(20, "a", "{\"type\":\"x20\"}", 0);
    settle();
    assert_non_null(strstr(answer_to(subscription), "503 Reading"));
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    assert_non_null(strstr(answer_to(ready), "200 OK"));
    subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"7000-18\"}");
    client_expect(&client, "\"recovered\":true");
    client_expect(&client, "x20");
    assert_false(client_has(&client, "x18"));
    client_close(&client);
    assert_int_equal(fake_inbox.acks, 0);
    stop();
}

static void events_have_the_ids_that_they_came_with(void **state)
{
    struct client client, back;

    (void)state;
    start(100);
    subscribe(&client, "{\"ep\":[\"a\"]}");
    assert_true(client_has(&client, "\"id\":" ID("100")));
    fake_inbox_event(103, "a", "{\"type\":\"x103\"}");
    client_expect(&client, "\"id\":" ID("103") ",\"ep\"");
    assert_int_equal(fake_inbox.acks, 1);
    assert_int_equal(fake_inbox.last_ack.event_sequence, 103);
    assert_int_equal(fake_inbox.last_ack.sequence, 1103);
    assert_int_equal(fake_inbox.last_ack.receivers, 1);
    assert_int_equal(fake_inbox.last_ack.status, ACK_DELIVERED);
    /* It was given before: the engine has found out what is new. */
    fake_inbox_event(103, "a", "{\"type\":\"again\"}");
    fake_inbox_event(104, "a", "{\"type\":\"x104\"}");
    client_expect(&client, "x104");
    assert_false(client_has(&client, "again"));
    assert_int_equal(intake_counters(daemon_of_test.server->intake)->events, 2);
    subscribe(&back, "{\"ep\":[\"a\"],\"last_id\":\"7000-99\"}");
    assert_true(client_has(&back, "\"recovered\":false"));
    client_close(&back);
    subscribe(&back, "{\"ep\":[\"a\"],\"last_id\":\"7000-100\"}");
    assert_true(client_has(&back, "\"recovered\":true"));
    client_expect(&back, "x104");
    client_close(&back);
    client_close(&client);
    stop();
}

static void the_same_event_is_neither_a_double_nor_too_much(void **state)
{
    struct bus_message message = {
        .wall_ms = 1,
        .envelope = {.kind = ENVELOPE_EVENT, .flags = ENVELOPE_HAS_POST_KEY, .token = 9},
        .event = {.topic = "a",
                  .topic_length = 1,
                  .json = "{}",
                  .json_length = 2,
                  .allowed = "",
                  .flags = ENVELOPE_HAS_POST_KEY}};

    (void)state;
    start_at(0, "[publish]\nrate = 1\nburst = 1\n");
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    for (message.number = 1; message.number <= 5; message.number++)
        fake_inbox_give(&message);
    settle();
    assert_int_equal(intake_counters(daemon_of_test.server->intake)->events, 5);
    assert_int_equal(daemon_of_test.server->log.events, 5);
    assert_int_equal(fake_inbox.last_ack.status, ACK_DELIVERED);
    stop();
}

/* A topic over the limits, and an order, are ids that no event has; who has what was before has come to there. */
static void what_is_no_event_leaves_a_hole(void **state)
{
    struct client client;
    char topic[5000];

    (void)state;
    memset(topic, 'a', sizeof topic);
    topic[sizeof topic - 1] = '\0';
    start(10);
    fake_inbox_event(11, topic, "{}");
    settle();
    assert_int_equal(fake_inbox.last_ack.status, ACK_TOPIC);
    fake_inbox_give(
        &(struct bus_message){.number = 12,
                              .envelope = {.kind = ENVELOPE_DROP},
                              .drop = {.kind = DROP_CLIENT, .name = "nobody", .name_length = 6}});
    settle();
    assert_int_equal(daemon_of_test.server->log.events, 0);
    subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"7000-10\"}");
    assert_true(client_has(&client, "\"recovered\":true"));
    assert_true(client_has(&client, "\"id\":" ID("12")));
    client_close(&client);
    subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"7000-12\"}");
    assert_true(client_has(&client, "\"recovered\":true"));
    client_close(&client);
    stop();
}

static void values_of_before_come_in_any_order(void **state)
{
    struct client client;

    (void)state;
    start_at(50, "");
    fake_inbox_value(30, "b", "{\"type\":\"b30\"}");
    fake_inbox_value(7, "a", "{\"type\":\"a7\"}");
    fake_inbox_value(20, "c", "{\"type\":\"c20\"}");
    fake_inbox_value(51, "d", "{\"type\":\"d51\"}"); /* nothing can be newer than the newest */
    fake_inbox_past(49, "c", "{\"type\":\"c49\"}", ENVELOPE_KEEP);
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    subscribe(&client, "{\"ep\":[\"#\"]}");
    client_expect(&client, "\"c49\"");
    const char *a = client_find(&client, client.text, "\"a7\""),
               *b = client_find(&client, client.text, "\"b30\""),
               *c = client_find(&client, client.text, "\"c49\"");
    assert_true(a != NULL && b != NULL && a < b && b < c);
    assert_false(client_has(&client, "\"c20\""));
    assert_int_equal(client_count(&client, "\"kept\":true"), 3);
    client_close(&client);
    stop();
}

/* Another daemon, or the handler, has told it of what this one is told of in a moment. */
static void who_is_ahead_waits_for_the_log(void **state)
{
    struct client client, page;

    (void)state;
    start(10);
    subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"7000-12\"}");
    assert_true(client_has(&client, "\"recovered\":true"));
    subscribe(&page, "{\"ep\":[\"a\"],\"last_id\":\"7000-13\"}");
    for (uint64_t number = 11; number <= 14; number++) {
        char json[32];
        (void)snprintf(json, sizeof json, "{\"type\":\"x%u\"}", (unsigned)number);
        fake_inbox_event(number, "a", json);
    }
    client_expect(&client, "x14");
    client_expect(&page, "x14");
    assert_true(client_has(&client, "x13"));
    assert_false(client_has(&client, "x12") || client_has(&client, "x11"));
    assert_false(client_has(&page, "x13"));
    /* No daemon is so far behind. */
    client_close(&page);
    subscribe(&page, "{\"ep\":[\"a\"],\"last_id\":\"7000-99999999\"}");
    assert_true(client_has(&page, "\"recovered\":false"));
    client_close(&page);
    client_close(&client);
    stop();
}

static void connection_ids_are_of_this_node(void **state)
{
    struct client client;
    uint64_t ids[2];

    (void)state;
    start(0);
    for (int i = 0; i < 2; i++) {
        client_open(&client, &daemon_of_test);
        ids[i] = client_subscribe(&client, "{\"ep\":[\"a\"]}");
        client_close(&client);
    }
    assert_int_equal(ids[0] % BUS_NODES_MOST, FAKE_NODE);
    assert_int_equal(ids[1], ids[0] + BUS_NODES_MOST);
    stop();
}

/* ---- drops ---- */

/* The log forgets each of them in its own time. */
static void events_of_the_past_are_as_old_as_they_are(void **state)
{
    enum { NUMBER = 18, MINUTE = 60000 };
    static const uint64_t ages[] = {30 * MINUTE, 20 * MINUTE, 5 * MINUTE};
    struct bus_message message = {
        .past = true,
        .envelope = {.kind = ENVELOPE_EVENT},
        .event = {.topic = "a", .topic_length = 1, .json = "{}", .json_length = 2, .allowed = ""}};

    (void)state;
    start_at(NUMBER + 2, "");
    for (unsigned i = 0; i < 3; i++) {
        message.number = NUMBER + i;
        message.wall_ms = clock_wall_ms() - ages[i];
        fake_inbox_give(&message);
    }
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    const struct event_log *log = &daemon_of_test.server->log;
    const struct logged_event *first = event_log_first_after(log, NUMBER - 1);
    assert_non_null(first);
    assert_int_equal(first->sequence, NUMBER);
    assert_in_range(first->newer->logged_at_ms - first->logged_at_ms, 9 * MINUTE, 11 * MINUTE);
    assert_in_range(log->newest->logged_at_ms - first->logged_at_ms, 24 * MINUTE, 26 * MINUTE);
    stop();
}

static void a_drop_of_the_past_counts_from_its_own_time(void **state)
{
    struct bus_message message = {
        .number = 2,
        .wall_ms = clock_wall_ms() - 60000,
        .past = true,
        .envelope = {.kind = ENVELOPE_DROP},
        .drop = {.kind = DROP_USER, .name = "ana", .name_length = 3, .for_ms = 90000}};

    (void)state;
    start_at(3, "");
    message.number = 0; /* of an epoch before */
    message.drop.name = "old";
    fake_inbox_give(&message);
    message.number = 2;
    message.drop.name = "ana";
    fake_inbox_give(&message);
    const struct revocations *revocations = &daemon_of_test.server->streams.revocations;
    fake_inbox_give(&message);
    message.number = 3;
    message.drop.name = "bob";
    message.drop.for_ms = 50000; /* over */
    fake_inbox_give(&message);
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    uint64_t now = clock_wall_ms();
    assert_int_equal(revocations->by_name.count, 2);
    /* It says nothing of where the window begins. */
    assert_int_equal(daemon_of_test.server->log.forgotten, 3);
    assert_true(revocations_refuse(revocations, "ana", NULL, message.wall_ms, now));
    assert_false(revocations_refuse(revocations, "ana", NULL, message.wall_ms + 1, now));
    assert_false(revocations_refuse(revocations, "ana", NULL, 1, now + 31000));
    assert_int_equal(fake_inbox.acks, 0);
    stop();
}

static void a_drop_ends_streams_and_is_acknowledged(void **state)
{
    struct client client;

    (void)state;
    start(3);
    subscribe(&client, "{\"clid\":\"c\",\"ep\":[\"a\"]}");
    fake_inbox_give(
        &(struct bus_message){.number = 4,
                              .wall_ms = clock_wall_ms(),
                              .envelope = {.kind = ENVELOPE_DROP, .publisher = 77, .sequence = 9},
                              .drop = {.kind = DROP_CLIENT, .name = "c", .name_length = 1}});
    client_expect(&client, "\"type\":\"dropped\"");
    settle();
    assert_int_equal(fake_inbox.last_ack.receivers, 1);
    assert_int_equal(fake_inbox.last_ack.sequence, 9);
    client_close(&client);
    stop();
}

/* ---- what was lost ---- */

/* They are told to come back where they were, and are given nothing of what is behind the gap. */
static void who_has_a_gap_comes_back_to_where_it_was(void **state)
{
    struct client client, back;

    (void)state;
    start_at(10, "stop_spread = 300ms\n");
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    fake_inbox_event(11, "a", "{\"type\":\"x11\"}");
    settle();
    subscribe(&client, "{\"ep\":[\"a\",\"@CONNECTION@/+\"]}");
    fake_inbox_news(BUS_NEWS_LOST, 0, 15);
    fake_inbox_event(16, "a", "{\"type\":\"x16\"}");
    settle();
    subscribe(&back, "{\"clid\":\"other\",\"ep\":[\"a\"]}");
    client_expect(&client, "\"type\":\"stopping\"");
    assert_false(client_has(&client, "x16"));
    assert_false(client_has(&client, "\"connect\""));
    assert_int_equal(client_count(&client, "\"id\":" ID("11")), 3); /* two of `connected` */
    client_close(&back);
    subscribe(&back, "{\"ep\":[\"a\"],\"last_id\":\"7000-11\"}");
    assert_true(client_has(&back, "\"recovered\":false"));
    client_expect(&back, "x16");
    client_close(&back);
    client_close(&client);
    stop();
}

/* Its publisher learns it, and who comes back for it that it is not here. */
static void an_event_without_memory_for_it_makes_a_gap(void **state)
{
    struct client back;
    char json[64];
    uint64_t number = 10;

    (void)state;
    start(number);
    do {
        fake_inbox_event(++number, "a", "{\"type\":\"x\"}");
        failing_memory_at(number - 10);
        settle();
        assert_true(failing_memory_stop()); /* else it was none of these */
    } while (fake_inbox.last_ack.status == ACK_DELIVERED);
    assert_int_equal(fake_inbox.last_ack.status, ACK_OVERLOAD);
    assert_int_equal(fake_inbox.last_ack.sequence, 1000 + number);
    fake_inbox_event(number + 1, "a", "{\"type\":\"next\"}");
    settle();
    (void)snprintf(json, sizeof json, "{\"ep\":[\"a\"],\"last_id\":\"7000-%llu\"}",
                   (unsigned long long)number - 1);
    subscribe(&back, json);
    assert_true(client_has(&back, "\"recovered\":false"));
    client_expect(&back, "\"next\"");
    client_close(&back);
    stop();
}

static void a_new_epoch_is_told_to_each(void **state)
{
    struct client client, back;

    (void)state;
    start_at(10, "stop_spread = 200ms\n");
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    subscribe(&client, "{\"ep\":[\"a\"]}");
    fake_inbox_event(11, "a", "{\"type\":\"x11\"}");
    client_expect(&client, "x11");
    fake_inbox_news(BUS_NEWS_EPOCH, FAKE_EPOCH + 5, 1000);
    fake_inbox_event(1001, "a", "{\"type\":\"anew\"}");
    settle();
    client_expect(&client, "\"type\":\"stopping\"");
    assert_false(client_has(&client, "anew"));
    assert_false(client_has(&client, "7005-"));
    assert_int_equal(client_count(&client, "\"id\":" ID("11")), 2);
    subscribe(&back, "{\"ep\":[\"a\"],\"last_id\":\"7000-11\"}");
    assert_true(client_has(&back, "\"recovered\":false"));
    client_expect(&back, "\"id\":\"7005-1001\"");
    client_close(&back);
    subscribe(&back, "{\"ep\":[\"a\"],\"last_id\":\"7005-1000\"}");
    assert_true(client_has(&back, "\"recovered\":true"));
    client_close(&back);
    client_close(&client);
    stop();
}

/* ---- cut off ---- */

static void who_is_cut_off_takes_nobody(void **state)
{
    struct client client, stayed;

    (void)state;
    start_at(10, "stop_spread = 200ms\n");
    fake_inbox_news(BUS_NEWS_WINDOW, 0, 0);
    settle();
    subscribe(&client, "{\"ep\":[\"a\"]}");
    fake_inbox_news(BUS_NEWS_CUT, 0, 0);
    settle();
    assert_non_null(strstr(answer_to(subscription), "503 Cut off from the other daemons"));
    assert_non_null(strstr(answer_to(ready), "503 Cut off from the other daemons"));
    client_expect(&client, "\"type\":\"stopping\"");
    client_close(&client);
    fake_inbox_news(BUS_NEWS_BACK, 0, 0);
    fake_inbox_event(11, "a", "{\"type\":\"x11\"}");
    settle();
    assert_non_null(strstr(answer_to(ready), "200 OK"));
    subscribe(&stayed, "{\"ep\":[\"a\"],\"last_id\":\"7000-10\"}");
    assert_true(client_has(&stayed, "\"recovered\":true"));
    client_expect(&stayed, "x11");
    client_close(&stayed);
    stop();
}

/* ---- the others ---- */

static void note_of(unsigned node, const char *text, size_t length)
{
    fake_inbox_note(node, text, length);
    settle();
}

/* Of one client id of one letter. */
static void presence_note(unsigned node, enum node_note kind, char clid, char instances)
{
    const char changes[] = {NODE_NOTE_CHANGES, 0, 1, 0, 0, 0, instances, clid};
    const char table[] = {NODE_NOTE_TABLE,
                          PRESENCE_TABLE_BEGINS | PRESENCE_TABLE_ENDS,
                          0,
                          1,
                          0,
                          0,
                          0,
                          instances,
                          clid};

    if (kind == NODE_NOTE_TABLE)
        note_of(node, table, sizeof table);
    else
        note_of(node, changes, sizeof changes);
}

static void news_of(enum bus_news_kind kind, unsigned node)
{
    fake_inbox_give(&(struct bus_message){.news = {.kind = kind, .node = node}});
    settle();
}

static bool has_asked(void *context)
{
    (void)context;
    return fake_inbox.note_length == 3 && fake_inbox.note[0] == NODE_NOTE_ASK;
}

static void presence_is_counted_over_all_daemons(void **state)
{
    struct client watcher, here;

    (void)state;
    start(1);
    subscribe(&watcher, "{\"ep\":[\"@CONNECTION@/c\",\"@CONNECTION@/+\"],\"clid\":\"w\"}");
    news_of(BUS_NEWS_CAME, 9);
    daemon_turn_until(&daemon_of_test, has_asked, NULL);
    assert_int_equal(fake_inbox.note[2], 9);
    presence_note(9, NODE_NOTE_TABLE, 'c', 2);
    client_expect(&watcher, "\"connect\",\"detail\":{\"clid_instances\":2}");
    client_forget(&watcher);
    subscribe(&here, "{\"clid\":\"c\",\"ep\":[\"@CONNECTION@/c\"]}");
    client_expect(&watcher, "\"connect\",\"detail\":{\"clid_instances\":3}");
    client_expect(&here, "\"available\",\"detail\":{\"clid_instances\":\"3\"}");
    client_forget(&watcher);
    /* What the sum was it is again. */
    presence_note(9, NODE_NOTE_CHANGES, 'c', 2);
    news_of(BUS_NEWS_GONE, 9);
    client_expect(&watcher, "\"disconnect\",\"detail\":{\"clid_instances\":1}");
    assert_int_equal(client_count(&watcher, "clid_instances"), 2); /* once for each topic */
    client_close(&here);
    client_close(&watcher);
    stop();
}

static bool has_told_c(void *context)
{
    const char entry[] = {NODE_NOTE_CHANGES, 0, 1, 0, 0, 0, 1, 'c'};

    (void)context;
    return fake_inbox.note_length == sizeof entry &&
           memcmp(fake_inbox.note, entry, sizeof entry) == 0;
}

static bool is_described(void *context)
{
    (void)context;
    return fake_inbox.streams == 1;
}

static void it_tells_of_its_own(void **state)
{
    struct client client;

    (void)state;
    start(1);
    subscribe(&client, "{\"clid\":\"c\",\"ep\":[\"a\"]}");
    daemon_turn_until(&daemon_of_test, has_told_c, NULL);
    daemon_turn_until(&daemon_of_test, is_described, NULL);
    client_close(&client);
    stop();
}

/* Gives what a `connected` frame says of the secret. */
static void secret_of(const struct client *client, char secret[33])
{
    const char *at = strstr(client->text, "\"secret\":\"");

    assert_non_null(at);
    (void)snprintf(secret, 33, "%.32s", at + 10);
}

static void come_back(struct client *client, uint64_t connid, const char *secret)
{
    char json[256];

    (void)snprintf(
        json, sizeof json,
        "{\"clid\":\"c\",\"ep\":[\"a\"],\"last_id\":\"7000-1\",\"connid\":%llu,\"secret\":\"%s\"}",
        (unsigned long long)connid, secret);
    subscribe(client, json);
}

static bool is_the_same(const struct client *client, uint64_t connid)
{
    char text[64];

    (void)snprintf(text, sizeof text, "\"connid\":%llu,", (unsigned long long)connid);
    return client_has(client, text);
}

static void moved_note(uint64_t connid, uint32_t least)
{
    char note[13] = {NODE_NOTE_MOVED};

    big_endian_write(note + 1, 8, connid);
    big_endian_write(note + 9, 4, least);
    note_of(9, note, sizeof note);
}

static bool nobody_is_there(void *context)
{
    (void)context;
    return daemon_of_test.server->streams.by_connid.count == 0;
}

static bool only_one_is_there(void *context)
{
    (void)context;
    return daemon_of_test.server->streams.by_connid.count == 1;
}

/* With secrets of the one key, whichever daemon made them. */
static void a_client_goes_from_one_daemon_to_the_other(void **state)
{
    struct client client, back;
    char first[33], second[33];

    (void)state;
    start(1);
    client_open(&client, &daemon_of_test);
    uint64_t connid = client_subscribe(&client, "{\"clid\":\"c\",\"ep\":[\"a\"]}");
    secret_of(&client, first);
    /* It came to another daemon: what it had here ends, and it is not there any more. */
    moved_note(connid, 0);
    client_expect_end(&client);
    assert_int_equal(daemon_of_test.server->streams.by_connid.count, 0);
    assert_int_equal(daemon_of_test.server->streams.presence.by_clid.count, 0);
    client_close(&client);
    /* The answer of that one was lost: the same secret counts once more, here too. */
    come_back(&back, connid, first);
    assert_true(is_the_same(&back, connid));
    assert_true(client_has(&back, "\"recovered\":true"));
    secret_of(&back, second);
    client_close(&back);
    /* A later one was shown elsewhere: this one counts no more. */
    moved_note(connid, 1);
    come_back(&back, connid, first);
    assert_false(is_the_same(&back, connid));
    client_close(&back);
    come_back(&back, connid, second);
    assert_true(is_the_same(&back, connid));
    client_close(&back);
    /* Dropped, wherever. */
    daemon_turn_until(&daemon_of_test, nobody_is_there, NULL);
    moved_note(connid, MOVED_STREAM_NONE);
    daemon_turn(&daemon_of_test);
    come_back(&back, connid, second);
    assert_false(is_the_same(&back, connid));
    client_close(&back);
    stop();
}

/* Made by the other daemon, under the key that all have. */
static void make_secret_elsewhere(uint64_t connid, char text[2 * STREAM_SECRET_SIZE + 1])
{
    struct stream_secrets secrets = {0};
    unsigned char secret[STREAM_SECRET_SIZE];

    assert_true(stream_secrets_open(&secrets, fake_inbox.facts.stream_key, 1, 0));
    stream_secrets_share(&secrets, FAKE_OTHER_NODE);
    assert_true(stream_secrets_make(&secrets, connid, NULL, secret));
    hex_write(text, secret, sizeof secret);
    stream_secrets_close(&secrets);
}

enum { CONNID = (7000 << BUS_NODE_BITS) + FAKE_OTHER_NODE };

static void a_stream_begins_wherever_it_comes_to(void **state)
{
    struct client back;
    char secret[2 * STREAM_SECRET_SIZE + 1];

    (void)state;
    start(1);
    fake_inbox.other_url = "node/9/";
    make_secret_elsewhere(CONNID, secret);
    come_back(&back, CONNID, secret);
    assert_true(is_the_same(&back, CONNID));
    client_close(&back);
    stop();
}

/* A poll keeps the secret that another daemon made, and is at home where it was last. */
static void who_polls_stays_where_it_is_known(void **state)
{
    char secret[2 * STREAM_SECRET_SIZE + 1], body[128], request[2][256], connid[32];

    (void)state;
    start(1);
    fake_inbox.other_url = "node/9/";
    make_secret_elsewhere(CONNID, secret);
    int length =
        snprintf(body, sizeof body, "{\"ep\":[\"a\"],\"wait\":0,\"connid\":%d,\"secret\":\"%s\"}",
                 CONNID, secret);
    for (int sent_on = 0; sent_on < 2; sent_on++)
        (void)snprintf(request[sent_on], sizeof request[sent_on],
                       "POST /poll%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s",
                       sent_on ? "?sent_on=1" : "", length, body);
    (void)snprintf(connid, sizeof connid, "\"connid\":%d,", CONNID);
    const char *text = answer_to(request[0]);
    assert_non_null(strstr(text, " 307 "));
    assert_non_null(strstr(text, "Location: node/9/poll?sent_on=1\r\n"));
    text = answer_to(request[1]);
    assert_non_null(strstr(text, " 200 "));
    assert_non_null(strstr(text, connid));
    text = answer_to(request[0]);
    assert_non_null(strstr(text, " 200 "));
    assert_non_null(strstr(text, connid));
    stop();
}

static const char state_request[] =
    "GET /state HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n";
static const char metrics_request[] =
    "GET /metrics HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n";

static void its_state_says_which_one_it_is(void **state)
{
    (void)state;
    start(1);
    const char *text = answer_to(state_request);
    assert_non_null(strstr(text, "\"number\": 5"));
    assert_non_null(strstr(text, "\"engine\": \"redis\""));
    assert_non_null(strstr(text, "\"cut\": false"));
    assert_non_null(strstr(text, "\"nodes\": ["));
    assert_non_null(strstr(answer_to(metrics_request), "esn_node_serves 1\n"));
    fake_inbox_news(BUS_NEWS_CUT, 0, 0);
    settle();
    text = answer_to(state_request);
    assert_non_null(strstr(text, "\"cut\": true"));
    assert_non_null(strstr(text, "\"trouble\": \"Cut off"));
    assert_non_null(strstr(answer_to(metrics_request), "esn_node_serves 0\n"));
    stop();
}

/* Before an event another daemon told something else of presence than this one: then all is told, and nothing is left
 * out. Who can have been here alone is told what has changed. */
static void who_may_come_from_elsewhere_is_told_of_all_present(void **state)
{
    static const char watching[] =
        "{\"clid\":\"c\",\"ep\":[\"@CONNECTION@/+\"],\"last_id\":\"7000-%u\"}";
    /* What came before the start may have been told by anybody. */
    static const char *const told[] = {"all", "all", "all", "changes"};
    struct client client, other;
    char json[128], text[64];

    (void)state;
    start(1);
    subscribe(&other, "{\"clid\":\"o\",\"ep\":[\"a\"]}");
    for (unsigned round = 0; round < 4; round++) {
        if (round == 1)
            news_of(BUS_NEWS_CAME, 9);
        else if (round == 2)
            news_of(BUS_NEWS_GONE, 9);
        else if (round == 3)
            fake_inbox_event(2, "b", "{}");
        settle();
        (void)snprintf(json, sizeof json, watching, round < 3 ? 1 : 2);
        (void)snprintf(text, sizeof text, "\"type\":\"presence\",\"detail\":{\"told\":\"%s\"}",
                       told[round]);
        subscribe(&client, json);
        client_expect(&client, text);
        client_close(&client);
        daemon_turn_until(&daemon_of_test, only_one_is_there, NULL);
    }
    client_close(&other);
    stop();
}

/* It was cut off for so long that another one was given its number. */
static void with_another_number_it_gives_other_connection_ids(void **state)
{
    struct client client;

    (void)state;
    start(1);
    fake_inbox_news(BUS_NEWS_CUT, 0, 0);
    settle();
    fake_inbox.facts.node = 6;
    fake_inbox.facts.first_connid = (UINT64_C(9000) << BUS_NODE_BITS) + 6;
    fake_inbox_news(BUS_NEWS_BACK, 0, 0);
    settle();
    client_open(&client, &daemon_of_test);
    assert_int_equal(client_subscribe(&client, "{\"ep\":[\"a\"]}"), (9000 << BUS_NODE_BITS) + 6);
    client_close(&client);
    assert_non_null(strstr(answer_to(state_request), "\"number\": 6"));
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_serves_when_it_has_the_window),
        cmocka_unit_test(events_have_the_ids_that_they_came_with),
        cmocka_unit_test(the_same_event_is_neither_a_double_nor_too_much),
        cmocka_unit_test(what_is_no_event_leaves_a_hole),
        cmocka_unit_test(values_of_before_come_in_any_order),
        cmocka_unit_test(who_is_ahead_waits_for_the_log),
        cmocka_unit_test(connection_ids_are_of_this_node),
        cmocka_unit_test(events_of_the_past_are_as_old_as_they_are),
        cmocka_unit_test(a_drop_of_the_past_counts_from_its_own_time),
        cmocka_unit_test(a_drop_ends_streams_and_is_acknowledged),
        cmocka_unit_test(who_has_a_gap_comes_back_to_where_it_was),
        cmocka_unit_test(an_event_without_memory_for_it_makes_a_gap),
        cmocka_unit_test(a_new_epoch_is_told_to_each),
        cmocka_unit_test(who_is_cut_off_takes_nobody),
        cmocka_unit_test(presence_is_counted_over_all_daemons),
        cmocka_unit_test(it_tells_of_its_own),
        cmocka_unit_test(a_client_goes_from_one_daemon_to_the_other),
        cmocka_unit_test(a_stream_begins_wherever_it_comes_to),
        cmocka_unit_test(who_polls_stays_where_it_is_known),
        cmocka_unit_test(its_state_says_which_one_it_is),
        cmocka_unit_test(with_another_number_it_gives_other_connection_ids),
        cmocka_unit_test(who_may_come_from_elsewhere_is_told_of_all_present),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
