#include "subscribers.h"

#include "dial.h"
#include "secure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 262144, WAIT_EVENTS = 512, OUTSTANDING = 64, ANSWER_LIMIT_MS = 10000 };

static const uint32_t watched_fd = UINT32_MAX; /* place of the one that is no subscriber */

struct subscriber {
    int fd;
    SSL *secure; /* NULL: not over TLS */
    bool subscribed;
    struct stream_tail tail;
};

struct subscribers {
    struct subscribers_options options;
    int poll;
    SSL_CTX *tls; /* NULL: no TLS */
    struct subscriber *list;
    size_t opened;
    size_t subscribed;
    uint64_t bytes;
    uint64_t now_ns; /* of the read whose stamps are being counted */
    void (*readable)(void *context);
    void *context;
    char buffer[STREAM_TAIL_SIZE + READ_SIZE];
};

struct subscribers *subscribers_create(const struct subscribers_options *options)
{
    struct subscribers *subscribers = calloc(1, sizeof *subscribers);
    if (subscribers == NULL)
        return NULL;
    subscribers->options = *options;
    subscribers->list = calloc(options->maximum, sizeof *subscribers->list);
    subscribers->poll = epoll_create1(EPOLL_CLOEXEC);
    if (subscribers->list == NULL || subscribers->poll < 0) {
        perror("subscribers");
        subscribers_free(&subscribers);
        return NULL;
    }
    if (options->tls && (subscribers->tls = secure_create()) == NULL)
        subscribers_free(&subscribers);
    return subscribers;
}

void subscribers_free(struct subscribers **subscribers)
{
    struct subscribers *gone = *subscribers;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < gone->opened; i++) {
        SSL_free(gone->list[i].secure);
        dial_abort(gone->list[i].fd);
    }
    SSL_CTX_free(gone->tls);
    if (gone->poll >= 0)
        close(gone->poll);
    free(gone->list);
    free(gone);
    *subscribers = NULL;
}

static void count_stamp(const struct stamp *stamp, void *context)
{
    struct subscribers *subscribers = context;
    tally_count(subscribers->options.tally, stamp, subscribers->now_ns);
}

static bool ask(struct subscribers *subscribers, struct subscriber *subscriber)
{
    const struct message *request = subscribers->options.request;
    if (subscribers->tls == NULL)
        return dial_send_all(subscriber->fd, request->data, request->length);
    subscriber->secure = secure_shake_hands(subscribers->tls, subscriber->fd);
    return subscriber->secure != NULL &&
           secure_send_all(subscriber->secure, request->data, request->length);
}

static bool open_one(struct subscribers *subscribers)
{
    size_t place = subscribers->opened;
    int fd = dial_local(subscribers->options.port, place, DIAL_BLOCKING);
    if (fd < 0)
        return false;
    struct subscriber *subscriber = &subscribers->list[place];
    subscriber->fd = fd;
    subscribers->opened++;
    message_set_number(subscribers->options.request, (unsigned)place);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)place};
    return ask(subscribers, subscriber) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           epoll_ctl(subscribers->poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void read_answer(struct subscribers *subscribers, struct subscriber *subscriber, char *chunk,
                        size_t length)
{
    const struct marker *marker = &subscribers->options.subscribed;
    if (!stream_has(&subscriber->tail, chunk, length, marker->bytes, marker->length))
        return;
    subscriber->subscribed = true;
    subscriber->tail.length = 0;
    subscribers->subscribed++;
}

static bool read_one(struct subscribers *subscribers, size_t place)
{
    struct subscriber *subscriber = &subscribers->list[place];
    char *chunk = subscribers->buffer + STREAM_TAIL_SIZE;
    ssize_t length = subscriber->secure != NULL
                         ? secure_receive(subscriber->secure, chunk, READ_SIZE)
                         : recv(subscriber->fd, chunk, READ_SIZE, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return true;
    if (length <= 0) {
        fprintf(stderr, "stream %zu ended: %s\n", place,
                length == 0 ? "closed by the server" : strerror(errno));
        return false;
    }
    subscribers->bytes += (uint64_t)length;
    if (!subscriber->subscribed) {
        read_answer(subscribers, subscriber, chunk, (size_t)length);
        return true;
    }
    subscribers->now_ns = monotonic_ns();
    stamp_scan(&subscriber->tail, chunk, (size_t)length, count_stamp, subscribers);
    return true;
}

bool subscribers_read(struct subscribers *subscribers, int timeout_ms)
{
    struct epoll_event events[WAIT_EVENTS];
    int count = epoll_wait(subscribers->poll, events, WAIT_EVENTS, timeout_ms);
    if (count < 0 && errno != EINTR) {
        perror("epoll_wait");
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == watched_fd)
            subscribers->readable(subscribers->context);
        else if (!read_one(subscribers, events[i].data.u32))
            return false;
    }
    return true;
}

bool subscribers_grow(struct subscribers *subscribers, size_t count)
{
    uint64_t limit = monotonic_ns() + (uint64_t)ANSWER_LIMIT_MS * 1000000;
    while (subscribers->subscribed < count) {
        size_t before = subscribers->subscribed;
        bool may_open = subscribers->opened < count &&
                        subscribers->opened - subscribers->subscribed < OUTSTANDING;
        if (may_open && !open_one(subscribers))
            return false;
        if (!subscribers_read(subscribers, may_open ? 0 : 100))
            return false;
        if (subscribers->subscribed > before)
            limit = monotonic_ns() + (uint64_t)ANSWER_LIMIT_MS * 1000000;
        else if (monotonic_ns() > limit) {
            fprintf(stderr, "only %zu of %zu streams were answered\n", subscribers->subscribed,
                    count);
            return false;
        }
    }
    return true;
}

bool subscribers_watch(struct subscribers *subscribers, int fd, void (*readable)(void *context),
                       void *context)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = watched_fd};
    subscribers->readable = readable;
    subscribers->context = context;
    return epoll_ctl(subscribers->poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

uint64_t subscribers_bytes(const struct subscribers *subscribers)
{
    return subscribers->bytes;
}
