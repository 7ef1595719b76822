#include "bus_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void copy(struct bytes *to, const char *data, size_t length)
{
    bytes_append(to, data, length);
    assert_non_null(bytes_terminate(to));
}

static void note(struct bus_daemon *daemon, const struct bus_message *message)
{
    size_t count = daemon->seen_count;
    if ((count & (count - 1)) == 0) { /* as many again whenever it is full */
        daemon->seen = reallocarray(daemon->seen, count == 0 ? 1 : 2 * count, sizeof *daemon->seen);
        assert_non_null(daemon->seen);
    }
    struct bus_seen *seen = &daemon->seen[daemon->seen_count++];
    *seen = (struct bus_seen){.publisher = message->envelope.publisher,
                              .sequence = message->envelope.sequence,
                              .envelope = message->envelope};
    copy(&seen->topic, message->event.topic, message->event.topic_length);
    copy(&seen->allowed, message->event.allowed, message->event.allowed_length);
    copy(&seen->event, message->event.json, message->event.json_length);
}

static void say_wrong_things(struct bus_daemon *daemon, const struct envelope *envelope)
{
    static const int64_t offsets[] = {-1, -2, 1000000, INT64_MIN};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct ack wrong = {.sequence = envelope->sequence + (uint64_t)offsets[i],
                            .receivers = 666};
        bus_inbox_acknowledge(daemon->inbox, envelope->publisher, &wrong);
    }
    struct ack stranger = {.sequence = envelope->sequence, .receivers = 666};
    bus_inbox_acknowledge(daemon->inbox, envelope->publisher + 1, &stranger);
    bus_inbox_flush(daemon->inbox);
}

static void take_messages(struct bus_daemon *daemon)
{
    struct bus_message message;
    int result;
    while ((result = bus_inbox_next(daemon->inbox, &message)) == 1) {
        note(daemon, &message);
        if (daemon->seen_count > daemon->answer_first &&
            daemon->seen_count <= daemon->answer_first + daemon->drop_first)
            continue;
        if (daemon->wrong_acks_first)
            say_wrong_things(daemon, &message.envelope);
        struct ack ack = {.sequence = message.envelope.sequence,
                          .event_sequence = daemon->seen_count,
                          .receivers = (uint32_t)message.event.topic_length,
                          .status = daemon->status};
        if (daemon->answer != NULL)
            bus_inbox_answer(daemon->inbox, message.envelope.publisher, &ack, daemon->answer,
                             strlen(daemon->answer));
        else
            bus_inbox_acknowledge(daemon->inbox, message.envelope.publisher, &ack);
    }
    assert_int_equal(result, 0);
    bus_inbox_flush(daemon->inbox);
}

static void *run_daemon(void *context)
{
    struct bus_daemon *daemon = context;
    struct pollfd sources[2] = {{.fd = bus_inbox_descriptor(daemon->inbox), .events = POLLIN},
                                {.fd = daemon->stop, .events = POLLIN}};
    /* What came before the first poll(2) raises no edge any more. */
    do {
        take_messages(daemon);
        assert_true(poll(sources, 2, -1) > 0);
    } while (sources[1].revents == 0);
    take_messages(daemon);
    return NULL;
}

void bus_scene_start_daemon(struct bus_scene *scene, uint64_t epoch)
{
    struct bus_daemon *daemon = &scene->daemon;
    daemon->epoch = epoch;
    daemon->inbox = bus_inbox_open(&scene->options, epoch, scene->error);
    if (daemon->inbox == NULL)
        fail_msg("%s", scene->error);
    daemon->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(daemon->stop >= 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, run_daemon, daemon), 0);
}

/* The thread has ended: what it saw can be looked at. */
void bus_scene_stop_daemon(struct bus_scene *scene)
{
    struct bus_daemon *daemon = &scene->daemon;
    if (daemon->inbox == NULL)
        return;
    assert_int_equal(eventfd_write(daemon->stop, 1), 0);
    assert_int_equal(pthread_join(daemon->thread, NULL), 0);
    close(daemon->stop);
    bus_inbox_close(&daemon->inbox);
    assert_null(daemon->inbox);
}

void bus_scene_forget(struct bus_scene *scene)
{
    struct bus_daemon *daemon = &scene->daemon;
    for (size_t i = 0; i < daemon->seen_count; i++) {
        bytes_free(&daemon->seen[i].topic);
        bytes_free(&daemon->seen[i].allowed);
        bytes_free(&daemon->seen[i].event);
    }
    free(daemon->seen);
    daemon->seen = NULL;
    daemon->seen_count = 0;
}

struct bus_publisher *bus_scene_open_publisher(struct bus_scene *scene)
{
    struct bus_publisher *publisher = bus_publisher_open(&scene->options, scene->error);
    if (publisher == NULL)
        fail_msg("%s", scene->error);
    return publisher;
}

int bus_scene_set_up(void **state)
{
    struct bus_scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->folder, "/tmp/esn-bus-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->events, sizeof scene->events, "ipc://%s/events", scene->folder);
    snprintf(scene->acks, sizeof scene->acks, "ipc://%s/acks", scene->folder);
    scene->event_endpoints[0] = scene->events;
    scene->ack_endpoints[0] = scene->acks;
    scene->options = (struct bus_options){.event_endpoints = scene->event_endpoints,
                                          .ack_endpoints = scene->ack_endpoints,
                                          .socket_mode = 0600,
                                          .max_message_bytes = 1 << 20};
    *state = scene;
    return 0;
}

int bus_scene_tear_down(void **state)
{
    struct bus_scene *scene = *state;
    bus_publisher_close(&scene->publisher);
    bus_publisher_close(&scene->publisher);
    bus_scene_stop_daemon(scene);
    bus_scene_forget(scene);
    /* The engine leaves its socket files; the next daemon takes their place. */
    if (strncmp(scene->events, "ipc://", 6) == 0) {
        (void)unlink(scene->events + 6);
        (void)unlink(scene->acks + 6);
    }
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene);
    return 0;
}
