/* floor PORT [batch]: the cheapest fan-out server there can be, the measure for all others.
 *
 * A connection whose first bytes begin with 'S' is a subscriber and is answered 16 bytes. What any
 * other connection sends is copied as it came to each subscriber by one send(2), or with `batch` to
 * many in one system call. Nothing is parsed, framed, queued or looked up, so what it costs is what
 * the kernel alone costs. Listens on 127.0.0.1; ends on SIGTERM. */
#include "net/send_batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 65536, WAIT_EVENTS = 256, BACKLOG = 4096 };

static const char welcome[] = "floor-subscribed";

struct floor {
    int poll;
    int listener;
    int *subscribers; /* dense: what a shout walks through */
    int subscriber_count;
    int *place_of; /* by descriptor: index in subscribers, or -1 */
    int descriptor_limit;
    struct send_batch *batch; /* NULL: one send(2) for each */
};

static bool watch(const struct floor *floor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(floor->poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_tables(struct floor *floor)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    files.rlim_cur = files.rlim_max < 1048576 ? files.rlim_max : 1048576;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    floor->descriptor_limit = (int)files.rlim_cur;
    floor->subscribers = calloc(files.rlim_cur, sizeof *floor->subscribers);
    floor->place_of = malloc(files.rlim_cur * sizeof *floor->place_of);
    if (floor->subscribers == NULL || floor->place_of == NULL)
        return false;
    for (int i = 0; i < floor->descriptor_limit; i++)
        floor->place_of[i] = -1;
    return true;
}

static bool open_listener(struct floor *floor, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    floor->poll = epoll_create1(EPOLL_CLOEXEC);
    floor->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return floor->poll >= 0 && floor->listener >= 0 &&
           setsockopt(floor->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
           bind(floor->listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
           listen(floor->listener, BACKLOG) == 0 && watch(floor, floor->listener);
}

static void forget(struct floor *floor, int fd)
{
    int place = floor->place_of[fd];
    if (place >= 0) {
        int last = floor->subscribers[--floor->subscriber_count];
        floor->subscribers[place] = last;
        floor->place_of[last] = place;
        floor->place_of[fd] = -1;
    }
    close(fd);
}

static void accept_one(struct floor *floor)
{
    int one = 1;
    int fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED)
            perror("accept");
        return;
    }
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 || !watch(floor, fd)) {
        perror("new connection");
        close(fd);
    }
}

static void add_subscriber(struct floor *floor, int fd)
{
    if (floor->place_of[fd] < 0) {
        floor->place_of[fd] = floor->subscriber_count;
        floor->subscribers[floor->subscriber_count++] = fd;
    }
}

static void answer(int fd)
{
    if (send(fd, welcome, sizeof welcome - 1, MSG_NOSIGNAL) != (ssize_t)sizeof welcome - 1)
        perror("welcome");
}

/* There is no queue: a receiver whose buffer is full shows as a lost event in the load tool. */
static void check(ssize_t sent, size_t length)
{
    if (sent != (ssize_t)length)
        fprintf(stderr, "short send of %zd of %zu bytes\n", sent, length);
}

static void shout(const struct floor *floor, const char *data, size_t length)
{
    for (int i = 0; i < floor->subscriber_count; i++)
        check(send(floor->subscribers[i], data, length, MSG_NOSIGNAL), length);
}

static void shout_in_batches(const struct floor *floor, const char *data, size_t length)
{
    int results[SEND_BATCH_MOST];
    for (int at = 0; at < floor->subscriber_count;) {
        int count = 0;
        while (at < floor->subscriber_count &&
               send_batch_add(floor->batch, floor->subscribers[at], data, length)) {
            at++;
            count++;
        }
        if (!send_batch_run(floor->batch, results))
            fputs("the kernel takes no more batches\n", stderr);
        for (int i = 0; i < count; i++)
            check(results[i], length);
    }
}

static void read_one(struct floor *floor, int fd)
{
    static char data[READ_SIZE];
    ssize_t length = recv(fd, data, sizeof data, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0)
        forget(floor, fd);
    else if (data[0] == 'S' || data[0] == 'H') {
        if (data[0] == 'S')
            add_subscriber(floor, fd);
        answer(fd);
    } else if (floor->batch != NULL) {
        shout_in_batches(floor, data, (size_t)length);
    } else {
        shout(floor, data, (size_t)length);
    }
}

int main(int argc, char **argv)
{
    struct floor floor = {0};
    bool batch = argc == 3 && strcmp(argv[2], "batch") == 0;
    int port = argc == 2 || batch ? atoi(argv[1]) : 0;
    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: floor PORT [batch]\n");
        return 2;
    }
    if (batch && (floor.batch = send_batch_open()) == NULL) {
        perror("io_uring");
        return 1;
    }
    if (!open_tables(&floor) || !open_listener(&floor, (unsigned)port)) {
        perror("floor");
        return 1;
    }
    for (;;) {
        struct epoll_event events[WAIT_EVENTS];
        int count = epoll_wait(floor.poll, events, WAIT_EVENTS, -1);
        if (count < 0 && errno != EINTR) {
            perror("epoll_wait");
            return 1;
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == floor.listener)
                accept_one(&floor);
            else
                read_one(&floor, events[i].data.fd);
        }
    }
}
