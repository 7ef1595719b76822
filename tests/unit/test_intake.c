#include "captured_messages.h"
#include "daemon.h"
#include "stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "events/intake.h"
#include "wall_clock.h"

/* ---- a disk that can hang: stands before the C library's ---- */

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static atomic_int waiting; /* syncs that began and have not ended */

static int sync_file(long call, int file)
{
    atomic_fetch_add(&waiting, 1);
    (void)pthread_mutex_lock(&disk);
    (void)pthread_mutex_unlock(&disk);
    atomic_fetch_sub(&waiting, 1);
    return (int)syscall(call, file);
}

int fsync(int file)
{
    return sync_file(SYS_fsync, file);
}

int fdatasync(int file)
{
    return sync_file(SYS_fdatasync, file);
}

static void hang(void)
{
    assert_int_equal(pthread_mutex_lock(&disk), 0);
}

static void end_hanging(void)
{
    assert_int_equal(pthread_mutex_unlock(&disk), 0);
}

static bool disk_is_waited_for(void *context)
{
    (void)context;
    return atomic_load(&waiting) > 0;
}

/* ---- a handler in a thread of its own ---- */

enum { MOST_EVENTS = 64 };

struct handler {
    struct daemon *daemon;
    pthread_t thread;
    struct bus_event events[MOST_EVENTS];
    char texts[MOST_EVENTS][64];
    char *large;
    size_t count;
    unsigned limit_ms;
    bool published;
    atomic_bool done;
};

static void *publish(void *context)
{
    struct handler *handler = context;
    const char *const events[] = {handler->daemon->events, NULL};
    const char *const acks[] = {handler->daemon->acks, NULL};
    const struct bus_options options = {
        .event_endpoints = events, .ack_endpoints = acks, .max_message_bytes = 1 << 20};
    char error[BUS_ERROR_SIZE];
    struct bus_publisher *bus = bus_publisher_open(&options, error);

    if (bus != NULL)
        handler->published =
            bus_publish(bus, handler->events, handler->count, handler->limit_ms, handler->limit_ms);
    bus_publisher_close(&bus);
    atomic_store(&handler->done, true);
    return NULL;
}

/* Publishes events "n0", "n1" ... on topic a; of so many bytes, when size is not 0. post_key: of
 * all of them, or 0 for none. */
static void handler_start(struct handler *handler, struct daemon *daemon, size_t count, size_t size,
                          unsigned char post_key)
{
    *handler = (struct handler){.daemon = daemon, .count = count, .limit_ms = 20000};
    handler->large = calloc(1, size + 1);
    assert_non_null(handler->large);
    memset(handler->large, 'x', size);
    for (size_t i = 0; i < count; i++) {
        struct bus_event *event = &handler->events[i];
        char *text = handler->texts[i];

        *event = (struct bus_event){.topic = "a", .topic_length = 1};
        event->event_length = (size_t)snprintf(text, 64, "{\"type\":\"n%zu\"}", i);
        event->event = text;
        if (size > 0) {
            event->event = handler->large;
            event->event_length = size;
        }
        if (post_key) {
            event->flags = ENVELOPE_HAS_POST_KEY;
            memset(event->post_key, post_key, sizeof event->post_key);
        }
    }
    assert_int_equal(pthread_create(&handler->thread, NULL, publish, handler), 0);
}

static bool handler_is_done(void *context)
{
    struct handler *handler = context;

    return atomic_load(&handler->done);
}

/* Turns the daemon until every event is answered or the time is over. */
static void handler_finish(struct handler *handler)
{
    daemon_turn_until(handler->daemon, handler_is_done, handler);
    assert_int_equal(pthread_join(handler->thread, NULL), 0);
    free(handler->large);
}

/* ---- the daemon ---- */

static void start_again(struct daemon *daemon, const struct stored_files *files, const char *lines)
{
    char text[256];

    (void)snprintf(text, sizeof text, "[log]\npath = %s\n%s\n", files->path, lines);
    daemon_start(daemon, text);
}

static void start(struct daemon *daemon, struct stored_files *files, const char *lines)
{
    stored_files_make(files);
    start_again(daemon, files, lines);
}

static void stop(struct daemon *daemon, const struct stored_files *files)
{
    daemon_stop(daemon);
    stored_files_remove(files);
}

struct reached {
    const uint64_t *counter;
    uint64_t least;
};

static bool is_reached(void *context)
{
    const struct reached *reached = context;

    return *reached->counter >= reached->least;
}

static void turn_until_reached(struct daemon *daemon, const uint64_t *counter, uint64_t least)
{
    struct reached reached = {counter, least};

    daemon_turn_until(daemon, is_reached, &reached);
}

static bool six_are_unsynced(void *context)
{
    const struct daemon *daemon = context;

    return intake_figures(daemon->server->intake).unsynced_bytes >= 6 * 9000;
}

/* Of posts that came a second time, for `esnctl explain`. */
static unsigned count_unpublished(const struct daemon *daemon)
{
    struct decision_place place = {0};
    struct decision decision;
    unsigned count = 0;

    while (decisions_next(&daemon->server->streams.decisions, &place, &decision))
        count += decision.kind == DECISION_UNPUBLISHED;
    return count;
}

static bool a_double_is_known(void *context)
{
    return count_unpublished(context) > 0;
}

static void nobody_hears_of_an_event_before_it_is_on_the_disk(void **state)
{
    struct daemon daemon;
    struct stored_files files;
    struct client client, other;
    struct handler handler, again;

    (void)state;
    start(&daemon, &files, "sync = always\n");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\",\"@CONNECTION@/b\"]}");
    hang();
    handler_start(&handler, &daemon, 1, 0, 'k');
    daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    /* The loop goes on: others come, are told so, and ask. */
    client_open(&other, &daemon);
    (void)client_subscribe(&other, "{\"clid\":\"b\",\"ep\":[\"a\"]}");
    client_expect(&client, "\"type\":\"connect\"");
    /* The handler asks again, and so does another one with the same id of the publisher's: neither
     * is answered, and nothing is queued twice. The other one alone was posted a second time. */
    turn_until_reached(&daemon, &intake_counters(daemon.server->intake)->doubles, 2);
    assert_int_equal(count_unpublished(&daemon), 0);
    handler_start(&again, &daemon, 1, 0, 'k');
    turn_until_reached(&daemon, &intake_counters(daemon.server->intake)->doubles, 6);
    daemon_turn_until(&daemon, a_double_is_known, &daemon);
    assert_false(client_has(&client, "\"n0\""));
    assert_false(atomic_load(&handler.done));
    assert_false(atomic_load(&again.done));
    assert_int_equal(intake_counters(daemon.server->intake)->events, 0);
    end_hanging();
    handler_finish(&handler);
    handler_finish(&again);
    assert_true(handler.published && again.published);
    assert_int_equal(handler.events[0].ack.receivers, 2);
    assert_int_equal(again.events[0].ack.receivers, 2);
    assert_int_equal(again.events[0].ack.status, ACK_DOUBLE);
    assert_int_equal(again.events[0].ack.event_sequence, handler.events[0].ack.event_sequence);
    client_expect(&client, "\"n0\"");
    assert_int_equal(intake_counters(daemon.server->intake)->events, 1);
    assert_int_equal(daemon.server->log.events, 1);
    assert_int_equal(intake_figures(daemon.server->intake).stored, 1);
    client_close(&client);
    client_close(&other);
    stop(&daemon, &files);
}

static void events_come_in_order_after_a_wait(void **state)
{
    enum { EVENTS = 50 };
    struct daemon daemon;
    struct stored_files files;
    struct client client;
    struct handler handler;

    (void)state;
    start(&daemon, &files, "sync = always\n");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    hang();
    handler_start(&handler, &daemon, EVENTS, 0, 0);
    daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    end_hanging();
    handler_finish(&handler);
    assert_true(handler.published);
    client_expect(&client, "\"n49\"");
    const char *at = client.text;
    for (size_t i = 0; i < EVENTS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "\"n%zu\"", i);
        at = strstr(at, name);
        assert_non_null(at);
        if (i > 0)
            assert_true(handler.events[i].ack.event_sequence >
                        handler.events[i - 1].ack.event_sequence);
    }
    client_close(&client);
    stop(&daemon, &files);
}

/* While the disk hangs memory stays bounded, and who posts is told at once. */
static void what_has_no_room_is_refused_while_the_disk_hangs(void **state)
{
    enum { EVENTS = 20 };
    struct daemon daemon;
    struct stored_files files;
    struct handler first, handler;
    size_t refused = 0;

    (void)state;
    start(&daemon, &files, "sync = always\nmax_unsynced = 65536\n");
    hang();
    handler_start(&first, &daemon, 6, 9000, 0);
    daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    daemon_turn_until(&daemon, six_are_unsynced, &daemon);
    handler_start(&handler, &daemon, EVENTS, 9000, 0);
    turn_until_reached(&daemon, &intake_counters(daemon.server->intake)->overloads, EVENTS - 1);
    assert_true(intake_figures(daemon.server->intake).unsynced_bytes <= 65536);
    assert_true(disk_is_waited_for(NULL));
    end_hanging();
    handler_finish(&first);
    handler_finish(&handler);
    assert_true(first.published);
    assert_false(handler.published);
    for (size_t i = 0; i < EVENTS; i++)
        refused += handler.events[i].ack.status == ACK_UNSTORED;
    /* On a busy machine some are sent again, and refused again. */
    assert_true(intake_counters(daemon.server->intake)->overloads >= refused);
    assert_int_equal(intake_counters(daemon.server->intake)->events, 6 + EVENTS - refused);
    stop(&daemon, &files);
}

static bool takes_too_long(void *context)
{
    const uint64_t *since = context;

    return clock_monotonic_ms() - *since > 100;
}

/* Nobody would wait so long for the answer: better refused at once. */
static void what_comes_while_the_disk_hangs_too_long_is_refused_at_once(void **state)
{
    struct daemon daemon;
    struct stored_files files;
    struct handler first, handler;

    (void)state;
    start(&daemon, &files, "sync = always\n[publish]\ntime_limit = 100ms\n");
    hang();
    handler_start(&first, &daemon, 1, 0, 0);
    daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    uint64_t since = clock_monotonic_ms();
    daemon_turn_until(&daemon, takes_too_long, &since);
    handler_start(&handler, &daemon, 3, 0, 0);
    handler_finish(&handler);
    assert_false(handler.published);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(handler.events[i].ack.status, ACK_UNSTORED);
    assert_true(disk_is_waited_for(NULL));
    end_hanging();
    handler_finish(&first);
    assert_true(first.published);
    handler_start(&handler, &daemon, 3, 0, 0);
    handler_finish(&handler);
    assert_true(handler.published);
    stop(&daemon, &files);
}

static void without_waiting_for_the_disk_events_are_delivered_while_it_hangs(void **state)
{
    struct daemon daemon;
    struct stored_files files;
    struct client client;
    struct handler handler;

    (void)state;
    start(&daemon, &files, "sync = interval\nsync_interval = 1ms\n");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    hang();
    for (int i = 0; i < 3; i++) {
        handler_start(&handler, &daemon, 5, 0, 0);
        handler_finish(&handler);
        assert_true(handler.published);
        daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    }
    client_expect(&client, "\"n4\"");
    assert_int_equal(intake_counters(daemon.server->intake)->events, 15);
    assert_true(disk_is_waited_for(NULL));
    end_hanging();
    client_close(&client);
    stop(&daemon, &files);
}

/* What is on its way when it is told to end is written, and known at the next start. */
static void what_is_on_its_way_at_the_end_is_there_at_the_next_start(void **state)
{
    struct daemon daemon;
    struct stored_files files;
    struct client client;
    struct handler handler;

    (void)state;
    start(&daemon, &files, "sync = always\n");
    hang();
    handler_start(&handler, &daemon, 3, 0, 0);
    daemon_turn_until(&daemon, disk_is_waited_for, NULL);
    turn_until_reached(&daemon, &daemon.server->log.given, 3);
    end_hanging();
    daemon_stop(&daemon);
    /* Nobody may be there any more to hear the answer. */
    assert_int_equal(pthread_join(handler.thread, NULL), 0);
    free(handler.large);
    start_again(&daemon, &files, "sync = always\n");
    assert_int_equal(daemon.server->log.events, 3);
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"1-0\"}");
    client_expect(&client, "\"n2\"");
    client_close(&client);
    stop(&daemon, &files);
}

/* Publishes so many and gives the last one's sequence. */
static uint64_t publish_some(struct daemon *daemon, size_t count)
{
    struct handler handler;

    handler_start(&handler, daemon, count, 0, 0);
    handler_finish(&handler);
    assert_true(handler.published);
    return handler.events[count - 1].ack.event_sequence;
}

/* Wherever the wall clock is put, also between an end and the next start: what is kept stays, and
 * neither an event id nor a connection id is given twice. */
static void a_clock_that_jumps_loses_nothing(void **state)
{
    static const int64_t hours[] = {0, -24, 0, -24, -48, -48};
    struct daemon daemon;
    struct stored_files files;
    uint64_t sequence = 0, connid = 0;

    (void)state;
    stored_files_make(&files);
    for (size_t i = 0; i < sizeof hours / sizeof *hours; i++) {
        struct client client;

        wall_clock_set(hours[i] * 3600);
        start_again(&daemon, &files, "sync = always\nmax_age = 720h\n");
        assert_int_equal(daemon.server->log.events, 4 * i);
        client_open(&client, &daemon);
        uint64_t next = client_subscribe(&client, "{\"ep\":[\"a\"],\"last_id\":\"1-0\"}");
        assert_true(next > connid);
        connid = next;
        next = publish_some(&daemon, 2);
        assert_true(next > sequence);
        wall_clock_set((hours[i] - 12) * 3600);
        sequence = publish_some(&daemon, 2);
        assert_true(sequence > next);
        client_expect(&client, "\"n1\"");
        client_close(&client);
        daemon_stop(&daemon);
    }
    wall_clock_set(0);
    stored_files_remove(&files);
}

/* What was dropped before, and has no room now that there may be fewer, is told; what is over needs
 * none. */
static void drops_of_before_that_have_no_room_are_told(void **state)
{
    enum { DROPS = 4, COUNTING = 3 };
    static const char *const names[DROPS] = {"ana", "eva", "luis", "zoe"};
    struct daemon daemon;
    struct stored_files files;
    char error[LOG_DATABASE_ERROR_SIZE];
    struct log_state now = {.epoch = STORED_EPOCH};

    (void)state;
    stored_files_make(&files);
    struct log_database *database = log_database_open(files.path, true, error);
    assert_non_null(database);
    assert_true(log_database_begin(database));
    for (int i = 0; i < DROPS; i++) {
        const struct log_revocation kept = {.kind = DROP_USER,
                                            .name = names[i],
                                            .name_length = strlen(names[i]),
                                            .at_ms = clock_wall_ms(),
                                            .until_ms =
                                                i < COUNTING ? clock_wall_ms() + 3600000 : 1};
        assert_true(log_database_revoke(database, &kept));
    }
    assert_true(log_database_commit(database, &now, 0, 0));
    log_database_close(&database);
    captured_messages_begin();
    start_again(&daemon, &files, "[fanout]\nmax_revocations = 1\n");
    unsigned said = captured_messages_count("there is no room for drops of before: proofs of "
                                            "before count again drops=2\n");
    captured_messages_end();
    assert_int_equal(said, 1);
    assert_int_equal(daemon.server->streams.revocations.by_name.count, 1);
    stop(&daemon, &files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_of_before_that_have_no_room_are_told),
        cmocka_unit_test(nobody_hears_of_an_event_before_it_is_on_the_disk),
        cmocka_unit_test(events_come_in_order_after_a_wait),
        cmocka_unit_test(what_has_no_room_is_refused_while_the_disk_hangs),
        cmocka_unit_test(what_comes_while_the_disk_hangs_too_long_is_refused_at_once),
        cmocka_unit_test(without_waiting_for_the_disk_events_are_delivered_while_it_hangs),
        cmocka_unit_test(what_is_on_its_way_at_the_end_is_there_at_the_next_start),
        cmocka_unit_test(a_clock_that_jumps_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
