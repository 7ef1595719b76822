/* Coming back: what a client missed, in order, without holding up others. */
#include "bytes.h"
#include "daemon.h"
#include "net/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "random.h"
#include "replay_scene.h"
#include "topic.h"

static bool nobody_catches_up(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->replays.catching_up == 0;
}

static bool nothing_is_held(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->streams.topics[SUBSCRIPTION_OPEN].subscriptions == 0 &&
           daemon->server->leaving.count == 0;
}

/* Looking through what is for others is work too: it is shared out over turns of the loop. */
static void those_who_catch_up_leave_turns_to_the_others(void **state)
{
    enum { OTHERS = 20000, CLIENTS = 20, TURN = 40000 };
    struct daemon daemon;
    struct client clients[CLIENTS], live;
    char json[64];
    uint64_t work = 0;

    (void)state;
    daemon_start(&daemon, "");
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(replay_whisper(&daemon, 1, "a"), 0);
    (void)daemon_publish(&daemon, "a", "{\"type\":\"last\"}");
    client_open(&live, &daemon);
    (void)client_subscribe(&live, "{\"ep\":[\"a\"]}");
    (void)snprintf(json, sizeof json, "{\"ep\":[\"a\",\"#\"],\"last_id\":\"%llu-1\"}",
                   (unsigned long long)daemon.server->log.epoch);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &daemon);
        (void)client_subscribe(&clients[i], json);
    }
    assert_true(daemon.server->replays.catching_up > 0);
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"new\"}"), CLIENTS + 1);
    client_expect(&live, "\"new\"");
    while (!nobody_catches_up(&daemon)) {
        work = daemon.server->replays.work;
        daemon_turn(&daemon);
        assert_true(daemon.server->replays.work - work < TURN);
    }
    /* One at least has looked at each; how many spared another the search depends on who came when. */
    assert_true(daemon.server->replays.work > OTHERS);
    for (int i = 0; i < CLIENTS; i++) {
        client_expect(&clients[i], "\"new\"");
        assert_int_equal(client_count(&clients[i], "\"last\""), 2); /* once for each topic */
        assert_false(client_has(&clients[i], "whisper"));
        client_close(&clients[i]);
    }
    client_close(&live);
    daemon_stop(&daemon);
}

/* Nothing is kept, so there is nothing to catch up with: who comes back is live at once. */
static void without_a_log_nothing_gets_lost_on_coming_back(void **state)
{
    struct daemon daemon;
    struct client client;
    char json[64];

    (void)state;
    daemon_start(&daemon, "[log]\nmax_bytes = 0\n");
    for (int i = 0; i < 10; i++)
        (void)daemon_publish(&daemon, "a", "{\"type\":\"old\"}");
    (void)snprintf(json, sizeof json, "{\"ep\":[\"a\"],\"last_id\":\"%llu-1\"}",
                   (unsigned long long)daemon.server->log.epoch);
    client_open(&client, &daemon);
    (void)client_subscribe(&client, json);
    assert_true(client_has(&client, "\"recovered\":false"));
    assert_int_equal(daemon.server->replays.catching_up, 0);
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"new\"}"), 1);
    client_expect(&client, "\"new\"");
    assert_false(client_has(&client, "\"old\""));
    client_close(&client);
    daemon_stop(&daemon);
}

/* However long it takes to send all of it. */
static void the_log_is_searched_once_for_one_that_comes_back(void **state)
{
    enum { TOPICS = 3000, SIZE = 1000, MEANWHILE = 200 };
    struct daemon daemon;
    struct client client;
    char topic[16], last[16];
    unsigned number = 0;

    (void)state;
    daemon_start(&daemon, "");
    for (; number < TOPICS; number++) {
        (void)snprintf(topic, sizeof topic, "t/%u", number);
        replay_publish(&daemon, topic, number, SIZE);
    }
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"#\"],\"last_id\":\"1-0\"}");
    for (; number < TOPICS + MEANWHILE; number++) {
        assert_true(daemon.server->replays.catching_up > 0);
        (void)snprintf(topic, sizeof topic, "t/%u", number * 7 % (2 * TOPICS));
        replay_publish(&daemon, topic, number, SIZE);
        if (number % 10 == 0)
            daemon_turn(&daemon);
    }
    (void)snprintf(last, sizeof last, ":[%u,", number - 1);
    client_expect(&client, last);
    (void)replay_check(&client, 0, number);
    assert_true(nobody_catches_up(&daemon));
    assert_true(daemon.server->replays.work < 8 * (TOPICS + MEANWHILE));
    assert_int_equal(daemon.server->replays.kept_bytes, 0);
    client_close(&client);
    daemon_stop(&daemon);
}

/* However long the log is, of which it wants one event. */
static void few_events_are_found_by_their_topics(void **state)
{
    enum { OTHERS = 20000 };
    struct daemon daemon;
    struct client client;
    char json[64];

    (void)state;
    daemon_start(&daemon, "");
    for (unsigned number = 0; number < OTHERS; number++)
        replay_publish(&daemon, "others", number, 1);
    (void)daemon_publish(&daemon, "a", "{\"type\":\"wanted\"}");
    (void)snprintf(json, sizeof json, "{\"ep\":[\"a\"],\"last_id\":\"%llu-1\"}",
                   (unsigned long long)daemon.server->log.epoch);
    client_open(&client, &daemon);
    (void)client_subscribe(&client, json);
    client_expect(&client, "\"wanted\"");
    assert_true(daemon.server->replays.work < OTHERS / 10);
    client_close(&client);
    daemon_stop(&daemon);
}

/* Nobody else talks: only its own having room wakes the loop, which must not wait for a tick. */
static void the_loop_does_not_sleep_while_one_that_has_room_catches_up(void **state)
{
    enum { EVENTS = 3000, SIZE = 1000 };
    struct daemon daemon;
    struct client client;
    unsigned turns = 0;

    (void)state;
    daemon_start(&daemon, "");
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "t", number, SIZE);
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"t\"],\"last_id\":\"1-0\"}");
    daemon_turn(&daemon);
    for (; !nobody_catches_up(&daemon); turns++) {
        assert_int_equal(daemon.server->net.backlogs, 0);
        assert_int_equal(uv_backend_timeout(&daemon.server->net.loop.uv), 0);
        client_receive(&client);
        daemon_turn(&daemon);
    }
    assert_true(turns > 20);
    client_expect(&client, ":[2999,");
    (void)replay_check(&client, 0, EVENTS);
    client_close(&client);
    daemon_stop(&daemon);
}

/* On a connection whose topics may change while it catches up. */
static void topics_may_change_meanwhile(void **state)
{
    enum { TOPICS = 3000, SIZE = 1000, CHANGES = 40 };
    struct daemon daemon;
    struct client client;
    char text[128];

    (void)state;
    daemon_start(&daemon, "");
    for (unsigned number = 0; number < TOPICS; number++) {
        (void)snprintf(text, sizeof text, "t/%u", number);
        replay_publish(&daemon, text, number, SIZE);
    }
    client_open_lines(&client, &daemon);
    assert_true(client_send_text(&client, "{\"ep\":[\"t/+\"],\"last_id\":\"1-0\"}\n"));
    client_expect(&client, "\"n\"");
    for (unsigned change = 0; change < CHANGES; change++) {
        assert_true(daemon.server->replays.catching_up > 0);
        (void)snprintf(text, sizeof text, "{\"%s\":[\"x/%u\",\"y/#\"]}\n",
                       change % 3 == 2 ? "unsubscribe" : "subscribe", change);
        assert_true(client_send_text(&client, text));
        daemon_turn(&daemon);
    }
    client_expect(&client, ":[2999,");
    (void)replay_check(&client, 0, TOPICS);
    assert_int_equal(client_count(&client, "\"subscribed\""), CHANGES - CHANGES / 3);
    client_close(&client);
    daemon_stop(&daemon);
}

/* Takes some of what has come. */
static void receive_some(struct client *client, size_t most)
{
    char bytes[8192];
    ssize_t got =
        recv(client->descriptor, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);

    if (got <= 0) {
        client->ended = got == 0;
        return;
    }
    client->text = realloc(client->text, client->length + (size_t)got + 1);
    assert_non_null(client->text);
    memcpy(client->text + client->length, bytes, (size_t)got);
    client->length += (size_t)got;
    client->text[client->length] = '\0';
}

/* The log forgets from behind while a client catches up, now faster, now slower: it has all without
 * a gap, or is closed for having fallen behind. */
static void what_is_forgotten_meanwhile_makes_no_gap(void **state)
{
    enum { ROUNDS = 60, STEPS = 300, TOPICS = 2000 };
    struct daemon daemon;
    struct client client;
    uint64_t random = 99;
    unsigned number = 0, whole = 0, behind = 0;
    char topic[16], json[64];

    (void)state;
    daemon_start(&daemon, "[log]\nmax_bytes = 1M\n");
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned first, haste = 1 + random_below(&random, 12);

        client_open(&client, &daemon);
        first = (unsigned)daemon.server->log.forgotten;
        (void)snprintf(json, sizeof json, "{\"ep\":[\"#\"],\"last_id\":\"%llu-%u\"}",
                       (unsigned long long)daemon.server->log.epoch, first);
        (void)client_subscribe(&client, json);
        for (unsigned step = 0; step < STEPS && !client.ended; step++) {
            for (unsigned i = random_below(&random, 4); i > 0; i--) {
                (void)snprintf(topic, sizeof topic, "t/%u", random_below(&random, TOPICS));
                replay_publish(&daemon, topic, number++, random_below(&random, 4000));
            }
            daemon_turn(&daemon);
            receive_some(&client, random_below(&random, 1000 * haste));
        }
        (void)replay_check(&client, first, 0);
        *(client.ended ? &behind : &whole) += 1;
        client_close(&client);
        while (daemon.server->net.connections > 0)
            daemon_turn(&daemon);
    }
    assert_true(whole > 5 && behind > 5);
    assert_int_equal(daemon.server->replays.kept_bytes, 0);
    daemon_stop(&daemon);
}

/* `#`, `+/#`, `+/+/#` and so on: each matches all topics that are deep enough. */
static void overlapping_patterns(char *json, size_t size, unsigned count)
{
    size_t length = (size_t)snprintf(json, size, "{\"last_id\":\"0-0\",\"ep\":[");

    for (unsigned i = 0; i < count; i++) {
        length += (size_t)snprintf(json + length, size - length, "%s\"", i > 0 ? "," : "");
        for (unsigned level = 0; level < i; level++)
            length += (size_t)snprintf(json + length, size - length, "+/");
        length += (size_t)snprintf(json + length, size - length, "#\"");
    }
    (void)snprintf(json + length, size - length, "]}");
}

/* The product of patterns and topics is never worked off, nor kept, in one piece. */
static void overlapping_patterns_cost_a_turn_no_more_than_others(void **state)
{
    enum { TOPICS = 20000, PATTERNS = 31, LEVELS = 4, TURN = 30000 };
    struct daemon daemon;
    struct client client;
    char text[4096];

    (void)state;
    daemon_start(&daemon, "max_pending = 100M\n");
    for (unsigned number = 0; number < TOPICS; number++) {
        replay_deep_topic(text, number, LEVELS);
        replay_publish(&daemon, text, number, 1);
    }
    client_open(&client, &daemon);
    overlapping_patterns(text, sizeof text, PATTERNS);
    (void)client_subscribe(&client, text);
    while (!nobody_catches_up(&daemon)) {
        uint64_t work = daemon.server->replays.work;
        daemon_turn(&daemon);
        client_receive(&client);
        assert_true(daemon.server->replays.work - work < TURN);
        assert_true(daemon.server->replays.kept_bytes < 1024 * 1024);
    }
    client_expect(&client, ":[19999,");
    /* Of 31 patterns those match that want no more levels than there are. */
    assert_int_equal(client_count(&client, "\"type\":\"n\""), TOPICS * (LEVELS + 2));
    client_close(&client);
    daemon_stop(&daemon);
}

/* Patterns of as many levels as there may be, which have nothing in common but their first ones. */
static char *deep_patterns(unsigned count, unsigned levels)
{
    struct bytes json = BYTES_EMPTY;

    bytes_append_text(&json, "{\"last_id\":\"0-0\",\"ep\":[\"#\"");
    for (unsigned i = 0; i < count; i++) {
        bytes_append_text(&json, ",\"+/+/+/+");
        for (unsigned level = 4; level < levels; level++)
            bytes_append_format(&json, "/%u", i);
        bytes_append_text(&json, "\"");
    }
    bytes_append_text(&json, "]}");
    assert_non_null(bytes_terminate(&json));
    return json.data;
}

/* What a walk through the log needs to know of its topics is as large as they are. */
static void what_many_deep_patterns_need_is_made_in_slices(void **state)
{
    enum { TOPICS = 5000, PATTERNS = 300, LEVELS = 60, TURN = 30000 };
    struct daemon daemon;
    struct client client;
    char text[64], *json = deep_patterns(PATTERNS, LEVELS);
    uint64_t made = 0;

    (void)state;
    daemon_start(&daemon, "max_topics_size = 2M\n");
    for (unsigned number = 0; number < TOPICS; number++) {
        replay_deep_topic(text, number, 5);
        replay_publish(&daemon, text, number, 1);
    }
    client_open(&client, &daemon);
    (void)client_subscribe(&client, json);
    while (!nobody_catches_up(&daemon)) {
        uint64_t work = daemon.server->replays.work;
        daemon_turn(&daemon);
        client_receive(&client);
        assert_true(daemon.server->replays.work - work < TURN);
        if (daemon.server->replays.cohorts.filter_bytes > made)
            made = daemon.server->replays.cohorts.filter_bytes;
    }
    assert_true(made > (uint64_t)PATTERNS * LEVELS * 64);
    client_expect(&client, ":[4999,");
    (void)replay_check(&client, 0, TOPICS);
    assert_int_equal(daemon.server->replays.cohorts.filter_bytes, 0);
    client_close(&client);
    daemon_turn_until(&daemon, nothing_is_held, &daemon);
    daemon_stop(&daemon);
    free(json);
}

/* All of many topics: what the first costs, the tenth costs too. */
static void each_that_wants_everything_costs_the_same(void **state)
{
    enum { TOPICS = 20000, CLIENTS = 40 };
    struct daemon daemon;
    struct client clients[CLIENTS];
    char text[64];
    uint64_t first = 0;

    (void)state;
    daemon_start(&daemon, "soft_time = 1h\n");
    for (unsigned number = 0; number < TOPICS; number++) {
        replay_deep_topic(text, number, 4);
        replay_publish(&daemon, text, number, 1);
    }
    for (int count = 1; count <= CLIENTS; count = count == 1 ? CLIENTS : CLIENTS + 1) {
        uint64_t work = daemon.server->replays.work;
        for (int i = 0; i < count; i++) {
            client_open(&clients[i], &daemon);
            (void)client_subscribe(&clients[i], "{\"ep\":[\"#\"],\"last_id\":\"0-0\"}");
        }
        for (int i = 0; i < count; i++) {
            client_expect(&clients[i], ":[19999,");
            (void)replay_check(&clients[i], 0, TOPICS);
            client_close(&clients[i]);
        }
        work = daemon.server->replays.work - work;
        if (count == 1)
            first = work;
        assert_true(work <= first * (uint64_t)count * 11 / 10);
    }
    assert_int_equal(daemon.server->replays.kept_bytes, 0);
    daemon_stop(&daemon);
}

static void resume_from(struct client *client, struct daemon *daemon, unsigned number,
                        unsigned address)
{
    char body[128], request[256];
    int length =
        snprintf(body, sizeof body, "{\"ep\":[\"#\",\"own/%u\"],\"last_id\":\"0-0\"}", number);

    client_open(client, daemon);
    (void)snprintf(request, sizeof request,
                   "POST / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.%u\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   address, length, body);
    assert_true(client_send_text(client, request));
}

enum { CROWD = 20 };

static const char crowded[] = "192.0.2.66";

/* It has used far more than its share, whatever the machine does meanwhile. */
static void put_in_debt(uv_handle_t *handle, void *context)
{
    const struct connection *connection = connection_of_handle(handle);
    struct counted_address *address = connection != NULL ? connection_address(connection) : NULL;
    char text[COUNTED_ADDRESS_TEXT_SIZE];

    (void)context;
    if (strcmp(counted_address_write(address, text), crowded) == 0)
        address->share.paid_at = UINT64_C(1) << 50;
}

static bool all_catch_up(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->replays.catching_up == CROWD + 1;
}

/* By the real address, which a proxy says. */
static void a_crowd_of_one_address_has_one_share_of_what_catching_up_takes(void **state)
{
    enum { EVENTS = 2000 };
    struct daemon daemon;
    struct client crowd[CROWD], other;

    (void)state;
    daemon_start(&daemon, "soft_time = 1h\n");
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "a", number, 500);
    for (unsigned i = 0; i < CROWD; i++)
        resume_from(&crowd[i], &daemon, i, 66);
    resume_from(&other, &daemon, CROWD, 67);
    daemon_turn_until(&daemon, all_catch_up, &daemon); /* nobody reads yet, so none is ready */
    uv_walk(&daemon.server->net.loop.uv, put_in_debt, NULL);
    while (!client_has(&other, ":[1999,")) {
        daemon_turn(&daemon);
        client_receive(&other);
        for (unsigned i = 0; i < CROWD; i++)
            client_receive(&crowd[i]);
    }
    assert_int_equal(daemon.server->replays.catching_up, CROWD);
    for (unsigned i = 0; i < CROWD; i++) {
        client_expect(&crowd[i], ":[1999,");
        (void)replay_check(&crowd[i], 0, EVENTS);
        client_close(&crowd[i]);
    }
    client_close(&other);
    daemon_stop(&daemon);
}

static void random_topic(uint64_t *random, char topic[16], unsigned wildcards)
{
    static const char levels[] = "abc+#";
    unsigned count = 1 + random_below(random, 4);

    for (unsigned i = 0; i < count; i++) {
        unsigned most = i + 1 < count ? 3 + (wildcards > 0) : 3 + wildcards;
        topic[2 * i] = levels[random_below(random, most)];
        topic[2 * i + 1] = i + 1 < count ? '/' : '\0';
    }
}

enum { MATCHED_EVENTS = 700, WANTED_MOST = 16 };

/* So many different topics, as the body of a subscription that wants all there was. */
static unsigned random_subscription(uint64_t *random, char wanted[WANTED_MOST][16], char *json)
{
    unsigned count = 1 + random_below(random, WANTED_MOST), kept = 0;

    json += sprintf(json, "{\"last_id\":\"0-0\",\"ep\":[");
    for (unsigned i = 0; i < count; i++) {
        bool again = false;
        random_topic(random, wanted[kept], 2);
        for (unsigned j = 0; j < kept; j++)
            again = again || strcmp(wanted[j], wanted[kept]) == 0;
        if (again)
            continue;
        json += sprintf(json, "%s\"%s\"", kept > 0 ? "," : "", wanted[kept]);
        kept++;
    }
    (void)strcpy(json, "]}");
    return kept;
}

/* Each event comes once for each topic that matches it, in order, and nothing else does. */
static void check_matches(const struct client *client, char topics[MATCHED_EVENTS][16],
                          char wanted[WANTED_MOST][16], unsigned count)
{
    static const char name[] = "\"type\":\"n\",\"detail\":[";
    const char *at = client->text;

    for (unsigned number = 0; number < MATCHED_EVENTS; number++) {
        const char *topic = topics[number];
        for (unsigned i = 0; i < count; i++) {
            if (!topic_matches(wanted[i], strlen(wanted[i]), topic, strlen(topic)))
                continue;
            at = strstr(at, name);
            assert_non_null(at);
            at += sizeof name - 1;
            assert_int_equal(strtoul(at, NULL, 10), number);
        }
    }
    assert_null(strstr(at, name));
}

/* Whether the log is walked or looked up by topic: what comes is what was to come. */
static void both_ways_find_what_the_topics_say(void **state)
{
    enum { ROUNDS = 60 };
    static char topics[MATCHED_EVENTS][16];
    char wanted[WANTED_MOST][16], json[512];
    struct daemon daemon;
    uint64_t random = 5;

    (void)state;
    daemon_start(&daemon, "");
    for (unsigned number = 0; number < MATCHED_EVENTS; number++) {
        random_topic(&random, topics[number], number % 8 == 0 ? 2 : 0);
        replay_publish(&daemon, topics[number], number, 1);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = random_subscription(&random, wanted, json);
        struct client client;
        client_open(&client, &daemon);
        (void)client_subscribe(&client, json);
        while (!nobody_catches_up(&daemon)) {
            client_receive(&client);
            daemon_turn(&daemon);
        }
        (void)daemon_publish(&daemon, wanted[0], "{\"type\":\"end\"}");
        client_expect(&client, "\"end\"");
        check_matches(&client, topics, wanted, count);
        client_close(&client);
    }
    daemon_stop(&daemon);
}

static bool most_wait(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->replays.waiting > 200 ||
           daemon->server->net.counters.closed[CLOSE_SLOW] > 0;
}

static bool one_waits(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->replays.waiting == 1;
}

/* Until it reads nothing is done for it, and nothing kept. */
static void who_has_no_room_is_waited_for(void **state)
{
    enum { EVENTS = 9000, SIZE = 1000 };
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "send_buffer = 64k\n");
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "t", number, SIZE);
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"t\"],\"last_id\":\"1-0\"}");
    daemon_turn_until(&daemon, one_waits, &daemon);
    client_expect(&client, ":[8999,");
    (void)replay_check(&client, 0, EVENTS);
    daemon_turn_until(&daemon, nobody_catches_up, &daemon);
    assert_int_equal(daemon.server->replays.waiting, 0);
    client_close(&client);
    daemon_stop(&daemon);
}

/* They hold little, each and together, are closed in the end, and stop nobody meanwhile. */
static void those_who_do_not_read_stop_nobody(void **state)
{
    enum { EVENTS = 3000, SIZE = 1000, IDLE = 300 };
    struct daemon daemon;
    struct client *idle = calloc(IDLE, sizeof *idle), reader;

    (void)state;
    assert_non_null(idle);
    daemon_start(&daemon, "max_pending_total = 8M\nsoft_time = 1s\n");
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "t", number, SIZE);
    for (int i = 0; i < IDLE; i++) {
        client_open(&idle[i], &daemon);
        (void)client_subscribe(&idle[i], "{\"ep\":[\"t\"],\"last_id\":\"1-0\"}");
    }
    daemon_turn_until(&daemon, most_wait, &daemon);
    client_open(&reader, &daemon);
    (void)client_subscribe(&reader, "{\"ep\":[\"t\"],\"last_id\":\"1-0\"}");
    client_expect(&reader, ":[2999,");
    (void)replay_check(&reader, 0, EVENTS);
    daemon_turn_until(&daemon, nobody_catches_up, &daemon);
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_SLOW], IDLE);
    assert_int_equal(daemon.server->replays.waiting, 0);
    client_close(&reader);
    for (int i = 0; i < IDLE; i++)
        client_close(&idle[i]);
    free(idle);
    daemon_stop(&daemon);
}

/* Who has been told that something may be missing is not ended because more of it was forgotten
 * before its turn came. Nothing is shared: what another was given before leads to where the log is
 * no more. */
static void who_knows_of_a_gap_may_have_a_wider_one(void **state)
{
    enum { EVENTS = 3000, SIZE = 1000, CLIENTS = 20 };
    static const char request[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 28\r\n\r\n"
                                  "{\"ep\":[\"t\"],\"last_id\":\"1-0\"}";
    struct daemon daemon;
    struct client clients[CLIENTS];
    unsigned number = 0, later = 0;

    (void)state;
    daemon_start(&daemon, "max_replay_shared = 0\n[log]\nmax_bytes = 4M\n");
    for (; number < EVENTS; number++)
        replay_publish(&daemon, "t", number, SIZE);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &daemon);
        assert_true(client_send(&clients[i], request, sizeof request - 1));
    }
    while (daemon.server->replays.catching_up < CLIENTS)
        daemon_turn(&daemon);
    for (const struct replay *replay = daemon.server->replays.first; replay != NULL;
         replay = replay->next)
        later += replay->may_have_gap;
    assert_true(later > 0);
    for (; number < 3 * EVENTS; number++)
        replay_publish(&daemon, "t", number, SIZE);
    while (!nobody_catches_up(&daemon)) {
        for (int i = 0; i < CLIENTS; i++)
            client_receive(&clients[i]);
        daemon_turn(&daemon);
    }
    assert_true(daemon.server->net.counters.closed[CLOSE_SLOW] <= CLIENTS - later);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    daemon_stop(&daemon);
}

/* However many wait for room, and however much is held, each is given enough at a time to go on. */
static void what_is_queued_for_each_at_a_time_is_within_bounds(void **state)
{
    enum { TOTAL = 8 * 1024 * 1024, LEAST = 4 * 1024, MOST = 64 * 1024 };
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "max_pending_total = 8M\n");
    struct replay_queue *queue = &daemon.server->replays;
    uint64_t *held = &daemon.server->net.frames.bytes_held;
    replay_run(queue);
    assert_int_equal(queue->window, MOST);
    queue->waiting = 1023; /* each would have a kilobyte */
    replay_run(queue);
    assert_int_equal(queue->window, LEAST);
    queue->waiting = 0;
    *held += TOTAL / 2 + 1;
    replay_run(queue);
    assert_int_equal(queue->window, LEAST);
    *held -= TOTAL / 2 + 1;
    daemon_stop(&daemon);
}

/* Who would have more to remember of where its topics are walks through the log instead. */
static void what_those_who_catch_up_remember_is_bounded(void **state)
{
    enum { TOPICS = 6000, SIZE = 500, KEPT = 64 * 1024 };
    struct daemon daemon;
    struct client client;
    char topic[16];

    (void)state;
    daemon_start(&daemon, "max_replay_kept = 64k\n");
    for (unsigned number = 0; number < TOPICS; number++) {
        (void)snprintf(topic, sizeof topic, "t/%u", number);
        replay_publish(&daemon, topic, number, SIZE);
    }
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"#\"],\"last_id\":\"1-0\"}");
    while (!nobody_catches_up(&daemon)) {
        assert_in_range(daemon.server->replays.kept_bytes, 0, KEPT);
        client_receive(&client);
        daemon_turn(&daemon);
    }
    client_expect(&client, ":[5999,");
    (void)replay_check(&client, 0, TOPICS);
    client_close(&client);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_catch_up_leave_turns_to_the_others),
        cmocka_unit_test(who_knows_of_a_gap_may_have_a_wider_one),
        cmocka_unit_test(without_a_log_nothing_gets_lost_on_coming_back),
        cmocka_unit_test(few_events_are_found_by_their_topics),
        cmocka_unit_test(the_log_is_searched_once_for_one_that_comes_back),
        cmocka_unit_test(the_loop_does_not_sleep_while_one_that_has_room_catches_up),
        cmocka_unit_test(topics_may_change_meanwhile),
        cmocka_unit_test(what_is_forgotten_meanwhile_makes_no_gap),
        cmocka_unit_test(overlapping_patterns_cost_a_turn_no_more_than_others),
        cmocka_unit_test(what_many_deep_patterns_need_is_made_in_slices),
        cmocka_unit_test(a_crowd_of_one_address_has_one_share_of_what_catching_up_takes),
        cmocka_unit_test(each_that_wants_everything_costs_the_same),
        cmocka_unit_test(both_ways_find_what_the_topics_say),
        cmocka_unit_test(what_is_queued_for_each_at_a_time_is_within_bounds),
        cmocka_unit_test(what_those_who_catch_up_remember_is_bounded),
        cmocka_unit_test(who_has_no_room_is_waited_for),
        cmocka_unit_test(those_who_do_not_read_stop_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
