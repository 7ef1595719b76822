/* hold_streams: many streams opened as fast as one process can, held, and closed all at once.
 *
 * Standard output says "{"opened": ...}" when every stream is subscribed; then it holds them until
 * standard input has a line or ends, closes all in one go and says "{"closed": ...}". Times are
 * CLOCK_MONOTONIC nanoseconds, so that another process can lay its own measurements beside them.
 * Whatever else comes on the streams is read and forgotten. */
#include "dial.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 65536, WAIT_EVENTS = 512, OPEN_AT_ONCE = 128, SILENCE_LIMIT_MS = 20000 };

static const uint32_t standard_input = UINT32_MAX;

enum stream_state { STREAM_CONNECTING, STREAM_ASKED, STREAM_HELD };

struct stream {
    int fd;
    enum stream_state state;
    struct stream_tail tail;
};

struct holder {
    unsigned port;
    size_t count;
    struct message request;
    struct marker subscribed;
    int poll;
    struct stream *streams;
    size_t opened, held;
    bool told_to_close;
    char buffer[STREAM_TAIL_SIZE + READ_SIZE];
};

static const char usage[] =
    "usage: hold_streams --port PORT --request FILE --subscribed HEX --count N\n";

static bool parse_options(struct holder *holder, const char **request, int argc, char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"request", required_argument, NULL, 'r'},
                                          {"subscribed", required_argument, NULL, 'm'},
                                          {"count", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'p')
            holder->port = (unsigned)atoi(optarg);
        else if (option == 'r')
            *request = optarg;
        else if (option == 'n')
            holder->count = (size_t)atoi(optarg);
        else if (option != 'm' || !marker_parse(&holder->subscribed, optarg))
            return false;
    }
    return optind == argc && holder->port > 0 && holder->count > 0 && *request != NULL &&
           holder->subscribed.length > 0;
}

static bool open_stream(struct holder *holder)
{
    size_t place = holder->opened;
    struct stream *stream = &holder->streams[place];
    stream->fd = dial_local(holder->port, place, DIAL_NONBLOCKING);
    if (stream->fd < 0)
        return false;
    holder->opened++;
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)place};
    return epoll_ctl(holder->poll, EPOLL_CTL_ADD, stream->fd, &event) == 0;
}

/* Connected: asks. A long request may fill the socket's buffer, so it is sent in blocking mode. */
static bool ask(struct holder *holder, size_t place)
{
    struct stream *stream = &holder->streams[place];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)place};
    int flags = fcntl(stream->fd, F_GETFL);
    message_set_number(&holder->request, (unsigned)place);
    stream->state = STREAM_ASKED;
    return flags >= 0 && fcntl(stream->fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           dial_send_all(stream->fd, holder->request.data, holder->request.length) &&
           epoll_ctl(holder->poll, EPOLL_CTL_MOD, stream->fd, &event) == 0;
}

static bool read_stream(struct holder *holder, size_t place)
{
    struct stream *stream = &holder->streams[place];
    char *chunk = holder->buffer + STREAM_TAIL_SIZE;
    ssize_t length = recv(stream->fd, chunk, READ_SIZE, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return true;
    if (length <= 0) {
        fprintf(stderr, "stream %zu ended: %s\n", place,
                length == 0 ? "closed by the server" : strerror(errno));
        return false;
    }
    if (stream->state == STREAM_ASKED &&
        stream_has(&stream->tail, chunk, (size_t)length, holder->subscribed.bytes,
                   holder->subscribed.length)) {
        stream->state = STREAM_HELD;
        holder->held++;
    }
    return true;
}

static bool handle_events(struct holder *holder, int timeout_ms)
{
    struct epoll_event events[WAIT_EVENTS];
    int count = epoll_wait(holder->poll, events, WAIT_EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        uint32_t place = events[i].data.u32;
        if (place == standard_input)
            holder->told_to_close = true;
        else if (!(holder->streams[place].state == STREAM_CONNECTING ? ask(holder, place)
                                                                     : read_stream(holder, place)))
            return false;
    }
    return count >= 0 || errno == EINTR;
}

static bool open_all(struct holder *holder)
{
    uint64_t began = monotonic_ns(), progress = began;
    while (holder->held < holder->count) {
        size_t before = holder->held + holder->opened;
        for (int i = 0; i < OPEN_AT_ONCE && holder->opened < holder->count; i++)
            if (!open_stream(holder))
                return false;
        if (!handle_events(holder, holder->opened < holder->count ? 0 : 100))
            return false;
        uint64_t now = monotonic_ns();
        if (holder->held + holder->opened > before)
            progress = now;
        else if (now - progress > (uint64_t)SILENCE_LIMIT_MS * 1000000) {
            fprintf(stderr, "only %zu of %zu streams were answered\n", holder->held, holder->count);
            return false;
        }
    }
    printf("{\"opened\":%zu,\"began_ns\":%" PRIu64 ",\"ended_ns\":%" PRIu64 "}\n", holder->held,
           began, monotonic_ns());
    return fflush(stdout) == 0;
}

static bool hold_until_told(struct holder *holder)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = standard_input};
    if (epoll_ctl(holder->poll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        perror("standard input must be a pipe or terminal");
        return false;
    }
    while (!holder->told_to_close)
        if (!handle_events(holder, -1))
            return false;
    return true;
}

static bool close_all(struct holder *holder)
{
    uint64_t began = monotonic_ns();
    for (size_t i = 0; i < holder->opened; i++)
        close(holder->streams[i].fd);
    printf("{\"closed\":%zu,\"began_ns\":%" PRIu64 ",\"ended_ns\":%" PRIu64 "}\n", holder->opened,
           began, monotonic_ns());
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static struct holder holder;
    const char *request = NULL;
    if (!parse_options(&holder, &request, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    holder.poll = epoll_create1(EPOLL_CLOEXEC);
    holder.streams = calloc(holder.count, sizeof *holder.streams);
    if (holder.poll < 0 || holder.streams == NULL || !dial_allow_files(holder.count + 64) ||
        !message_load(&holder.request, request))
        return 1;
    bool ok = open_all(&holder) && hold_until_told(&holder) && close_all(&holder);
    message_free(&holder.request);
    free(holder.streams);
    close(holder.poll);
    return ok ? 0 : 1;
}
