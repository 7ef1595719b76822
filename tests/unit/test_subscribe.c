/* A subscription becomes a stream: in the tables, told so, and the same one again when it comes
 * back. */
#include "service_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "envelope.h"
#include "net/connection.h"
#include "requests/presence_catch_up.h"
#include "requests/streaming.h"
#include "requests/subscribe.h"
#include "subscription_body.h"

static int set_up(void **state)
{
    struct service_scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    service_scene_open(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    service_scene_close(*state);
    free(*state);
    return 0;
}

static bool begin_with(struct connection *connection, const char *json,
                       const struct transport *transport)
{
    struct subscription_body body;
    const char *fault =
        subscription_body_read(&body, json, strlen(json), 0, connection->net->config);

    if (fault != NULL)
        fail_msg("%s", fault);
    bool begun = subscribe_begin(connection, NULL, &body, transport);
    subscription_body_free(&body);
    return begun;
}

static struct stream *begin(struct service_scene *scene, const char *json, int *peer)
{
    struct connection *connection = service_scene_connect(scene, peer);

    assert_true(begin_with(connection, json, &scene_transport));
    return stream_of(connection);
}

/* What a client keeps of itself, to come back with: `,"connid":N,"secret":"S"`. */
static void copy_self(const char *text, char *out, size_t size)
{
    const char *at = strstr(text, "\"connid\":"), *end = strstr(text, ",\"timeout\"");

    assert_non_null(at);
    assert_non_null(end);
    (void)snprintf(out, size, ",%.*s", (int)(end - at), at);
}

static void it_stands_in_every_table_and_is_told_who_it_is(void **state)
{
    struct service_scene *scene = *state;
    int peer;
    struct stream *stream = begin(scene, "{\"clid\":\"ana\",\"ep\":[\"a\",\"b/+\"]}", &peer);

    assert_int_equal(stream->connid, 1000);
    assert_ptr_equal(streams_find(&scene->streams, 1000), stream);
    assert_int_equal(stream->connection.state, CONNECTION_STREAMING);
    assert_int_equal(presence_count(&scene->streams.presence, "ana", 3), 1);
    assert_int_equal(scene->streams.topics[SUBSCRIPTION_OPEN].subscriptions, 2);
    assert_int_equal(scene->streams.of_encoding[FRAME_LINES], 1);
    assert_int_equal(scene->streams.begun, 1);
    service_scene_turn(scene);
    const char *text = service_scene_take(peer);
    assert_non_null(
        strstr(text, "{\"type\":\"connected\",\"detail\":{\"connid\":1000,\"secret\":\""));
    assert_non_null(strstr(text, ",\"id\":\"7-0\"}}"));
    assert_null(strstr(text, "recovered"));
    assert_int_equal(service_scene_publish(scene, "b/c", "{\"type\":\"x\"}"), 1);
    service_scene_turn(scene);
    assert_non_null(strstr(service_scene_take(peer), "\"requested\":\"b/+\""));
    assert_int_equal(close(peer), 0);
}

/* A client of somebody is told whose it is, and when its proof ends, when it does. */
static void it_is_told_whose_it_is(void **state)
{
    static const char json[] = "{\"ep\":[\"a\"]}";
    static const uint64_t untils[] = {4102444800000, 0};
    static const char *const told[] = {
        ",\"identity\":{\"uid\":\"ana\",\"until\":4102444800000}}",
        ",\"identity\":{\"uid\":\"ana\"}}",
    };
    struct service_scene *scene = *state;

    for (int i = 0; i < 2; i++) {
        struct subscription_body body;
        int peer;
        struct connection *connection = service_scene_connect(scene, &peer);
        assert_null(subscription_body_read(&body, json, sizeof json - 1, 0, &scene->config));
        body.user = "ana";
        body.until_ms = untils[i];
        assert_true(subscribe_begin(connection, NULL, &body, &scene_transport));
        subscription_body_free(&body);
        service_scene_turn(scene);
        assert_non_null(strstr(service_scene_take(peer), told[i]));
        assert_int_equal(close(peer), 0);
    }
}

/* It is in the tables before its own topics are. */
static void it_does_not_hear_itself_come_but_others_do(void **state)
{
    struct service_scene *scene = *state;
    int watcher, peer;

    (void)begin(scene, "{\"clid\":\"eva\",\"ep\":[\"@CONNECTION@/ana\"]}", &watcher);
    service_scene_turn(scene);
    assert_non_null(strstr(service_scene_take(watcher), "{\"clid_instances\":\"0\"}"));
    (void)begin(scene, "{\"clid\":\"ana\",\"ep\":[\"@CONNECTION@/ana\"]}", &peer);
    service_scene_turn(scene);
    assert_non_null(strstr(service_scene_take(watcher),
                           "{\"type\":\"connect\",\"detail\":{\"clid_instances\":1}}"));
    const char *text = service_scene_take(peer);
    assert_null(strstr(text, "\"type\":\"connect\""));
    assert_non_null(strstr(text, "{\"type\":\"available\",\"detail\":{\"clid_instances\":\"1\"}}"));
    assert_int_equal(close(peer), 0);
    service_scene_turn(scene);
    assert_non_null(strstr(service_scene_take(watcher),
                           "{\"type\":\"disconnect\",\"detail\":{\"clid_instances\":0}}"));
    assert_int_equal(close(watcher), 0);
}

static void whoever_proves_to_be_the_same_keeps_its_id(void **state)
{
    struct service_scene *scene = *state;
    char self[128], json[256];
    int first, second, third;

    (void)begin(scene, "{\"ep\":[\"a\"]}", &first);
    service_scene_turn(scene);
    copy_self(service_scene_take(first), self, sizeof self);
    (void)snprintf(json, sizeof json, "{\"ep\":[\"a\"]%s}", self);
    /* The old connection is still there, but its client knows better. */
    struct stream *stream = begin(scene, json, &second);
    assert_int_equal(stream->connid, 1000);
    assert_true(stream->comes_back);
    assert_int_equal(scene->net.counters.closed[CLOSE_REPLACED], 1);
    assert_int_equal(scene->streams.by_connid.count, 1);
    /* With a secret that is not its own one is somebody else. */
    stream = begin(scene,
                   "{\"ep\":[\"a\"],\"connid\":1000,"
                   "\"secret\":\"00000000000000000000000000000000\"}",
                   &third);
    assert_int_equal(stream->connid, 1001);
    assert_int_equal(scene->streams.by_connid.count, 2);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(second), 0);
    assert_int_equal(close(third), 0);
}

static void it_goes_on_where_it_was(void **state)
{
    struct service_scene *scene = *state;
    int peer;

    (void)service_scene_publish(scene, "a", "{\"type\":\"one\"}");
    (void)service_scene_publish(scene, "a", "{\"type\":\"two\"}");
    struct stream *stream = begin(scene, "{\"ep\":[\"a\"],\"last_id\":\"7-1\"}", &peer);
    assert_true(stream->asked_past);
    assert_true(stream->recovered);
    assert_non_null(stream->replay);
    service_scene_turn(scene);
    const char *text = service_scene_take(peer);
    assert_non_null(strstr(text, "\"recovered\":true"));
    assert_null(strstr(text, "\"one\""));
    assert_non_null(strstr(text, "\"two\""));
    assert_null(stream->replay);
    assert_int_equal(close(peer), 0);
}

struct start {
    const char *last_id;
    uint64_t after;
    bool recovered;
};

static void where_it_goes_on_is_found(void **state)
{
    static const struct start starts[] = {
        {"7-3", 3, true},   /* all of it is there */
        {"7-4", 4, true},   /* it has everything */
        {"7-1", 2, false},  /* the log does not reach back so far */
        {"6-9", 2, false},  /* of a log before this one: all that there is */
        {"8-1", 4, false},  /* of a log that is not there yet */
        {"7-9", 4, false},  /* that was never given */
        {"else", 4, false}, /* no id at all */
    };
    struct service_scene *scene = *state;
    int peer;
    struct connection *connection = service_scene_connect(scene, &peer);

    for (int i = 0; i < 4; i++)
        (void)service_scene_publish(scene, "a", "{}");
    event_log_forget(&scene->log, 2);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const char *id = starts[i].last_id;
        assert_int_equal(subscribe_find_start(connection, id, strlen(id)).sequence,
                         starts[i].after);
        assert_true(stream_of(connection)->asked_past);
        assert_int_equal(stream_of(connection)->recovered, starts[i].recovered);
    }
    assert_int_equal(subscribe_find_start(connection, NULL, 0).sequence, 4);
    assert_false(stream_of(connection)->asked_past);
    assert_int_equal(close(peer), 0);
}

static void publish_with(struct service_scene *scene, uint16_t flags)
{
    struct event event = {.topic = "a",
                          .topic_length = 1,
                          .json = "{}",
                          .json_length = 2,
                          .allowed = "ana",
                          .allowed_length = 4,
                          .flags = flags};
    uint32_t receivers;

    assert_true(delivery_publish(&scene->delivery, &event, &receivers));
}

/* Begins as ana, who has had this one, and tells whether nothing is held back from her. */
static bool is_given_all(struct service_scene *scene, const struct requested_topic *topic,
                         const char *last_id, const struct past_rights *past)
{
    struct requested_topic wanted = *topic;
    const struct subscription_body body = {
        .topics = {.list = &wanted, .count = 1}, .last_id = last_id, .user = "ana", .past = past};
    int peer;
    struct connection *connection = service_scene_connect(scene, &peer);

    assert_true(subscribe_begin(connection, NULL, &body, &scene_transport));
    service_scene_turn(scene);
    const char *text = service_scene_take(peer);
    bool recovered = strstr(text, "\"recovered\":true") != NULL;
    assert_true(recovered || strstr(text, "\"recovered\":false") != NULL);
    assert_int_equal(close(peer), 0);
    service_scene_turn(scene);
    return recovered;
}

/* Events of the past are for whom the database names today: without its answer they are held back,
 * and the client must know. */
static void what_is_held_back_counts_as_missed(void **state)
{
    static const struct requested_topic plain = {.text = "a", .length = 1};
    static const struct requested_topic bound = {.text = "a", .length = 1, .bound = true};
    static const struct requested_topic inbox = {.text = "@USER@", .length = 6, .bound = true};
    const struct past_rights topics = {.topics_known = true}, targeted = {.inbox_known = true};
    struct service_scene *scene = *state;

    publish_with(scene, 0);
    publish_with(scene, ENVELOPE_BOUND);
    publish_with(scene, ENVELOPE_BOUND | ENVELOPE_TARGETED);
    publish_with(scene, ENVELOPE_BOUND | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED);
    assert_true(is_given_all(scene, &plain, "7-0", NULL));
    assert_false(is_given_all(scene, &bound, "7-1", NULL));
    assert_false(is_given_all(scene, &bound, "7-1", &targeted));
    assert_true(is_given_all(scene, &bound, "7-1", &topics));
    assert_true(is_given_all(scene, &bound, "7-2", NULL));
    assert_false(is_given_all(scene, &inbox, "7-2", NULL));
    assert_false(is_given_all(scene, &inbox, "7-2", &topics));
    assert_true(is_given_all(scene, &inbox, "7-2", &targeted));
    assert_true(is_given_all(scene, &inbox, "7-3", NULL)); /* its publisher named her */
}

/* An id may say that last values are missing up to it: of presence nothing is, then. */
static void whom_it_saw_come_is_told_by_the_event_it_had(void **state)
{
    struct service_scene *scene = *state;
    const struct presence_heard heard = {0};
    int watcher, first, second;

    (void)begin(scene, "{\"ep\":[\"@CONNECTION@/+\"]}", &watcher);
    (void)begin(scene, "{\"clid\":\"ana\",\"ep\":[\"a\"]}", &first);
    service_scene_turn(scene);
    (void)service_scene_publish(scene, "a", "{}");
    (void)service_scene_publish(scene, "a", "{}");
    (void)begin(scene, "{\"clid\":\"eva\",\"ep\":[\"a\"]}", &second);
    service_scene_turn(scene);
    struct presence_due none = presence_catch_up_begin(&scene->service, "7-0", 3, true, &heard);
    struct presence_due all = presence_catch_up_begin(&scene->service, "7-2", 3, true, &heard);
    struct presence_due values = presence_catch_up_begin(&scene->service, "7-2-0", 5, true, &heard);
    assert_true(none.is_known && all.is_known && values.is_known);
    assert_true(none.change < all.change);
    assert_int_equal(values.change, all.change);
    assert_int_equal(close(watcher), 0);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(second), 0);
}

/* Also when nothing is told in the end: a turn has only so much time. */
static void the_search_for_what_it_missed_counts_as_work(void **state)
{
    enum { OTHERS = 80 };
    struct service_scene *scene = *state;
    const struct presence_heard heard = {0};
    struct replay_measure measure = {.window = 0, .most_work = 0};
    int watcher, peers[OTHERS];
    char json[64];
    struct stream *stream = begin(scene, "{\"ep\":[\"@CONNECTION@/+\"]}", &watcher);

    service_scene_turn(scene);
    (void)service_scene_publish(scene, "a", "{}");
    for (int i = 0; i < OTHERS; i++) {
        (void)snprintf(json, sizeof json, "{\"clid\":\"c%d\",\"ep\":[\"a\"]}", i);
        (void)begin(scene, json, &peers[i]);
    }
    service_scene_turn(scene);
    struct presence_due due = presence_catch_up_begin(&scene->service, "7-1", 3, true, &heard);
    assert_true(due.is_known);
    stream->presence_since = 0;
    assert_int_equal(presence_catch_up_tell(stream, &due, &measure), REPLAY_MORE);
    assert_int_equal(measure.work, OTHERS / 4);
    assert_int_equal(close(watcher), 0);
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(close(peers[i]), 0);
}

/* However many pieces it takes. */
static void whom_it_saw_go_it_is_told_of_once(void **state)
{
    enum { OTHERS = 3 };
    struct service_scene *scene = *state;
    const struct presence_heard heard = {0};
    int watcher, peers[OTHERS], pieces = 0;
    char text[64];
    struct stream *stream = begin(scene, "{\"ep\":[\"@CONNECTION@/+\"]}", &watcher);

    for (int i = 0; i < OTHERS; i++) {
        (void)snprintf(text, sizeof text, "{\"clid\":\"c%d\",\"ep\":[\"a\"]}", i);
        (void)begin(scene, text, &peers[i]);
    }
    service_scene_turn(scene);
    (void)service_scene_publish(scene, "a", "{}");
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(close(peers[i]), 0);
    service_scene_turn(scene);
    (void)service_scene_take(watcher);
    struct presence_due due = presence_catch_up_begin(&scene->service, "7-1", 3, true, &heard);
    stream->presence_since = 0;
    enum replay_telling told = REPLAY_MORE;
    for (; told == REPLAY_MORE && pieces < 2 * OTHERS; pieces++) {
        struct replay_measure measure = {.window = SIZE_MAX, .most_work = 1};
        told = presence_catch_up_tell(stream, &due, &measure);
    }
    assert_int_equal(told, REPLAY_TOLD);
    assert_true(pieces > 1);
    service_scene_turn(scene);
    const char *all = service_scene_take(watcher);
    for (int i = 0; i < OTHERS; i++) {
        (void)snprintf(text, sizeof text, "\"emitted\":\"@CONNECTION@/c%d\"", i);
        const char *once = strstr(all, text);
        assert_non_null(once);
        assert_null(strstr(once + 1, text));
    }
    assert_int_equal(close(watcher), 0);
}

static void a_poll_ends_with_the_first_event_and_is_present_a_little_longer(void **state)
{
    struct service_scene *scene = *state;
    char self[128], json[256];
    int peer, again;
    struct connection *connection = service_scene_connect(scene, &peer);

    connection->keep_alive = true;
    assert_true(
        begin_with(connection, "{\"clid\":\"ana\",\"ep\":[\"a\"],\"wait\":0}", &scene_poll));
    /* It does not want to wait. */
    assert_int_equal(connection->state, CONNECTION_ENDING);
    service_scene_turn(scene);
    copy_self(service_scene_take(peer), self, sizeof self);
    assert_int_equal(connection->state, CONNECTION_READING);
    assert_int_equal(presence_count(&scene->streams.presence, "ana", 3), 0);
    /* One that has come back is expected to do so again. */
    (void)snprintf(json, sizeof json, "{\"clid\":\"ana\",\"ep\":[\"a\"],\"wait\":0%s}", self);
    struct connection *next = service_scene_connect(scene, &again);
    assert_true(begin_with(next, json, &scene_poll));
    service_scene_turn(scene);
    assert_int_equal(scene->streams.by_connid.count, 0);
    assert_int_equal(presence_count(&scene->streams.presence, "ana", 3), 1);
    scene->config.poll_gap = 0;
    streaming_expire_polls(&scene->service);
    assert_int_equal(presence_count(&scene->streams.presence, "ana", 3), 0);
    assert_int_equal(close(peer), 0);
    assert_int_equal(close(again), 0);
}

/* The reason goes to the client, in the words of HTTP. */
static void what_cannot_be_is_refused(void **state)
{
    struct service_scene *scene = *state;
    const struct subscription_body body = {0};
    int peer;
    struct connection *connection = service_scene_connect(scene, &peer);

    subscribe_begin_or_refuse(connection, NULL, &body, &scene_transport, "Topic missing");
    service_scene_turn(scene);
    assert_memory_equal(service_scene_take(peer), "HTTP/1.1 400 Topic missing\r\n", 28);
    assert_int_equal(close(peer), 0);
    connection = service_scene_connect(scene, &peer);
    scene->net.stopping = true;
    subscribe_begin_or_refuse(connection, NULL, &body, &scene_transport, NULL);
    service_scene_turn(scene);
    const char *text = service_scene_take(peer);
    assert_memory_equal(text, "HTTP/1.1 503 Stopping\r\n", 23);
    assert_non_null(strstr(text, "Retry-After: 1\r\n"));
    assert_int_equal(scene->streams.by_connid.count, 0);
    assert_int_equal(close(peer), 0);
}

/* The connection takes the next request when its stream has ended cleanly. */
static void after_its_end_the_connection_is_free_again(void **state)
{
    struct service_scene *scene = *state;
    int peer;
    struct stream *stream = begin(scene, "{\"ep\":[\"a\"]}", &peer);
    struct connection *connection = &stream->connection;

    connection->keep_alive = true;
    streaming_end(connection, CLOSE_STREAM_TIME);
    assert_int_equal(scene->streams.by_connid.count, 0);
    service_scene_turn(scene);
    assert_non_null(strstr(service_scene_take(peer), "end\n"));
    assert_int_equal(connection->state, CONNECTION_READING);
    assert_true(begin_with(connection, "{\"ep\":[\"b\"]}", &scene_other_transport));
    assert_int_equal(scene->streams.begun, 2);
    assert_int_equal(close(peer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_stands_in_every_table_and_is_told_who_it_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_is_told_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_does_not_hear_itself_come_but_others_do, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_proves_to_be_the_same_keeps_its_id, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_goes_on_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whom_it_saw_come_is_told_by_the_event_it_had, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_search_for_what_it_missed_counts_as_work, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(where_it_goes_on_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_held_back_counts_as_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whom_it_saw_go_it_is_told_of_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_poll_ends_with_the_first_event_and_is_present_a_little_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_its_end_the_connection_is_free_again, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
