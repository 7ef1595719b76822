/* What it costs the loop to be looked at: `/metrics`, and `/explain` of a client id that all streams
 * have, with up to 100,000 streams and a memory of decisions that is full. The streams have no
 * sockets, of which a process may not have so many. Prints, in microseconds of processor time, the
 * median of the whole answer and the longest turn of the loop in it; ends with 1 when a scrape takes
 * 5 ms or a turn of an explanation 2 ms. `make bench-tools && tests/bench/look_cost` */
#include "../unit/daemon.h"
#include "../unit/held_streams.h"

#include "streams/decisions.h"
#include "streams/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMES = 51, SCRAPE_US = 5000, TURN_US = 2000 };

static const size_t counts[] = {0, 1000, 10000, 100000};
enum { COUNTS = sizeof counts / sizeof *counts };
static const char clid[] = "held";

struct cost {
    double whole_us, longest_us;
};

static void stop(const char *words)
{
    (void)fprintf(stderr, "%s\n", words);
    exit(EXIT_FAILURE);
}

static double processor_us(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0)
        stop("no clock");
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *one, const void *other)
{
    double a = ((const struct cost *)one)->whole_us, b = ((const struct cost *)other)->whole_us;
    return (a > b) - (a < b);
}

/* ---- asking ---- */

static struct cost ask(struct client *client, const char *target, const char *end)
{
    char request[256];
    struct cost cost = {0};
    (void)snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer admin\r\n\r\n", target);
    client_forget(client);
    if (!client_send_text(client, request))
        stop("the daemon has closed");
    while (!client_has(client, end)) {
        double from = processor_us();
        daemon_turn(client->daemon);
        double took = processor_us() - from;
        cost.whole_us += took;
        if (took > cost.longest_us)
            cost.longest_us = took;
        client_receive(client);
    }
    if (client_find(client, client->text, "200 OK") == NULL)
        stop(client->text);
    return cost;
}

/* The median of the whole, and of the longest turns the worst of the better half: what the rest was
 * disturbed by is the machine. */
static struct cost ask_often(struct client *client, const char *target, const char *end)
{
    struct cost costs[TIMES];
    for (int i = 0; i < TIMES; i++)
        costs[i] = ask(client, target, end);
    qsort(costs, TIMES, sizeof *costs, compare);
    struct cost cost = costs[TIMES / 2];
    cost.longest_us = 0;
    for (int i = 0; i < TIMES / 2; i++)
        if (costs[i].longest_us > cost.longest_us)
            cost.longest_us = costs[i].longest_us;
    return cost;
}

int main(void)
{
    struct daemon daemon;
    struct client client;
    char about[128];
    bool good = true;
    daemon_start(&daemon, "");
    struct streams *streams = &daemon.server->streams;
    struct held_streams held = {.streams = streams};
    (void)daemon_publish(&daemon, "a", "{\"type\":\"x\"}");
    (void)snprintf(about, sizeof about, "/explain?id=%llu-%llu&clid=%s",
                   (unsigned long long)daemon.server->log.epoch,
                   (unsigned long long)daemon.server->log.sequence, clid);
    client_open(&client, &daemon);
    for (int i = 0; i < COUNTS; i++) {
        held_streams_add(&held, counts[i] - held.count, clid);
        held_streams_note_ends(&held); /* as much as there is room for, as a busy daemon has */
        struct cost scrape = ask_often(&client, "/metrics", "process_start_time_seconds ");
        struct cost explained = ask_often(&client, about, "\r\n0\r\n\r\n");
        (void)printf("%6zu streams, %4llu KiB of decisions: scrape %.0f us, turn %.0f; "
                     "explain %.0f us, longest turn %.0f\n",
                     held.count, (unsigned long long)decisions_bytes(&streams->decisions) / 1024,
                     scrape.whole_us, scrape.longest_us, explained.whole_us, explained.longest_us);
        good = good && scrape.longest_us < SCRAPE_US && explained.longest_us < TURN_US;
    }
    held_streams_free(&held);
    client_close(&client);
    daemon_stop(&daemon);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
