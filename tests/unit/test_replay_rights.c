/* Who is given what of the past: each kind of event for each kind of subscription and each user, as
 * it was heard live, less what its ticket does not let it hear. Alone, and many at once. */
#include "daemon.h"
#include "past_rights.h"
#include "secret.h"
#include "ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "envelope.h"

#define SECRET "0123456789abcdef0123456789abcdef"

enum { PEOPLE = 3, KINDS = 10 };

static const char *const people[PEOPLE] = {NULL, "ana", "eva"};

static const struct {
    uint16_t flags;
    const char *allowed;
    size_t allowed_length;
    uint64_t whisper;
} kinds[KINDS] = {
    {0, "", 0, 0},
    {ENVELOPE_BOUND, "", 0, 0},
    {ENVELOPE_BOUND, "ana", 4, 0},
    {ENVELOPE_BOUND | ENVELOPE_ALL_USERS, "", 0, 0},
    {ENVELOPE_BOUND | ENVELOPE_EVERYONE, "", 0, 0},
    {ENVELOPE_BOUND | ENVELOPE_TARGETED, "ana", 4, 0},
    {ENVELOPE_BOUND | ENVELOPE_TARGETED, "ana\0eva", 8, 0},
    {ENVELOPE_PRIVATE, "", 0, 0},
    {ENVELOPE_BOUND | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED, "eva", 4, 0},
    {0, "", 0, 1},
};

/* How often each hears each kind: it subscribes to the topic plainly, bound and privately, and to
 * its inbox; who has no user plainly alone. */
static const char *const live[PEOPLE] = {"1000100000", "1011211100", "1001201110"};
/* When it comes back, its ticket says that it ... */
static const struct {
    const char *what;
    bool topics_known, inbox_known;
    const char *deaf, *inbox;
    const char *heard[PEOPLE];
} tickets[] = {
    {"may hear and follows it", true, true, NULL, "t", {"1000100000", "1011211100", "1001201110"}},
    {"may not hear it", true, true, "t", NULL, {"1000100000", "1000100100", "1000100110"}},
    {"may not hear it, but what was targeted",
     true,
     true,
     "t",
     "t",
     {"1000100000", "1000111100", "1000101110"}},
    {"follows it no more", true, true, NULL, NULL, {"1000100000", "1011200100", "1001200110"}},
    {"may not hear another one", true, true, "u", "u", {"1000100000", "1011200100", "1001200110"}},
    {"was not looked at", false, false, NULL, NULL, {"1000100000", "1000100100", "1000100110"}},
};

enum { TICKETS = sizeof tickets / sizeof *tickets };

struct scene {
    struct daemon daemon;
    char file[64];
};

static void open_scene(struct scene *scene)
{
    char lines[160];

    (void)snprintf(scene->file, sizeof scene->file, "/tmp/esn-past-XXXXXX");
    int descriptor = mkstemp(scene->file);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, SECRET "\n", sizeof SECRET), sizeof SECRET);
    assert_int_equal(close(descriptor), 0);
    (void)snprintf(lines, sizeof lines, "[ticket]\nsecret_file = %s\n", scene->file);
    daemon_start(&scene->daemon, lines);
}

static void close_scene(struct scene *scene)
{
    daemon_stop(&scene->daemon);
    assert_int_equal(unlink(scene->file), 0);
}

/* Appends the ticket, issued now. */
static void sign(struct bytes *out, struct ticket *ticket)
{
    char secret[] = SECRET, *values = secret;
    const struct secret_list secrets = {.values = &values, .count = 1};
    const struct ticket_rules rules = {.secrets = &secrets, .life_s = 10, .life_max_s = 60};

    ticket->issued_ms = clock_wall_ms();
    assert_int_equal(ticket_sign(out, &rules, ticket, ticket->issued_ms / 1000), TICKET_OK);
}

/* Subscribes as this user with everything there is; to be followed by turns of the daemon. */
static void ask(struct scene *scene, struct client *client, const char *user,
                const struct past_rights *past)
{
    static const struct requested_topic topics[] = {
        {.text = "t", .length = 1},
        {.text = "t", .length = 1, .bound = true},
        {.text = "t", .length = 1, .granted = true},
        {.text = "@USER@", .length = 6, .bound = true},
        {.text = "end", .length = 3},
    };
    struct ticket ticket = {.user = user,
                            .topics = topics,
                            .topic_count = sizeof topics / sizeof *topics,
                            .last_id = past != NULL ? "0-0" : NULL,
                            .past = past};
    struct requested_topic plain[] = {topics[0], topics[4]};
    struct bytes request = BYTES_EMPTY;

    if (user == NULL) {
        ticket.topics = plain;
        ticket.topic_count = 2;
    }
    bytes_append_text(&request, "GET /?ticket=");
    sign(&request, &ticket);
    bytes_append_text(&request, " HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(request.failed);
    client_open(client, &scene->daemon);
    assert_true(client_send(client, request.data, request.length));
    bytes_free(&request);
}

static void publish_all(struct scene *scene)
{
    for (int kind = 0; kind < KINDS; kind++) {
        char json[32];
        struct event event = {.topic = "t",
                              .topic_length = 1,
                              .json = json,
                              .json_length =
                                  (size_t)snprintf(json, sizeof json, "{\"type\":\"k%d\"}", kind),
                              .allowed = kinds[kind].allowed,
                              .allowed_length = kinds[kind].allowed_length,
                              .flags = kinds[kind].flags,
                              .whisper = kinds[kind].whisper};
        uint32_t receivers;
        assert_true(delivery_publish(&scene->daemon.server->delivery, &event, &receivers));
    }
}

static void check(struct client *client, const char *heard, const char *what, const char *user)
{
    client_expect(client, "\"type\":\"end\"");
    for (int kind = 0; kind < KINDS; kind++) {
        char type[16];
        (void)snprintf(type, sizeof type, "\"type\":\"k%d\"", kind);
        if (client_count(client, type) != (size_t)(heard[kind] - '0'))
            fail_msg("%s, who %s, hears kind %d %zu times", user != NULL ? user : "nobody", what,
                     kind, client_count(client, type));
    }
    client_close(client);
}

static struct past_rights past_of(int ticket)
{
    struct past_rights past = {.topics_known = tickets[ticket].topics_known,
                               .inbox_known = tickets[ticket].inbox_known};

    if (tickets[ticket].deaf != NULL)
        bytes_append(&past.deaf, tickets[ticket].deaf, strlen(tickets[ticket].deaf) + 1);
    if (tickets[ticket].inbox != NULL)
        bytes_append(&past.inbox, tickets[ticket].inbox, strlen(tickets[ticket].inbox) + 1);
    return past;
}

static void each_kind_is_heard_live_by_whom_it_is_for(void **state)
{
    struct scene scene;
    struct client clients[PEOPLE];

    (void)state;
    open_scene(&scene);
    for (int person = 0; person < PEOPLE; person++) {
        ask(&scene, &clients[person], people[person], NULL);
        client_expect(&clients[person], "\"connected\"");
    }
    publish_all(&scene);
    (void)daemon_publish(&scene.daemon, "end", "{\"type\":\"end\"}");
    for (int person = 0; person < PEOPLE; person++)
        check(&clients[person], live[person], "is live", people[person]);
    close_scene(&scene);
}

static void come_back_alone(struct scene *scene)
{
    for (int ticket = 0; ticket < TICKETS; ticket++) {
        for (int person = 0; person < PEOPLE; person++) {
            struct past_rights past = past_of(ticket);
            struct client client;
            ask(scene, &client, people[person], &past);
            check(&client, tickets[ticket].heard[person], tickets[ticket].what, people[person]);
            past_rights_free(&past);
        }
    }
}

/* With the same topics, in one turn of the loop: what one may hear is not given to another. */
static void come_back_together(struct scene *scene)
{
    enum { ROUNDS = 4 };
    static struct client clients[ROUNDS][TICKETS][PEOPLE];

    for (int round = 0; round < ROUNDS; round++)
        for (int ticket = 0; ticket < TICKETS; ticket++)
            for (int person = 0; person < PEOPLE; person++) {
                struct past_rights past = past_of(ticket);
                ask(scene, &clients[round][ticket][person], people[person], &past);
                past_rights_free(&past);
            }
    for (int round = 0; round < ROUNDS; round++)
        for (int ticket = 0; ticket < TICKETS; ticket++)
            for (int person = 0; person < PEOPLE; person++)
                check(&clients[round][ticket][person], tickets[ticket].heard[person],
                      tickets[ticket].what, people[person]);
}

static void come_back_after(unsigned others)
{
    struct scene scene;

    open_scene(&scene);
    publish_all(&scene);
    /* With many topics the log is walked, and not looked up by topic. */
    for (unsigned i = 0; i < others; i++) {
        char topic[32];
        (void)snprintf(topic, sizeof topic, "t/%u", i);
        (void)daemon_publish(&scene.daemon, topic, "{\"type\":\"other\"}");
    }
    (void)daemon_publish(&scene.daemon, "end", "{\"type\":\"end\"}");
    come_back_alone(&scene);
    come_back_together(&scene);
    close_scene(&scene);
}

static void who_comes_back_is_given_what_it_might_hear_then_and_may_hear_now(void **state)
{
    (void)state;
    come_back_after(0);
    come_back_after(2000);
}

static void publish_bound(struct scene *scene, const char *topic, const char *json)
{
    struct event event = {.topic = topic,
                          .topic_length = strlen(topic),
                          .json = json,
                          .json_length = strlen(json),
                          .allowed = "",
                          .flags = ENVELOPE_BOUND | ENVELOPE_ALL_USERS};
    uint32_t receivers;

    assert_true(delivery_publish(&scene->daemon.server->delivery, &event, &receivers));
}

/* Nobody has looked at the rights over it: its past is another matter than what comes. */
static void a_bound_topic_that_comes_meanwhile_has_no_past(void **state)
{
    enum { EVENTS = 3000, SIZE = 1000 };
    static const struct requested_topic topics[] = {{.text = "many", .length = 4},
                                                    {.text = "end", .length = 3}};
    static const struct requested_topic bound = {.text = "bound", .length = 5, .bound = true};
    const struct past_rights past = {.topics_known = true, .inbox_known = true};
    struct ticket ticket = {
        .user = "ana", .topics = topics, .topic_count = 2, .last_id = "0-0", .past = &past};
    struct ticket more = {.user = "ana", .topics = &bound, .topic_count = 1};
    struct bytes line = BYTES_EMPTY;
    struct scene scene;
    struct client client;
    char large[SIZE];

    (void)state;
    open_scene(&scene);
    (void)snprintf(large, sizeof large, "{\"type\":\"%0*u\"}", SIZE - 20, 0U);
    for (int i = 0; i < EVENTS; i++)
        (void)daemon_publish(&scene.daemon, "many", large);
    publish_bound(&scene, "bound", "{\"type\":\"past\"}");
    (void)daemon_publish(&scene.daemon, "plain", "{\"type\":\"plain\"}");
    (void)daemon_publish(&scene.daemon, "end", "{\"type\":\"end\"}");
    bytes_append_text(&line, "{\"ticket\":\"");
    sign(&line, &ticket);
    bytes_append_text(&line, "\"}\n");
    client_open_lines(&client, &scene.daemon);
    assert_true(client_send(&client, line.data, line.length));
    client_expect(&client, "\"connected\"");
    assert_true(scene.daemon.server->replays.catching_up > 0);
    bytes_clear(&line);
    bytes_append_text(&line, "{\"subscribe\":[\"plain\"],\"ticket\":\"");
    sign(&line, &more);
    bytes_append_text(&line, "\"}\n");
    assert_true(client_send(&client, line.data, line.length));
    client_expect(&client, "\"subscribed\"");
    assert_true(scene.daemon.server->replays.catching_up > 0);
    client_expect(&client, "\"type\":\"end\"");
    assert_int_equal(client_count(&client, "\"type\":\"plain\""), 1);
    publish_bound(&scene, "bound", "{\"type\":\"now\"}");
    client_expect(&client, "\"type\":\"now\"");
    assert_int_equal(client_count(&client, "\"type\":\"past\""), 0);
    client_close(&client);
    bytes_free(&line);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_heard_live_by_whom_it_is_for),
        cmocka_unit_test(who_comes_back_is_given_what_it_might_hear_then_and_may_hear_now),
        cmocka_unit_test(a_bound_topic_that_comes_meanwhile_has_no_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
