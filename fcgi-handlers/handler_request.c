#include "handler_request.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 65536,
    PEER_TIME_LIMIT_S = 30,          /* a web server that is silent in the middle of a request */
    MOST_THROWN_AWAY = 32 * 1048576, /* of an unread body */
    MOST_LENGTH_DIGITS = 18
};

struct handler_request {
    int listener; /* HANDLER_CGI: the request is this process's own */
    int epoll;    /* on which one of several threads waits; -1: the only one waits */
    bool done;    /* CGI: it was served */
    char **variables;
    bool announced;   /* CONTENT_LENGTH was there and a number */
    size_t remaining; /* of what it announced */
    FCGX_Request fcgi;
};

extern char **environ;

bool handler_is_cgi(void)
{
    return FCGX_IsCGI() != 0;
}

static bool open_listener(struct handler_request *request, int listener)
{
    /* Workers share the socket: one that comes too late must not wait in accept(2), deaf to its
     * signals. */
    int flags = fcntl(listener, F_GETFL);
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    /* libfcgi waits so long (ms) for the web server to close its side first; some never do, and
     * hold the worker. */
    return setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "10", 0) == 0 && FCGX_Init() == 0 &&
           FCGX_InitRequest(&request->fcgi, listener, FCGI_FAIL_ACCEPT_ON_INTR) == 0;
}

struct handler_request *handler_request_open(int listener)
{
    struct handler_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->listener = listener;
    request->epoll = -1;
    request->variables = environ;
    if (listener != HANDLER_CGI && !open_listener(request, listener)) {
        free(request);
        return NULL;
    }
    return request;
}

struct handler_request *handler_request_open_among_others(int listener)
{
    struct handler_request *request = handler_request_open(listener);
    struct epoll_event readable = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    if (request == NULL)
        return NULL;
    request->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (request->epoll < 0 || epoll_ctl(request->epoll, EPOLL_CTL_ADD, listener, &readable) != 0)
        handler_request_close(&request);
    return request;
}

void handler_request_close(struct handler_request **request)
{
    struct handler_request *old = *request;
    if (old == NULL)
        return;
    *request = NULL;
    if (old->epoll >= 0)
        (void)close(old->epoll);
    if (old->listener != HANDLER_CGI)
        FCGX_Free(&old->fcgi, 1);
    free(old);
}

/* ---- the next request ---- */

/* A web server may keep its connection for the next request (FCGI_KEEP_CONN). It may, while nobody
 * else waits: one idle connection must not hold a worker back from others. */
static int wait_for_peer(struct handler_request *request, const sigset_t *waiting)
{
    struct pollfd sources[2] = {{.fd = request->listener, .events = POLLIN},
                                {.fd = request->fcgi.ipcFd, .events = POLLIN}};
    int ready = ppoll(sources, 2, NULL, waiting);
    if (ready < 0)
        return errno == EINTR ? 0 : -1;
    if (sources[1].fd >= 0 && sources[1].revents == 0)
        FCGX_Free(&request->fcgi, 1);
    return 1;
}

static int wait_among_others(struct handler_request *request, const sigset_t *waiting)
{
    struct pollfd peer = {.fd = request->fcgi.ipcFd, .events = POLLIN};
    struct epoll_event event;
    if (peer.fd >= 0 && poll(&peer, 1, 0) > 0)
        return 1;
    FCGX_Free(&request->fcgi, 1);
    if (epoll_pwait(request->epoll, &event, 1, -1, waiting) >= 0)
        return 1;
    return errno == EINTR ? 0 : -1;
}

static void limit_peer_time(int peer)
{
    const struct timeval limit = {.tv_sec = PEER_TIME_LIMIT_S};
    /* Failure leaves a worker to the web server's own time limits. */
    (void)setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static void read_length(struct handler_request *request)
{
    const char *text = handler_request_variable(request, "CONTENT_LENGTH");
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");
    request->announced = digits > 0 && digits <= MOST_LENGTH_DIGITS && text[digits] == '\0';
    request->remaining = request->announced ? strtoul(text, NULL, 10) : 0;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == ECONNRESET;
}

int handler_request_accept(struct handler_request *request, const sigset_t *waiting)
{
    if (request->listener == HANDLER_CGI) {
        if (request->done)
            return 0;
    } else {
        int ready = request->epoll >= 0 ? wait_among_others(request, waiting)
                                        : wait_for_peer(request, waiting);
        if (ready <= 0)
            return ready;
        errno = 0;
        if (FCGX_Accept_r(&request->fcgi) < 0)
            return errno == 0 || is_passing(errno) ? 0 : -1;
        limit_peer_time(request->fcgi.ipcFd);
        request->variables = request->fcgi.envp;
    }
    read_length(request);
    return 1;
}

/* ---- what it says ---- */

const char *handler_request_variable(const struct handler_request *request, const char *name)
{
    return FCGX_GetParam(name, request->variables);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void append_decoded(struct bytes *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%' && length - i > 2 && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            c = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        }
        bytes_append(out, &c, 1);
    }
}

bool handler_request_query(const struct handler_request *request, const char *name,
                           struct bytes *value)
{
    const char *query = handler_request_variable(request, "QUERY_STRING");
    size_t name_length = strlen(name);
    while (query != NULL && *query != '\0') {
        size_t length = strcspn(query, "&");
        if (length > name_length && strncmp(query, name, name_length) == 0 &&
            query[name_length] == '=') {
            append_decoded(value, query + name_length + 1, length - name_length - 1);
            return !value->failed;
        }
        query += length + (query[length] == '&');
    }
    return false;
}

const char *handler_request_bearer(const struct handler_request *request)
{
    const char *text = handler_request_variable(request, "HTTP_AUTHORIZATION");
    if (text == NULL || strncasecmp(text, "Bearer ", 7) != 0)
        return NULL;
    text += 7;
    return text + strspn(text, " ");
}

/* ---- body ---- */

/* 0: the end. */
static size_t read_some(struct handler_request *request, void *out, size_t size)
{
    if (request->announced && size > request->remaining)
        size = request->remaining;
    if (size == 0)
        return 0;
    ssize_t got;
    if (request->listener != HANDLER_CGI) {
        got = FCGX_GetStr(out, (int)size, request->fcgi.in);
    } else {
        do {
            got = read(STDIN_FILENO, out, size);
        } while (got < 0 && errno == EINTR);
    }
    if (got <= 0)
        return 0;
    if (request->announced)
        request->remaining -= (size_t)got;
    return (size_t)got;
}

/* NULL, or what is wrong with the announcement. */
static enum handler_body check_length(const struct handler_request *request, size_t limit)
{
    const char *text = handler_request_variable(request, "CONTENT_LENGTH");
    if (request->announced)
        return request->remaining > limit ? HANDLER_BODY_TOO_LARGE : HANDLER_BODY_WHOLE;
    if (text != NULL && *text != '\0')
        return strspn(text, "0123456789") == strlen(text) ? HANDLER_BODY_TOO_LARGE
                                                          : HANDLER_BODY_BAD_LENGTH;
    /* FastCGI says where the body ends by itself. */
    return request->listener == HANDLER_CGI ? HANDLER_BODY_NO_LENGTH : HANDLER_BODY_WHOLE;
}

enum handler_body handler_request_read_body(struct handler_request *request, size_t limit,
                                            struct bytes *body)
{
    enum handler_body verdict = check_length(request, limit);
    if (verdict != HANDLER_BODY_WHOLE)
        return verdict;
    bool ended = request->announced && request->remaining == 0;
    while (!ended) {
        size_t step =
            request->announced && request->remaining < READ_SIZE ? request->remaining : READ_SIZE;
        if (!bytes_reserve(body, step))
            return HANDLER_BODY_NO_MEMORY;
        size_t got = read_some(request, body->data + body->length, step);
        body->length += got;
        if (body->length > limit)
            return HANDLER_BODY_TOO_LARGE;
        ended = got == 0 || (request->announced && request->remaining == 0);
    }
    return request->announced && request->remaining > 0 ? HANDLER_BODY_SHORT : HANDLER_BODY_WHOLE;
}

void handler_request_finish(struct handler_request *request)
{
    char unread[4096];
    size_t thrown = 0;
    for (size_t got = 1; got > 0 && thrown < MOST_THROWN_AWAY; thrown += got)
        got = request->announced || request->listener != HANDLER_CGI
                  ? read_some(request, unread, sizeof unread)
                  : 0;
    if (request->listener != HANDLER_CGI)
        FCGX_Finish_r(&request->fcgi);
    request->done = true;
}

bool handler_request_write(struct handler_request *request, const void *data, size_t length)
{
    if (request->listener != HANDLER_CGI)
        return length == 0 || FCGX_PutStr(data, (int)length, request->fcgi.out) == (int)length;
    const char *at = data;
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}
