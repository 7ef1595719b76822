/* come_back: many clients come back at once, each subscribes to one topic with an id from before it
 * left and must get the events that it missed, numbered FIRST to LAST, each once and in order.
 *
 * Standard output says in JSON how long it took, counted from the first connection; the exit status
 * is 1 when one of them did not get exactly what it missed. */
#include "dial.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 65536, WAIT_EVENTS = 512, OPEN_AT_ONCE = 1000, SILENCE_LIMIT_MS = 60000 };

static const char number_mark[] = "\"type\":\"n\",\"detail\":";
static const char recovered_mark[] = "\"recovered\":true";

/* Finds a mark in bytes that come in pieces. */
struct search {
    const char *mark;
    size_t matched;
};

struct client {
    int fd;
    bool asked, recovered, in_number, over;
    struct search number_search, recovered_search;
    uint64_t number, next;
    uint64_t done_ns;
};

struct crowd {
    unsigned port;
    size_t count, topics;
    uint64_t first, last;
    const char *last_id;
    int poll;
    struct client *clients;
    size_t opened, asked, done, wrong;
    uint64_t began_ns, all_asked_ns;
    char buffer[READ_SIZE];
};

static const char usage[] =
    "usage: come_back --port PORT --count N --topics N --first N --last N --last-id ID\n";

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool parse_options(struct crowd *crowd, int argc, char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"topics", required_argument, NULL, 't'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"last", required_argument, NULL, 'l'},
                                          {"last-id", required_argument, NULL, 'i'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'p')
            crowd->port = (unsigned)atoi(optarg);
        else if (option == 'n')
            crowd->count = (size_t)atoi(optarg);
        else if (option == 't')
            crowd->topics = (size_t)atoi(optarg);
        else if (option == 'f')
            crowd->first = strtoull(optarg, NULL, 10);
        else if (option == 'l')
            crowd->last = strtoull(optarg, NULL, 10);
        else if (option == 'i')
            crowd->last_id = optarg;
        else
            return false;
    }
    return optind == argc && crowd->port > 0 && crowd->count > 0 && crowd->topics > 0 &&
           crowd->last >= crowd->first && crowd->last_id != NULL;
}

/* ---- reading ---- */

static bool search_byte(struct search *search, char byte)
{
    if (byte == search->mark[search->matched])
        search->matched++;
    else
        search->matched = byte == search->mark[0];
    if (search->mark[search->matched])
        return false;
    search->matched = 0;
    return true;
}

static void take_number(struct crowd *crowd, struct client *client)
{
    client->in_number = false;
    if (client->number != client->next || !client->recovered) {
        crowd->wrong++;
        client->over = true;
        crowd->done++;
    } else if (client->next++ == crowd->last) {
        client->over = true;
        client->done_ns = now_ns();
        crowd->done++;
    }
}

static void take_bytes(struct crowd *crowd, struct client *client, size_t length)
{
    for (size_t i = 0; i < length && !client->over; i++) {
        char byte = crowd->buffer[i];
        if (client->in_number && byte >= '0' && byte <= '9')
            client->number = client->number * 10 + (uint64_t)(byte - '0');
        else if (client->in_number)
            take_number(crowd, client);
        if (!client->recovered)
            client->recovered = search_byte(&client->recovered_search, byte);
        if (search_byte(&client->number_search, byte)) {
            client->in_number = true;
            client->number = 0;
        }
    }
}

static bool read_client(struct crowd *crowd, struct client *client)
{
    ssize_t got = recv(client->fd, crowd->buffer, sizeof crowd->buffer, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0 && !client->over) {
        (void)fprintf(stderr, "a stream ended: %s\n", got < 0 ? strerror(errno) : "closed");
        return false;
    }
    if (got > 0)
        take_bytes(crowd, client, (size_t)got);
    return true;
}

/* ---- opening ---- */

static bool open_client(struct crowd *crowd)
{
    size_t place = crowd->opened++;
    struct client *client = &crowd->clients[place];
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = place};

    *client = (struct client){.number_search = {number_mark, 0},
                              .recovered_search = {recovered_mark, 0},
                              .next = crowd->first};
    client->fd = dial_local(crowd->port, place, DIAL_NONBLOCKING);
    return client->fd >= 0 && epoll_ctl(crowd->poll, EPOLL_CTL_ADD, client->fd, &event) == 0;
}

static bool open_more(struct crowd *crowd)
{
    while (crowd->opened < crowd->count && crowd->opened - crowd->asked < OPEN_AT_ONCE)
        if (!open_client(crowd))
            return false;
    return true;
}

static bool ask(struct crowd *crowd, size_t place)
{
    struct client *client = &crowd->clients[place];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = place};
    char body[160], request[320];
    int length = snprintf(body, sizeof body, "{\"ep\":[\"t/%zu\"],\"last_id\":\"%s\"}",
                          place % crowd->topics, crowd->last_id);

    length = snprintf(request, sizeof request,
                      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", length, body);
    if (send(client->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        perror("send");
        return false;
    }
    client->asked = true;
    if (++crowd->asked == crowd->count)
        crowd->all_asked_ns = now_ns();
    return epoll_ctl(crowd->poll, EPOLL_CTL_MOD, client->fd, &event) == 0;
}

static bool serve(struct crowd *crowd)
{
    struct epoll_event events[WAIT_EVENTS];

    crowd->began_ns = now_ns();
    while (crowd->done < crowd->count) {
        int count = 0;
        if (!open_more(crowd))
            return false;
        count = epoll_wait(crowd->poll, events, WAIT_EVENTS, SILENCE_LIMIT_MS);
        if (count <= 0) {
            (void)fprintf(stderr, "nothing comes any more: %zu of %zu have all\n", crowd->done,
                          crowd->count);
            return false;
        }
        for (int i = 0; i < count; i++) {
            struct client *client = &crowd->clients[events[i].data.u64];
            if (!(client->asked ? read_client(crowd, client) : ask(crowd, events[i].data.u64)))
                return false;
        }
    }
    return true;
}

/* ---- telling ---- */

static int compare_done(const void *a, const void *b)
{
    const struct client *left = a, *right = b;

    return (left->done_ns > right->done_ns) - (left->done_ns < right->done_ns);
}

static double ms_at(const struct crowd *crowd, size_t place)
{
    return (double)(crowd->clients[place].done_ns - crowd->began_ns) / 1e6;
}

static void tell(struct crowd *crowd)
{
    qsort(crowd->clients, crowd->count, sizeof *crowd->clients, compare_done);
    printf("{\"clients\": %zu, \"events_each\": %llu, \"all_asked_ms\": %.0f, \"half_ms\": %.0f, "
           "\"all_ms\": %.0f, \"wrong\": %zu}\n",
           crowd->count, (unsigned long long)(crowd->last - crowd->first + 1),
           (double)(crowd->all_asked_ns - crowd->began_ns) / 1e6, ms_at(crowd, crowd->count / 2),
           ms_at(crowd, crowd->count - 1), crowd->wrong);
}

int main(int argc, char **argv)
{
    static struct crowd crowd;

    if (!parse_options(&crowd, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!dial_allow_files(crowd.count + 64))
        return EXIT_FAILURE;
    crowd.poll = epoll_create1(EPOLL_CLOEXEC);
    crowd.clients = calloc(crowd.count, sizeof *crowd.clients);
    if (crowd.poll < 0 || crowd.clients == NULL) {
        perror("come_back");
        return EXIT_FAILURE;
    }
    bool served = serve(&crowd);
    if (served)
        tell(&crowd);
    for (size_t i = 0; i < crowd.opened; i++)
        if (crowd.clients[i].fd > 0)
            dial_abort(crowd.clients[i].fd);
    free(crowd.clients);
    return served && crowd.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
