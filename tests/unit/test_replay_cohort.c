/* Those that come back with the same topics: what is found for one is found for all of them, and
 * each has what it would have had alone. */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "envelope.h"
#include "events/delivery.h"
#include "random.h"
#include "replay_scene.h"

/* However slow the machine is: nothing that is shared is forgotten for its age, or since a client
 * was told that all is well. */
static void start(struct daemon *daemon)
{
    daemon_start(daemon, "soft_time = 1h\nkeep_alive = 1h\nproxied_keep_alive = 1h\n");
    daemon->server->replays.cohorts.max_age_ms = UINT64_MAX;
}

/* Not strtoul(3), which sanitizers let look at all that follows. */
static uint64_t number_at(const char *at)
{
    uint64_t number = 0;

    for (; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

/* As docs/protocol.md section 2 has it: never smaller than the one before. */
static void check_iats(const struct client *client)
{
    static const char name[] = "{\"iat\":";
    const char *at = client->text;
    uint64_t before = 0;

    for (; (at = client_find(client, at, name)) != NULL;) {
        uint64_t iat = number_at(at += sizeof name - 1);
        assert_true(iat >= before);
        before = iat;
    }
    assert_true(before > 0);
}

/* A whole request, which nobody looks at before the next turn. */
static void send_subscription(struct client *client, struct daemon *daemon, const char *json)
{
    char request[1024];
    int length =
        snprintf(request, sizeof request,
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", strlen(json), json);

    client_open(client, daemon);
    assert_int_equal(send(client->descriptor, request, (size_t)length, 0), length);
}

static void receive_all(struct client *clients, int count, struct daemon *daemon, const char *last)
{
    for (int i = 0; i < count; daemon_turn(daemon)) {
        for (int j = i; j < count; j++)
            client_receive(&clients[j]);
        while (i < count && client_has(&clients[i], last))
            i++;
        assert_true(i == count || !clients[i].ended);
    }
}

/* What one was given is given to all that want the same: nothing is looked for, or formatted, for
 * each of them. */
static void those_who_want_the_same_share_the_work(void **state)
{
    enum { TOPICS = 20000, CLIENTS = 40 };
    struct daemon daemon;
    struct client clients[CLIENTS];
    uint64_t work[2], formatted[2];
    char text[64];

    (void)state;
    start(&daemon);
    for (unsigned number = 0; number < TOPICS; number++) {
        replay_deep_topic(text, number, 4);
        replay_publish(&daemon, text, number, 1);
    }
    for (int round = 0; round < 2; round++) {
        int count = round == 0 ? 1 : CLIENTS;
        work[round] = daemon.server->replays.work;
        formatted[round] = daemon.server->delivery.frames_formatted;
        for (int i = 0; i < count; i++)
            send_subscription(&clients[i], &daemon, "{\"ep\":[\"#\"],\"last_id\":\"0-0\"}");
        receive_all(clients, count, &daemon, ":[19999,");
        work[round] = daemon.server->replays.work - work[round];
        formatted[round] = daemon.server->delivery.frames_formatted - formatted[round];
        for (int i = 0; i < count; i++) {
            (void)replay_check(&clients[i], 0, TOPICS);
            check_iats(&clients[i]);
            client_close(&clients[i]);
        }
    }
    /* On a busy machine some are read turns later than others and share less: never does each cost
     * what the first did. */
    assert_true(formatted[1] < CLIENTS / 4 * formatted[0]);
    assert_true(work[1] < CLIENTS / 4 * work[0]);
    /* What is sent of it counts all the same, so that others have their turn. */
    assert_true(daemon.server->replays.shared_bytes > 64 * daemon.server->replays.shared);
    assert_int_equal(daemon.server->replays.cohorts.slice_count, 0);
    assert_int_equal(daemon.server->replays.cohorts.by_topics.count, 0);
    assert_int_equal(replay_kept_bytes(&daemon.server->replays), 0);
    daemon_stop(&daemon);
}

/* Those that want the same from different places, or the same in another order, or more. */
static void what_is_shared_is_what_each_wants(void **state)
{
    enum { EVENTS = 4000, CLIENTS = 24, ROUNDS = 20, SIZE = 150 };
    static const char *const wanted[] = {"\"#\"", "\"a/#\",\"b\"", "\"b\",\"a/#\"", "\"b\""};
    static const char *const topics[] = {"a/x", "a/y", "b", "c"};
    static const bool matches[][4] = {
        {true, true, true, true}, {true, true, true}, {true, true, true}, {false, false, true}};
    struct daemon daemon;
    struct client clients[CLIENTS];
    unsigned wants[CLIENTS], from[CLIENTS];
    uint64_t random = 11;
    char text[256];

    (void)state;
    start(&daemon);
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, topics[number % 7 % 4], number, SIZE);
    replay_publish(&daemon, "b", EVENTS, SIZE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            wants[i] = random_below(&random, 4);
            from[i] = random_below(&random, round % 2 ? EVENTS : 20);
            (void)snprintf(text, sizeof text, "{\"ep\":[%s],\"last_id\":\"%llu-%u\"}",
                           wanted[wants[i]], (unsigned long long)daemon.server->log.epoch, from[i]);
            send_subscription(&clients[i], &daemon, text);
            if (random_below(&random, 3) == 0)
                daemon_turn(&daemon);
        }
        receive_all(clients, CLIENTS, &daemon, ":[4000,");
        for (int i = 0; i < CLIENTS; i++) {
            const char *at = clients[i].text;
            for (unsigned number = from[i]; number <= EVENTS; number++) {
                unsigned topic = number < EVENTS ? number % 7 % 4 : 2;
                if (!matches[wants[i]][topic])
                    continue;
                at = client_find(&clients[i], at, "\"type\":\"n\",\"detail\":[");
                assert_non_null(at);
                at += sizeof "\"type\":\"n\",\"detail\":[" - 1;
                assert_int_equal(number_at(at), number);
            }
            assert_null(client_find(&clients[i], at, "\"type\":\"n\""));
            check_iats(&clients[i]);
            client_close(&clients[i]);
        }
    }
    assert_true(daemon.server->replays.shared > 0);
    daemon_stop(&daemon);
}

/* Copies the member that stands in what a client was told first, without its quotes. */
static void copy_member(const struct client *client, const char *name, char *out, size_t size)
{
    const char *at = strstr(client->text, name);

    assert_non_null(at);
    at += strlen(name);
    size_t length = strcspn(at, "\",}");
    assert_true(length < size);
    memcpy(out, at, length);
    out[length] = '\0';
}

static void publish_except(struct daemon *daemon, uint64_t connid)
{
    uint32_t receivers;
    struct event event = {.topic = "a",
                          .topic_length = 1,
                          .json = "{\"type\":\"moved\"}",
                          .json_length = 16,
                          .flags = ENVELOPE_EXCEPT,
                          .except = connid};

    assert_true(delivery_publish(&daemon->server->delivery, &event, &receivers));
}

/* A whisper is for one of those that want the same, and another event for all but that one,
 * whichever of them is given its slice first. */
static void what_was_whispered_is_not_shared(void **state)
{
    enum { CLIENTS = 6, EVENTS = 50 };
    struct daemon daemon;

    (void)state;
    start(&daemon);
    for (int which = 0; which < CLIENTS; which++) {
        struct client former, clients[CLIENTS];
        char connid[32], secret[80], json[256];
        uint64_t before = daemon.server->log.sequence;
        client_open(&former, &daemon);
        (void)client_subscribe(&former, "{\"ep\":[\"a\"]}");
        copy_member(&former, "\"connid\":", connid, sizeof connid);
        copy_member(&former, "\"secret\":\"", secret, sizeof secret);
        client_close(&former);
        for (unsigned number = 0; number < EVENTS; number++)
            replay_publish(&daemon, "a", number, 1);
        (void)replay_whisper(&daemon, strtoull(connid, NULL, 10), "a");
        publish_except(&daemon, strtoull(connid, NULL, 10));
        replay_publish(&daemon, "a", EVENTS, 1);
        for (int i = 0; i < CLIENTS; i++) {
            int length =
                snprintf(json, sizeof json, "{\"ep\":[\"a\"],\"last_id\":\"%llu-%llu\"",
                         (unsigned long long)daemon.server->log.epoch, (unsigned long long)before);
            (void)snprintf(json + length, sizeof json - (size_t)length,
                           i == which ? ",\"connid\":%s,\"secret\":\"%s\"}" : "}", connid, secret);
            send_subscription(&clients[i], &daemon, json);
        }
        receive_all(clients, CLIENTS, &daemon, ":[50,");
        for (int i = 0; i < CLIENTS; i++) {
            assert_int_equal(client_count(&clients[i], "whisper"), i == which);
            assert_int_equal(client_count(&clients[i], "moved"), i != which);
            assert_int_equal(client_count(&clients[i], "\"n\""), EVENTS + 1);
            client_close(&clients[i]);
        }
    }
    assert_true(daemon.server->replays.shared > 0);
    daemon_stop(&daemon);
}

/* Frames of a moment ago are not sent behind newer ones: who was told something meanwhile is given
 * frames of its own. */
static void what_is_told_meanwhile_is_not_followed_by_older_frames(void **state)
{
    enum { EVENTS = 6000, SIZE = 500, CLIENTS = 8 };
    static const struct timespec a_moment = {.tv_nsec = 2000000};
    struct daemon daemon;
    struct client clients[CLIENTS];

    (void)state;
    start(&daemon);
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "a", number, SIZE);
    for (int i = 0; i < CLIENTS; i++) {
        client_open_lines(&clients[i], &daemon);
        assert_true(client_send_text(&clients[i], "{\"ep\":[\"a\"],\"last_id\":\"1-0\"}\n"));
    }
    for (int turn = 0; turn < 40; turn++) {
        /* The first ones read on, and the others come to where those were. */
        for (int i = 0; i < CLIENTS; i++)
            if (turn % (i + 1) == 0)
                client_receive(&clients[i]);
        assert_true(client_send_text(&clients[turn % CLIENTS], "{\"ping\":1}\n"));
        daemon_turn(&daemon);
        (void)nanosleep(&a_moment, NULL);
    }
    receive_all(clients, CLIENTS, &daemon, ":[5999,");
    for (int i = 0; i < CLIENTS; i++) {
        (void)replay_check(&clients[i], 0, EVENTS);
        check_iats(&clients[i]);
        assert_true(client_has(&clients[i], "\"pong\""));
        client_close(&clients[i]);
    }
    assert_true(daemon.server->replays.shared > 0);
    daemon_stop(&daemon);
}

/* Likewise who looks for last values first, of which there are none for it. */
static void who_has_no_last_values_is_not_given_older_frames(void **state)
{
    enum { EVENTS = 6000, SIZE = 500, CLIENTS = 3, FIRST = 5 };
    struct daemon daemon;
    struct client clients[CLIENTS];
    struct event value = {.topic = "other",
                          .topic_length = 5,
                          .json = "{}",
                          .json_length = 2,
                          .flags = ENVELOPE_KEEP};
    char text[64];
    uint32_t receivers;

    (void)state;
    start(&daemon);
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, "a", number, SIZE);
    assert_true(delivery_publish(&daemon.server->delivery, &value, &receivers));
    for (int i = 0; i < CLIENTS; i++)
        client_open_lines(&clients[i], &daemon);
    for (int i = 0; i < CLIENTS; i++) {
        bool lacks_values = i == CLIENTS - 1;
        (void)snprintf(text, sizeof text, "{\"ep\":[\"a\"],\"last_id\":\"%llu-%d%s\"}\n",
                       (unsigned long long)daemon.server->log.epoch, FIRST,
                       lacks_values ? "-0" : "");
        while (lacks_values && daemon.server->replays.cohorts.slice_count == 0)
            daemon_turn(&daemon);
        if (lacks_values)
            daemon.server->log.last_iat += 60000; /* a minute later */
        assert_true(client_send_text(&clients[i], text));
    }
    receive_all(clients, CLIENTS, &daemon, ":[5999,");
    for (int i = 0; i < CLIENTS; i++) {
        (void)replay_check(&clients[i], FIRST, EVENTS - FIRST);
        check_iats(&clients[i]);
        client_close(&clients[i]);
    }
    daemon_stop(&daemon);
}

/* Who wants something else meanwhile gets that, and the others go on with theirs. */
static void who_changes_its_topics_leaves_the_others(void **state)
{
    enum { EVENTS = 6000, SIZE = 500, CLIENTS = 4 };
    struct daemon daemon;
    struct client clients[CLIENTS];

    (void)state;
    start(&daemon);
    for (unsigned number = 0; number < EVENTS; number++)
        replay_publish(&daemon, number % 2 ? "b" : "a", number, SIZE);
    for (int i = 0; i < CLIENTS; i++) {
        client_open_lines(&clients[i], &daemon);
        assert_true(client_send_text(&clients[i], "{\"ep\":[\"a\"],\"last_id\":\"1-0\"}\n"));
    }
    client_expect(&clients[1], "\"n\"");
    assert_true(client_send_text(&clients[1], "{\"subscribe\":[\"b\"]}\n"
                                              "{\"unsubscribe\":[\"a\"]}\n"));
    client_expect(&clients[1], "\"unsubscribed\"");
    assert_false(client_has(&clients[1], ":[5998,"));
    client_expect(&clients[1], ":[5999,");
    const char *after = strstr(clients[1].text, "\"unsubscribed\"");
    assert_null(strstr(after, "\"emitted\":\"a\""));
    for (int i = 0; i < CLIENTS; i++) {
        if (i == 1)
            continue;
        client_expect(&clients[i], ":[5998,");
        assert_int_equal(client_count(&clients[i], "\"n\""), EVENTS / 2);
        assert_false(client_has(&clients[i], "\"emitted\":\"b\""));
    }
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_want_the_same_share_the_work),
        cmocka_unit_test(what_is_shared_is_what_each_wants),
        cmocka_unit_test(what_was_whispered_is_not_shared),
        cmocka_unit_test(what_is_told_meanwhile_is_not_followed_by_older_frames),
        cmocka_unit_test(who_has_no_last_values_is_not_given_older_frames),
        cmocka_unit_test(who_changes_its_topics_leaves_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
