#include "handler_watch.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MOST_READY = 16,
    /* For the web server to close what it keeps and does not use (keepalive_timeout of deploy/nginx:
     * 1 s). What is closed here instead could be chosen for a post in that moment. */
    END_LIMIT_MS = 2000
};

struct handler_watch {
    int epoll;
    unsigned most_kept;
    pthread_mutex_t lock; /* guards the next two */
    unsigned kept;        /* idle, or with a request at hand */
    uint64_t ends_at;     /* 0: it is not to end */
    /* Of the thread that looks: what was found and not looked at yet. */
    struct epoll_event ready[MOST_READY];
    int ready_count, ready_at;
};

static const uint64_t listener_mark = (uint64_t)1 << 32; /* beside the descriptor */

/* Workers share the socket: one that comes too late must not wait in accept(2), deaf to its signals, and
 * with a request at hand that it has not answered. */
static bool unblock(int listener)
{
    int flags = fcntl(listener, F_GETFL);
    return flags >= 0 &&
           ((flags & O_NONBLOCK) != 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) == 0);
}

static bool prepare_listener(int listener)
{
    if (!unblock(listener))
        return false;
    /* What is accepted inherits it; a unix socket has no such option and needs none. */
    const int yes = 1;
    (void)setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return true;
}

static bool watch_listeners(const struct handler_watch *watch, const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        int listener = sockets->descriptors[i];
        struct epoll_event readable = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                       .data.u64 = listener_mark | (uint64_t)listener};
        if (!prepare_listener(listener) ||
            epoll_ctl(watch->epoll, EPOLL_CTL_ADD, listener, &readable) != 0)
            return false;
    }
    return true;
}

/* The rest of the files is for requests that are served, and for what those need. */
static unsigned bound_by_files(unsigned most_kept)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 > most_kept)
        return most_kept;
    return (unsigned)(files.rlim_cur / 2);
}

struct handler_watch *handler_watch_open(const struct listen_sockets *sockets, unsigned most_kept)
{
    struct handler_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->most_kept = bound_by_files(most_kept);
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    int error = pthread_mutex_init(&watch->lock, NULL);
    if (error != 0) {
        (void)close(watch->epoll);
        free(watch);
        errno = error;
        return NULL;
    }
    if (watch->epoll >= 0 && watch_listeners(watch, sockets))
        return watch;
    error = errno;
    handler_watch_close(&watch);
    errno = error;
    return NULL;
}

/* Connections that are still kept close with the process. */
void handler_watch_close(struct handler_watch **watch)
{
    if (*watch == NULL)
        return;
    if ((*watch)->epoll >= 0)
        (void)close((*watch)->epoll);
    (void)pthread_mutex_destroy(&(*watch)->lock);
    free(*watch);
    *watch = NULL;
}

/* ---- the next connection ---- */

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == ECONNRESET;
}

/* systemd takes O_NONBLOCK away from a socket that is a unit's standard input, of all who share it, each
 * time that it runs a command of the unit: with ExecReload=, while the old workers serve. */
int handler_watch_accept(int listener, int *peer)
{
    *peer = unblock(listener) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (*peer >= 0)
        return 1;
    return is_passing(errno) ? 0 : -1;
}

/* Of one that its web server has closed there may be a request all the same. */
static bool has_nothing(const struct epoll_event *event, int descriptor)
{
    char byte;
    return (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
           recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static bool take_kept(struct handler_watch *watch, const struct epoll_event *event,
                      struct handler_peer *peer)
{
    *peer = (struct handler_peer){.descriptor = (int)event->data.u64, .kept = true};
    if (!has_nothing(event, peer->descriptor))
        return true;
    (void)close(peer->descriptor);
    handler_watch_let_go(watch, peer);
    return false;
}

/* Of what was found. As handler_watch_next(). */
static int take_ready(struct handler_watch *watch, struct handler_peer *peer)
{
    while (watch->ready_at < watch->ready_count) {
        const struct epoll_event *event = &watch->ready[watch->ready_at++];
        if ((event->data.u64 & listener_mark) == 0) {
            if (take_kept(watch, event, peer))
                return 1;
            continue;
        }
        *peer = (struct handler_peer){.descriptor = -1};
        int found =
            handler_watch_accept((int)(event->data.u64 & ~listener_mark), &peer->descriptor);
        if (found != 0)
            return found;
    }
    return 0;
}

/* -1: for ever. */
static int time_left(struct handler_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    uint64_t ends_at = watch->ends_at;
    (void)pthread_mutex_unlock(&watch->lock);
    if (ends_at == 0)
        return -1;
    uint64_t now = clock_monotonic_ms();
    return now < ends_at ? (int)(ends_at - now) : 0;
}

/* False: the socket failed. */
static bool look(struct handler_watch *watch, const sigset_t *waiting)
{
    int limit = waiting != NULL ? time_left(watch) : 0;
    int count = epoll_pwait(watch->epoll, watch->ready, MOST_READY, limit, waiting);
    watch->ready_at = 0;
    watch->ready_count = count > 0 ? count : 0;
    return count >= 0 || errno == EINTR;
}

int handler_watch_next(struct handler_watch *watch, const sigset_t *waiting,
                       struct handler_peer *peer)
{
    int found = take_ready(watch, peer);
    if (found != 0)
        return found;
    return look(watch, waiting) ? take_ready(watch, peer) : -1;
}

/* ---- keeping ---- */

bool handler_watch_may_keep(struct handler_watch *watch, struct handler_peer *peer)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool may = watch->ends_at == 0 && (peer->kept || watch->kept < watch->most_kept);
    if (may && !peer->kept)
        watch->kept++;
    (void)pthread_mutex_unlock(&watch->lock);
    peer->kept = peer->kept || may;
    return may;
}

void handler_watch_keep(struct handler_watch *watch, const struct handler_peer *peer)
{
    struct epoll_event readable = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT,
                                   .data.u64 = (uint64_t)peer->descriptor};
    if (epoll_ctl(watch->epoll, EPOLL_CTL_MOD, peer->descriptor, &readable) == 0 ||
        (errno == ENOENT &&
         epoll_ctl(watch->epoll, EPOLL_CTL_ADD, peer->descriptor, &readable) == 0))
        return;
    (void)close(peer->descriptor);
    handler_watch_let_go(watch, peer);
}

void handler_watch_let_go(struct handler_watch *watch, const struct handler_peer *peer)
{
    if (!peer->kept)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->kept--;
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- the end ---- */

void handler_watch_end(struct handler_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    if (watch->ends_at == 0)
        watch->ends_at = clock_monotonic_ms() + END_LIMIT_MS;
    (void)pthread_mutex_unlock(&watch->lock);
}

bool handler_watch_is_over(struct handler_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool over = watch->ends_at != 0 && (watch->kept == 0 || clock_monotonic_ms() >= watch->ends_at);
    (void)pthread_mutex_unlock(&watch->lock);
    return over;
}
