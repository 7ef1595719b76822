/* visit: short visits to a daemon, one behind the other on many connections at once. A visit is a
 * stream that begins and ends: the client connects, subscribes under a name of its own, and goes as
 * soon as it has its first frame. By turns as a stream of frames, as Server-Sent Events, as a
 * WebSocket, and as a poll that does not wait, on a connection that is kept for a hundred of them.
 *
 * Standard output says a number whenever so many visits are over. */
#include "dial.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { AT_ONCE = 64, READ_SIZE = 16384, WAIT_EVENTS = 64, WAIT_MS = 30000, POLLS_EACH = 100 };

enum kind { VISIT_FRAMES, VISIT_SSE, VISIT_WEBSOCKET, VISIT_POLL, VISIT_KINDS };

struct visitor {
    int fd;
    enum kind kind;
    bool asked;
    unsigned polls; /* on this connection */
    size_t length;
    char text[READ_SIZE];
};

struct visits {
    unsigned port;
    uint64_t first, count, report;
    uint64_t begun, done;
    int poll;
    struct visitor visitors[AT_ONCE];
};

static const char usage[] =
    "usage: visit --port PORT --first NUMBER --count NUMBER --report EVERY\n";

static bool parse_options(struct visits *visits, int argc, char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"report", required_argument, NULL, 'r'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'p')
            visits->port = (unsigned)atoi(optarg);
        else if (option == 'f')
            visits->first = strtoull(optarg, NULL, 10);
        else if (option == 'n')
            visits->count = strtoull(optarg, NULL, 10);
        else if (option == 'r')
            visits->report = strtoull(optarg, NULL, 10);
        else
            return false;
    }
    return optind == argc && visits->port > 0 && visits->count > 0 && visits->report > 0;
}

/* What its answer has, when it is all there. */
static const char *end_of_visit(enum kind kind)
{
    return kind == VISIT_POLL ? "],\"id\":\"" : "\"timeout\":";
}

static int write_body(char *out, size_t size, const char *path, const char *body)
{
    return snprintf(out, size,
                    "POST %s HTTP/1.1\r\nHost: visits\r\nUser-Agent: a visitor\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    path, strlen(body), body);
}

static int write_request(char *out, size_t size, enum kind kind, uint64_t number)
{
    unsigned long long name = number, topic = number % 1000;
    char text[256];

    switch (kind) {
    case VISIT_SSE:
        return snprintf(
            out, size,
            "GET /sse?clid=page-%llu&ep=t%%2F%llu&ep=news%%2F%%23 HTTP/1.1\r\n"
            "Host: visits\r\nUser-Agent: a visitor\r\nAccept: text/event-stream\r\n\r\n",
            name, topic);
    case VISIT_WEBSOCKET:
        return snprintf(
            out, size,
            "GET /ws?clid=page-%llu&ep=t%%2F%llu&ep=own%%2F%llu HTTP/1.1\r\n"
            "Host: visits\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            name, topic, name);
    case VISIT_POLL:
        (void)snprintf(text, sizeof text,
                       "{\"clid\":\"page-%llu\",\"ep\":[\"t/%llu\",\"news/#\"],\"wait\":0}", name,
                       topic);
        return write_body(out, size, "/poll", text);
    default:
        (void)snprintf(text, sizeof text,
                       "{\"clid\":\"page-%llu\",\"ep\":[\"t/%llu\",\"news/#\",\"own/%llu\"]}", name,
                       topic, name);
        return write_body(out, size, "/", text);
    }
}

static bool watch(struct visits *visits, struct visitor *visitor, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = visitor}};

    if (epoll_ctl(visits->poll, operation, visitor->fd, &event) == 0)
        return true;
    perror("epoll_ctl");
    return false;
}

static bool begin(struct visits *visits, struct visitor *visitor)
{
    visitor->length = 0;
    visitor->asked = false;
    if (visits->begun == visits->count)
        return true;
    uint64_t number = visits->first + visits->begun++;
    if (visitor->fd < 0) {
        visitor->kind = (enum kind)(number % VISIT_KINDS);
        visitor->polls = 0;
        visitor->fd = dial_local(visits->port, (size_t)(number % 1000000), DIAL_NONBLOCKING);
        if (visitor->fd < 0 || !watch(visits, visitor, EPOLL_CTL_ADD, EPOLLOUT))
            return false;
        return true;
    }
    return watch(visits, visitor, EPOLL_CTL_MOD, EPOLLOUT);
}

static bool ask(struct visits *visits, struct visitor *visitor)
{
    char request[1024];
    int length =
        write_request(request, sizeof request, visitor->kind, visits->first + visits->begun);

    if (send(visitor->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        perror("send");
        return false;
    }
    visitor->asked = true;
    return watch(visits, visitor, EPOLL_CTL_MOD, EPOLLIN);
}

static bool end(struct visits *visits, struct visitor *visitor)
{
    if (++visits->done % visits->report == 0) {
        (void)printf("%llu\n", (unsigned long long)visits->done);
        (void)fflush(stdout);
    }
    bool stays = visitor->kind == VISIT_POLL && ++visitor->polls < POLLS_EACH &&
                 visits->begun < visits->count;
    if (!stays) {
        dial_abort(visitor->fd);
        visitor->fd = -1;
    }
    return begin(visits, visitor);
}

static bool take(struct visits *visits, struct visitor *visitor)
{
    ssize_t got =
        recv(visitor->fd, visitor->text + visitor->length, READ_SIZE - visitor->length, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        (void)fprintf(stderr, "a visit was refused: %s\n%.*s\n",
                      got < 0 ? strerror(errno) : "closed", (int)visitor->length, visitor->text);
        return false;
    }
    visitor->length += (size_t)got;
    const char *last = end_of_visit(visitor->kind);
    return memmem(visitor->text, visitor->length, last, strlen(last)) == NULL ||
           end(visits, visitor);
}

static bool run(struct visits *visits)
{
    struct epoll_event events[WAIT_EVENTS];

    while (visits->done < visits->count) {
        int count = epoll_wait(visits->poll, events, WAIT_EVENTS, WAIT_MS);
        if (count <= 0) {
            (void)fprintf(stderr, "nothing came for %d ms\n", WAIT_MS);
            return false;
        }
        for (int i = 0; i < count; i++) {
            struct visitor *visitor = events[i].data.ptr;
            if (!(visitor->asked ? take(visits, visitor) : ask(visits, visitor)))
                return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct visits visits;

    if (!parse_options(&visits, argc, argv)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    visits.poll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < AT_ONCE; i++)
        visits.visitors[i].fd = -1;
    for (int i = 0; i < AT_ONCE; i++)
        if (!begin(&visits, &visits.visitors[i]))
            return 1;
    return run(&visits) ? 0 : 1;
}
