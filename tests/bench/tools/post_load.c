/* post_load: how many posts a second a server answers, and how soon.
 *
 * C keep-alive clients in one process; each sends the prepared request, waits for the whole answer
 * and sends again, for some seconds. Prints one line of JSON: rate, latencies, processor time of
 * the server per post. Any status other than 2xx is a failure.
 *
 * With --answered the protocol is not HTTP: an answer is complete when these bytes came as often as
 * --answers says; --hello is sent first. */
#include "dial.h"
#include "message.h"
#include "post_answer.h"
#include "process_cost.h"
#include "tally.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_MAX = 1024, POSTS_MAX = 4000000, SOURCE_INDEX = 1100000, SILENCE_LIMIT_MS = 5000 };

struct client {
    int fd;
    uint64_t asked_ns;
    struct post_answer answer;
};

struct load {
    unsigned port;
    size_t client_count;
    double warm_up_s, seconds;
    struct process_set server;
    struct message request, hello;
    struct marker answered; /* length 0: HTTP */
    size_t answers;
    int poll;
    struct client *clients;
    uint32_t sequence;
    bool counting;
    struct tally tally; /* one receiver: the client that gets the answer */
};

static const char usage[] =
    "usage: post_load --port PORT --request FILE [--clients 16] [--seconds 3]"
    " [--server PID,...] [--answered HEX [--answers 1] [--hello FILE]]\n";

static bool parse_options(struct load *load, const char **request, const char **hello, int argc,
                          char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"request", required_argument, NULL, 'r'},
                                          {"clients", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"server", required_argument, NULL, 'i'},
                                          {"answered", required_argument, NULL, 'a'},
                                          {"answers", required_argument, NULL, 'n'},
                                          {"hello", required_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    load->client_count = 16;
    load->seconds = 3;
    load->answers = 1;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'p')
            load->port = (unsigned)atoi(optarg);
        else if (option == 'r')
            *request = optarg;
        else if (option == 'c')
            load->client_count = (size_t)atoi(optarg);
        else if (option == 's')
            load->seconds = atof(optarg);
        else if (option == 'n')
            load->answers = (size_t)atoi(optarg);
        else if (option == 'h')
            *hello = optarg;
        else if (option == 'a' && marker_parse(&load->answered, optarg))
            continue;
        else if (option != 'i' || !process_set_parse(&load->server, optarg))
            return false;
    }
    load->warm_up_s = load->seconds / 6;
    return optind == argc && load->port > 0 && *request != NULL && load->client_count > 0 &&
           load->client_count <= CLIENT_MAX && load->seconds > 0;
}

static bool ask(struct load *load, struct client *client)
{
    client->asked_ns = monotonic_ns();
    if (load->request.has_stamp) {
        struct stamp stamp = {.sequence = load->sequence++, .sent_ns = client->asked_ns};
        message_set_stamp(&load->request, &stamp);
    }
    return dial_send_all(client->fd, load->request.data, load->request.length);
}

static bool open_clients(struct load *load)
{
    load->poll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(load->client_count, sizeof *load->clients);
    if (load->poll < 0 || load->clients == NULL)
        return false;
    for (size_t i = 0; i < load->client_count; i++)
        load->clients[i].fd = -1;
    for (size_t i = 0; i < load->client_count; i++) {
        int fd = dial_local(load->port, SOURCE_INDEX + i, DIAL_BLOCKING);
        load->clients[i].fd = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (fd < 0 || epoll_ctl(load->poll, EPOLL_CTL_ADD, fd, &event) != 0 ||
            !dial_send_all(fd, load->hello.data, load->hello.length) ||
            !ask(load, &load->clients[i]))
            return false;
    }
    return true;
}

static void count_answer(struct load *load, const struct client *client)
{
    if (load->counting && load->tally.deliveries < POSTS_MAX)
        load->tally.latency_ns[load->tally.deliveries++] = monotonic_ns() - client->asked_ns;
}

static enum post_verdict take_answer(const struct load *load, struct post_answer *answer,
                                     int *status)
{
    if (load->answered.length == 0)
        return post_answer_take(answer, status);
    *status = 200;
    return post_answer_count(answer, &load->answered, load->answers);
}

static bool read_client(struct load *load, struct client *client)
{
    struct post_answer *answer = &client->answer;
    int status = 0;
    ssize_t length = recv(client->fd, answer->data + answer->length,
                          POST_ANSWER_SIZE - 1 - answer->length, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return true;
    if (length <= 0) {
        fputs("the server closed a keep-alive connection\n", stderr);
        return false;
    }
    answer->length += (size_t)length;
    switch (take_answer(load, answer, &status)) {
    case POST_INCOMPLETE:
        return true;
    case POST_COMPLETE:
        if (status / 100 == 2) {
            count_answer(load, client);
            return ask(load, client);
        }
        break;
    case POST_MALFORMED:
        break;
    }
    fprintf(stderr, "refused or not understood: %.300s\n", answer->data);
    return false;
}

static bool run_until(struct load *load, uint64_t end_ns)
{
    while (monotonic_ns() < end_ns) {
        struct epoll_event events[256];
        int count = epoll_wait(load->poll, events, 256, SILENCE_LIMIT_MS);
        if (count == 0)
            fputs("the server has stopped answering\n", stderr);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        for (int i = 0; i < count; i++)
            if (!read_client(load, &load->clients[events[i].data.u32]))
                return false;
    }
    return true;
}

static bool measure(struct load *load)
{
    uint64_t cpu_before, cpu_after, began;
    if (!tally_begin(&load->tally, 0, POSTS_MAX, 1, false) || !open_clients(load) ||
        !run_until(load, monotonic_ns() + (uint64_t)(load->warm_up_s * 1e9)) ||
        !process_set_cpu_ns(&load->server, &cpu_before))
        return false;
    load->counting = true;
    began = monotonic_ns();
    if (!run_until(load, began + (uint64_t)(load->seconds * 1e9)))
        return false;
    uint64_t wall = monotonic_ns() - began;
    if (!process_set_cpu_ns(&load->server, &cpu_after))
        return false;
    double posts = (double)load->tally.deliveries;
    tally_sort(&load->tally);
    printf("{\"posts\":%.0f,\"rate\":%.0f,\"cpu_us\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f}\n",
           posts, posts * 1e9 / (double)wall, (double)(cpu_after - cpu_before) / 1e3 / posts,
           (double)tally_late_ns(&load->tally, 0.5) / 1e3,
           (double)tally_late_ns(&load->tally, 0.99) / 1e3,
           (double)tally_late_ns(&load->tally, 1) / 1e3);
    return posts > 0 && fflush(stdout) == 0;
}

static void close_clients(struct load *load)
{
    for (size_t i = 0; load->clients != NULL && i < load->client_count; i++)
        if (load->clients[i].fd >= 0)
            dial_abort(load->clients[i].fd);
    free(load->clients);
    close(load->poll);
}

int main(int argc, char **argv)
{
    struct load load = {0};
    const char *request = NULL, *hello = NULL;
    if (!parse_options(&load, &request, &hello, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!message_load(&load.request, request) ||
        (hello != NULL && !message_load(&load.hello, hello)))
        return 1;
    bool ok = measure(&load);
    close_clients(&load);
    tally_free(&load.tally);
    message_free(&load.request);
    message_free(&load.hello);
    return ok ? 0 : 1;
}
