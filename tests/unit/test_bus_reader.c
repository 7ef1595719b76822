/* Events off the bus, in measures: delivered, acknowledged, and looked after in a crowd of clients.
 */
#include "service_scene.h"

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
#include <time.h>
#include <unistd.h>

#include "bus/bus.h"
#include "events/bus_reader.h"
#include "events/drops.h"
#include "events/intake.h"
#include "events/rate_limits.h"
#include "events/seen_events.h"
#include "messages.h"

enum { LIMIT_SECONDS = 120, MOST_EVENTS = 20 };

struct station {
    struct service_scene scene;
    struct seen_events seen;
    struct rate_limits rates;
    struct drops drops;
    struct intake *intake;
    struct bus_reader *bus;
    char folder[32], events[64], acks[64];
    char *bus_events[2], *bus_acks[2], **default_events, **default_acks;
    char error[512];
    /* Who publishes, in a thread of its own. */
    pthread_t thread;
    size_t count;
    unsigned limit_ms;
    struct bus_event published[MOST_EVENTS];
    bool all_acknowledged;
    atomic_bool is_done;
};

static bool open_reader(struct station *station)
{
    station->bus = bus_reader_open(&station->scene.net, station->intake, station->scene.log.epoch,
                                   NULL, station->error);
    return station->bus != NULL;
}

static int set_up(void **state)
{
    struct station *station = calloc(1, sizeof *station);

    assert_non_null(station);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    service_scene_open(&station->scene);
    (void)snprintf(station->folder, sizeof station->folder, "/tmp/esn-reader-XXXXXX");
    assert_non_null(mkdtemp(station->folder));
    (void)snprintf(station->events, sizeof station->events, "ipc://%s/events", station->folder);
    (void)snprintf(station->acks, sizeof station->acks, "ipc://%s/acks", station->folder);
    station->bus_events[0] = station->events;
    station->bus_acks[0] = station->acks;
    struct config *config = &station->scene.config;
    station->default_events = config->bus_events;
    station->default_acks = config->bus_acks;
    config->bus_events = station->bus_events;
    config->bus_acks = station->bus_acks;
    seen_events_open(&station->seen, 1);
    station->seen.max_count = 1000;
    station->seen.max_age_ms = 60000;
    rate_limits_open(&station->rates, 2);
    const struct intake_parts parts = {.config = config,
                                       .loop = &station->scene.net.loop,
                                       .delivery = &station->scene.delivery,
                                       .log = &station->scene.log,
                                       .seen = &station->seen,
                                       .rates = &station->rates,
                                       .drops = &station->drops};
    station->intake = intake_open(&parts, station->error);
    assert_non_null(station->intake);
    *state = station;
    return 0;
}

static int tear_down(void **state)
{
    struct station *station = *state;

    if (station->bus != NULL)
        bus_reader_stop(station->bus);
    intake_stop(station->intake);
    station->scene.config.bus_events = station->default_events;
    station->scene.config.bus_acks = station->default_acks;
    service_scene_close(&station->scene);
    bus_reader_free(&station->bus);
    intake_free(&station->intake);
    seen_events_free(&station->seen);
    rate_limits_free(&station->rates);
    (void)unlink(station->events + 6);
    (void)unlink(station->acks + 6);
    assert_int_equal(rmdir(station->folder), 0);
    free(station);
    return 0;
}

static void *publish_all(void *context)
{
    struct station *station = context;
    const char *const events[] = {station->events, NULL}, *const acks[] = {station->acks, NULL};
    const struct bus_options options = {.event_endpoints = events, .ack_endpoints = acks};
    char error[BUS_ERROR_SIZE];
    struct bus_publisher *publisher = bus_publisher_open(&options, error);

    for (size_t i = 0; i < station->count; i++)
        station->published[i] = (struct bus_event){
            .topic = "a", .topic_length = 1, .event = "{\"type\":\"x\"}", .event_length = 12};
    if (publisher != NULL)
        station->all_acknowledged = bus_publish(publisher, station->published, station->count,
                                                station->limit_ms, station->limit_ms);
    bus_publisher_close(&publisher);
    station->is_done = true;
    return NULL;
}

static void begin_publishing(struct station *station, size_t count, unsigned limit_ms)
{
    station->count = count;
    station->limit_ms = limit_ms;
    station->is_done = false;
    assert_int_equal(pthread_create(&station->thread, NULL, publish_all, station), 0);
}

static uint64_t events_taken(const struct station *station)
{
    return intake_counters(station->intake)->events;
}

/* Turns until the publisher has its answers; returns the most events that one turn took. */
static uint64_t turn_to_the_end(struct station *station)
{
    uint64_t most = 0, before = events_taken(station);
    time_t limit = time(NULL) + LIMIT_SECONDS;

    while (!station->is_done) {
        service_scene_turn(&station->scene);
        assert_null(bus_reader_trouble(station->bus));
        uint64_t taken = events_taken(station);
        most = taken - before > most ? taken - before : most;
        before = taken;
        if (time(NULL) > limit)
            fail_msg("the publisher has no answer in %d s", LIMIT_SECONDS);
    }
    assert_int_equal(pthread_join(station->thread, NULL), 0);
    return most;
}

static void what_comes_is_taken_and_acknowledged(void **state)
{
    struct station *station = *state;

    if (!open_reader(station))
        fail_msg("%s", station->error);
    begin_publishing(station, 3, LIMIT_SECONDS * 1000);
    (void)turn_to_the_end(station);
    assert_true(station->all_acknowledged);
    assert_int_equal(events_taken(station), 3);
    assert_int_equal(station->scene.log.events, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(station->published[i].epoch, station->scene.log.epoch);
        assert_int_equal(station->published[i].ack.event_sequence, i + 1);
        assert_int_equal(station->published[i].ack.status, ACK_DELIVERED);
        assert_int_equal(station->published[i].ack.receivers, 0);
    }
    assert_int_equal(bus_reader_malformed(station->bus), 0);
}

/* Others have their turn before the rest. The inbox is read when it says so, and when some were
 * left: twice a turn at most. */
static void a_turn_takes_a_batch(void **state)
{
    struct station *station = *state;

    station->scene.config.bus_batch = 2;
    if (!open_reader(station))
        fail_msg("%s", station->error);
    begin_publishing(station, MOST_EVENTS, LIMIT_SECONDS * 1000);
    assert_in_range(turn_to_the_end(station), 1, 4);
    assert_true(station->all_acknowledged);
    assert_int_equal(events_taken(station), MOST_EVENTS);
}

/* Handlers keep what is not acknowledged. */
static void while_it_is_paused_nothing_is_taken(void **state)
{
    struct station *station = *state;

    if (!open_reader(station))
        fail_msg("%s", station->error);
    bus_reader_pause(station->bus);
    begin_publishing(station, 1, 300);
    (void)turn_to_the_end(station);
    assert_false(station->all_acknowledged);
    assert_int_equal(events_taken(station), 0);
    for (int i = 0; i < 3 * LOOP_BATCH; i++)
        loop_count_client(&station->scene.net.loop);
    assert_int_equal(events_taken(station), 0);
}

/* The loop would look at the bus only after all that stand before it. */
static void in_a_crowd_it_looks_between_batches(void **state)
{
    struct station *station = *state;
    time_t limit = time(NULL) + LIMIT_SECONDS;

    if (!open_reader(station))
        fail_msg("%s", station->error);
    begin_publishing(station, 1, LIMIT_SECONDS * 1000);
    while (!station->is_done) {
        loop_count_client(&station->scene.net.loop);
        if (time(NULL) > limit)
            fail_msg("nothing was taken between clients in %d s", LIMIT_SECONDS);
    }
    (void)turn_to_the_end(station);
    assert_true(station->all_acknowledged);
    assert_int_equal(events_taken(station), 1);
}

static void without_a_bus_there_is_a_reason(void **state)
{
    struct station *station = *state;

    station->bus_events[0] = (char[]){"nonsense"};
    assert_false(open_reader(station));
    assert_non_null(strstr(station->error, "nonsense"));
    assert_null(station->scene.net.loop.between);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_is_taken_and_acknowledged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_turn_takes_a_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_it_is_paused_nothing_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_a_crowd_it_looks_between_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_bus_there_is_a_reason, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
