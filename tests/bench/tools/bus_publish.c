/* bus_publish: publishes on the bus as a handler does, without a web server, so that the daemon's
 * own time can be told from that of publishing.
 *
 * Reads struct stamp records from standard input; what has come meanwhile is published together, up
 * to as many events as asked for in flight. Writes "ready" on standard output when the daemon has
 * answered. Ends when standard input does; fails when an event was not acknowledged. */
#include "bus/bus.h"
#include "message.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 256, LIMIT_MS = 10000 };

struct options {
    const char *events[2]; /* endpoints, NULL-ended */
    const char *acks[2];
    const char *topic;
    const char *event_file;
};

static const char usage[] =
    "usage: bus_publish --events ENDPOINT --acks ENDPOINT --topic TOPIC --event FILE < STAMPS\n";

static bool parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {{"events", required_argument, NULL, 'e'},
                                          {"acks", required_argument, NULL, 'a'},
                                          {"topic", required_argument, NULL, 't'},
                                          {"event", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'e')
            options->events[0] = optarg;
        else if (option == 'a')
            options->acks[0] = optarg;
        else if (option == 't')
            options->topic = optarg;
        else if (option == 'f')
            options->event_file = optarg;
        else
            return false;
    }
    return optind == argc && options->events[0] != NULL && options->acks[0] != NULL &&
           options->topic != NULL && options->event_file != NULL;
}

static struct bus_event make_event(const char *topic, const struct message *message)
{
    return (struct bus_event){.topic = topic,
                              .topic_length = strlen(topic),
                              .allowed = "",
                              .event = message->data,
                              .event_length = message->length};
}

/* An event that nobody hears: when it is acknowledged, the way is open. */
static bool greet(struct bus_publisher *publisher, const struct message *message)
{
    struct bus_event event = make_event("bench/nobody", message);
    if (!bus_publish(publisher, &event, 1, LIMIT_MS, LIMIT_MS)) {
        fputs("the daemon does not answer on the bus\n", stderr);
        return false;
    }
    return puts("ready") >= 0 && fflush(stdout) == 0;
}

/* Whole records only: the writer writes each at once. Returns their number, 0 at the end, -1 on
 * failure. */
static ssize_t read_stamps(struct stamp stamps[IN_FLIGHT_MAX])
{
    ssize_t length;
    do
        length = read(STDIN_FILENO, stamps, IN_FLIGHT_MAX * sizeof *stamps);
    while (length < 0 && errno == EINTR);
    if (length < 0 || (size_t)length % sizeof *stamps != 0)
        return -1;
    return length / (ssize_t)sizeof *stamps;
}

static bool publish_stamps(struct bus_publisher *publisher, const char *topic,
                           const struct message *messages)
{
    struct stamp stamps[IN_FLIGHT_MAX];
    struct bus_event events[IN_FLIGHT_MAX];
    ssize_t count;
    while ((count = read_stamps(stamps)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            struct message copy = messages[i];
            message_set_stamp(&copy, &stamps[i]);
            events[i] = make_event(topic, &copy);
        }
        if (!bus_publish(publisher, events, (size_t)count, LIMIT_MS, LIMIT_MS)) {
            fputs("an event was not acknowledged\n", stderr);
            return false;
        }
    }
    return count == 0;
}

static bool load_messages(struct message *messages, const char *path)
{
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        if (!message_load(&messages[i], path))
            return false;
    return messages[0].has_stamp;
}

int main(int argc, char **argv)
{
    static struct message messages[IN_FLIGHT_MAX]; /* one for each event that may be in flight */
    struct options options = {0};
    char error[BUS_ERROR_SIZE] = "";
    if (!parse_options(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    struct bus_options bus = {.event_endpoints = options.events, .ack_endpoints = options.acks};
    bool ok = false;
    struct bus_publisher *publisher = NULL;
    if (load_messages(messages, options.event_file)) {
        publisher = bus_publisher_open(&bus, error);
        if (publisher == NULL)
            fprintf(stderr, "%s\n", error);
        else
            ok = greet(publisher, &messages[0]) &&
                 publish_stamps(publisher, options.topic, messages);
    }
    bus_publisher_close(&publisher);
    for (int i = 0; i < IN_FLIGHT_MAX; i++)
        message_free(&messages[i]);
    return ok ? 0 : 1;
}
