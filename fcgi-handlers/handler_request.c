#include "handler_request.h"

#include "big_endian.h"
#include "clock.h"
#include "handler_counters.h"
#include "handler_watch.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 65536,
    LOOK_SIZE = 16384,               /* how far is looked whether a request is here */
    SMALL_ANSWER = 16384,            /* fits into any socket's buffer */
    LONGEST_LOOK_MS = 20,            /* between two looks whether the rest of a head is here */
    PEER_TIME_LIMIT_S = 30,          /* a web server that is silent in the middle of a request */
    MOST_THROWN_AWAY = 32 * 1048576, /* of an unread body */
    MOST_LENGTH_DIGITS = 18
};

struct handler_request {
    int listener; /* HANDLER_CGI: the request is this process's own */
    struct handler_watch
        *watch;   /* on which one of several threads waits; NULL: the only one waits */
    bool kept;    /* by the watch, when it came */
    bool done;    /* CGI: it was served */
    bool here;    /* all its bytes have come */
    bool limited; /* its web server has to keep time */
    size_t written;
    uint64_t begun_ns;
    int status; /* of the answer; 0: it has none, or is handed on to the daemon */
    char **variables;
    char *const *origins;
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
    int flags = fcntl(listener, F_GETFL);
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    /* libfcgi waits so long (ms) for the web server to close its side first; some never do, and
     * hold the worker. It is given connections, and never accepts one. */
    return setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "10", 0) == 0 && FCGX_Init() == 0 &&
           FCGX_InitRequest(&request->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) == 0;
}

void handler_request_set_origins(struct handler_request *request, char *const *origins)
{
    request->origins = origins;
}

char *const *handler_request_origins(const struct handler_request *request)
{
    return request->origins;
}

struct handler_request *handler_request_open(int listener)
{
    struct handler_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->listener = listener;
    request->variables = environ;
    if (listener != HANDLER_CGI && !open_listener(request, listener)) {
        free(request);
        return NULL;
    }
    return request;
}

struct handler_request *handler_request_open_among_others(int listener, struct handler_watch *watch)
{
    struct handler_request *request = handler_request_open(listener);
    if (request != NULL)
        request->watch = watch;
    return request;
}

void handler_request_close(struct handler_request **request)
{
    struct handler_request *old = *request;
    if (old == NULL)
        return;
    *request = NULL;
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

/* As libfcgi itself leaves a connection that the web server keeps: it reads the next request. */
static void begin_connection(struct handler_request *request, int peer)
{
    request->fcgi.ipcFd = peer;
    request->fcgi.keepConnection = 1;
    request->here = false;
}

static int accept_among_others(struct handler_request *request, const sigset_t *waiting)
{
    struct handler_peer peer;
    int found = handler_watch_next(request->watch, waiting, &peer);
    if (found > 0) {
        request->kept = peer.kept;
        begin_connection(request, peer.descriptor);
    }
    return found;
}

int handler_request_accept(struct handler_request *request, const sigset_t *waiting)
{
    if (request->listener == HANDLER_CGI)
        return !request->done;
    if (request->watch != NULL)
        return accept_among_others(request, waiting);
    int ready = waiting != NULL ? wait_for_peer(request, waiting) : 1;
    if (ready <= 0 || request->fcgi.ipcFd >= 0)
        return ready;
    int peer, found = handler_watch_accept(request->listener, &peer);
    if (found > 0)
        begin_connection(request, peer);
    return found;
}

enum arrival { PART_IS_HERE, HEAD_IS_HERE, ALL_IS_HERE };

/* Without reading it. What cannot be told counts as a head: libfcgi shall say what is wrong with it. */
static enum arrival look_at_request(int peer)
{
    unsigned char text[LOOK_SIZE];
    enum arrival arrival = PART_IS_HERE;
    ssize_t length = recv(peer, text, sizeof text, MSG_PEEK | MSG_DONTWAIT);
    FCGI_Header first, header;
    for (ssize_t at = 0; at + FCGI_HEADER_LEN <= length;) {
        memcpy(&header, text + at, sizeof header);
        if (at == 0)
            first = header;
        if (header.version != FCGI_VERSION_1 || header.requestIdB0 != first.requestIdB0 ||
            header.requestIdB1 != first.requestIdB1)
            return HEAD_IS_HERE;
        int content = (int)big_endian_read(text + at + offsetof(FCGI_Header, contentLengthB1), 2);
        if (header.type == FCGI_STDIN && content == 0)
            return ALL_IS_HERE;
        if (header.type == FCGI_PARAMS && content == 0)
            arrival = HEAD_IS_HERE;
        at += FCGI_HEADER_LEN + content + header.paddingLength;
    }
    return length == (ssize_t)sizeof text ? HEAD_IS_HERE : arrival;
}

bool handler_request_is_here(struct handler_request *request)
{
    request->here = request->watch != NULL && look_at_request(request->fcgi.ipcFd) == ALL_IS_HERE;
    return request->here;
}

static void limit_peer_time(struct handler_request *request)
{
    const struct timeval limit = {.tv_sec = PEER_TIME_LIMIT_S};
    int peer = request->fcgi.ipcFd;
    if (request->limited)
        return;
    request->limited = true;
    /* Failure leaves a worker to the web server's own time limits. */
    (void)setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* A read(2) with a time limit ends with EINTR when the process was stopped and goes on (signal(7)), and
 * libfcgi takes that for the end of the web server: what it reads at the beginning shall be here. */
static void wait_for_head(const struct handler_request *request)
{
    struct pollfd waits = {.fd = request->fcgi.ipcFd, .events = POLLIN | POLLRDHUP};
    uint64_t deadline = clock_monotonic_ms() + PEER_TIME_LIMIT_S * 1000;
    int pause_ms = 0;
    while (look_at_request(waits.fd) == PART_IS_HERE) {
        uint64_t now = clock_monotonic_ms();
        if (now >= deadline) {
            (void)shutdown(waits.fd, SHUT_RD); /* it has had its time */
            return;
        }
        (void)poll(&waits, 1, (int)(deadline - now));
        if ((waits.revents & ~POLLIN) != 0)
            return;       /* no more comes */
        if (pause_ms > 0) /* poll(2) does not wait for the rest of a part */
            (void)poll(NULL, 0, pause_ms);
        pause_ms = pause_ms < LONGEST_LOOK_MS ? pause_ms + 1 : pause_ms;
    }
}

static void read_length(struct handler_request *request)
{
    const char *text = handler_request_variable(request, "CONTENT_LENGTH");
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");
    request->announced = digits > 0 && digits <= MOST_LENGTH_DIGITS && text[digits] == '\0';
    request->remaining = request->announced ? strtoul(text, NULL, 10) : 0;
}

/* It has been closed. */
static void forget_connection(struct handler_request *request)
{
    const struct handler_peer peer = {.descriptor = -1, .kept = request->kept};
    request->fcgi.ipcFd = -1;
    request->kept = false;
    if (request->watch != NULL)
        handler_watch_let_go(request->watch, &peer);
}

bool handler_request_begin(struct handler_request *request)
{
    if (request->listener != HANDLER_CGI) {
        request->limited = false;
        request->written = 0;
        request->status = 0;
        request->begun_ns = clock_monotonic_ns();
        if (!request->here) {
            limit_peer_time(request);
            wait_for_head(request);
        }
        if (FCGX_Accept_r(&request->fcgi) < 0) {
            forget_connection(request);
            return false;
        }
        request->variables = request->fcgi.envp;
    }
    read_length(request);
    return true;
}

/* ---- what it says ---- */

const char *handler_request_variable(const struct handler_request *request, const char *name)
{
    return FCGX_GetParam(name, request->variables);
}

const char *handler_request_query(const struct handler_request *request)
{
    const char *query = handler_request_variable(request, "QUERY_STRING");
    return query != NULL ? query : "";
}

/* ---- body ---- */

/* As FCGX_GetStr(), also of a process that was stopped meanwhile. FCGX_ClearError() leaves the stream
 * closed, for the sake of those that write. */
static int read_stream(FCGX_Stream *in, char *out, int size)
{
    int got = FCGX_GetStr(out, size, in);
    while (got < size && FCGX_GetError(in) == EINTR) {
        FCGX_ClearError(in);
        in->isClosed = 0;
        got += FCGX_GetStr(out + got, size - got, in);
    }
    return got;
}

/* 0: the end. */
static size_t read_some(struct handler_request *request, void *out, size_t size)
{
    if (request->announced && size > request->remaining)
        size = request->remaining;
    if (size == 0)
        return 0;
    ssize_t got;
    if (request->listener != HANDLER_CGI) {
        got = read_stream(request->fcgi.in, out, (int)size);
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

/* HANDLER_BODY_WHOLE, or what is wrong with the announcement of what is left. */
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

bool handler_request_read_more(struct handler_request *request, struct bytes *body)
{
    size_t step =
        request->announced && request->remaining < READ_SIZE ? request->remaining : READ_SIZE;
    if ((request->announced && step == 0) || !bytes_reserve(body, step))
        return false;
    size_t got = read_some(request, body->data + body->length, step);
    body->length += got;
    return got > 0;
}

enum handler_body handler_request_read_start(struct handler_request *request, size_t limit,
                                             struct bytes *body)
{
    enum handler_body verdict = check_length(request, limit);
    if (verdict == HANDLER_BODY_WHOLE && !handler_request_read_more(request, body) && body->failed)
        verdict = HANDLER_BODY_NO_MEMORY;
    return verdict;
}

enum handler_body handler_request_read_body(struct handler_request *request, size_t limit,
                                            struct bytes *body)
{
    if (body->length > limit)
        return HANDLER_BODY_TOO_LARGE;
    enum handler_body verdict = check_length(request, limit - body->length);
    if (verdict != HANDLER_BODY_WHOLE)
        return verdict;
    while (handler_request_read_more(request, body)) {
        if (body->length > limit)
            return HANDLER_BODY_TOO_LARGE;
    }
    if (body->failed)
        return HANDLER_BODY_NO_MEMORY;
    return request->announced && request->remaining > 0 ? HANDLER_BODY_SHORT : HANDLER_BODY_WHOLE;
}

static void throw_away_rest(struct handler_request *request)
{
    char unread[4096];
    size_t thrown = 0;
    for (size_t got = 1; got > 0 && thrown < MOST_THROWN_AWAY; thrown += got)
        got = request->announced || request->listener != HANDLER_CGI
                  ? read_some(request, unread, sizeof unread)
                  : 0;
}

/* ---- the end of a request ---- */

/* Reads what is left up to the end of the request, when all of its body has come. Apache sends the end by
 * itself, and takes a connection that is closed before that for a failure (mod_proxy_fcgi), although it
 * was answered. False: the end has not come. */
static bool read_to_end(struct handler_request *request)
{
    char unread[4096];
    if (!request->here && (!request->announced || request->remaining > 0))
        return false;
    while (read_stream(request->fcgi.in, unread, sizeof unread) > 0)
        continue;
    return FCGX_HasSeenEOF(request->fcgi.in) != 0 && FCGX_GetError(request->fcgi.in) == 0;
}

/* libfcgi closes its side, waits for the web server's, and throws away what comes until then. When
 * all has come and is read, nothing is left that could reset the connection: it is just closed. */
static void close_connection(struct handler_request *request, bool is_read)
{
    FCGX_Request *fcgi = &request->fcgi;
    fcgi->keepConnection = is_read;
    FCGX_Finish_r(fcgi);
    if (fcgi->ipcFd >= 0)
        (void)close(fcgi->ipcFd);
    forget_connection(request);
}

static bool is_behind_nginx(const struct handler_request *request)
{
    static const char name[] = "nginx";
    const char *software = handler_request_variable(request, "SERVER_SOFTWARE");
    return software != NULL && strncmp(software, name, sizeof name - 1) == 0;
}

static size_t write_record(unsigned char *out, unsigned char type, int id, size_t length)
{
    const FCGI_Header header = {.version = FCGI_VERSION_1,
                                .type = type,
                                .requestIdB1 = (unsigned char)(id >> 8),
                                .requestIdB0 = (unsigned char)id,
                                .contentLengthB0 = (unsigned char)length};
    memcpy(out, &header, sizeof header);
    memset(out + sizeof header, 0, length);
    return sizeof header + length;
}

/* FastCGI has no word for "this was the last answer". A web server that keeps the connection might choose
 * it for the next post between the end of the answer and close(2). nginx takes one for its own that ends
 * with the answer alone: a record behind it, in the same write, and it closes the connection
 * (ngx_http_fastcgi_module.c, ngx_http_fastcgi_input_filter()). FastCGI 1.0, section 4.2, has that record
 * for whoever knows not what it was asked. */
static void end_connection(struct handler_request *request)
{
    FCGX_Request *fcgi = &request->fcgi;
    unsigned char
        end[3 * FCGI_HEADER_LEN + sizeof(FCGI_EndRequestBody) + sizeof(FCGI_UnknownTypeBody)];
    size_t length = write_record(end, FCGI_STDOUT, fcgi->requestId, 0);
    length +=
        write_record(end + length, FCGI_END_REQUEST, fcgi->requestId, sizeof(FCGI_EndRequestBody));
    length += write_record(end + length, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID,
                           sizeof(FCGI_UnknownTypeBody));
    /* A web server that is gone needs no end. */
    if (FCGX_FFlush(fcgi->out) == 0)
        (void)send(fcgi->ipcFd, end, length, MSG_NOSIGNAL);
    (void)close(fcgi->ipcFd);
    fcgi->ipcFd = -1;
    FCGX_Free(fcgi, 0);
    forget_connection(request);
}

static void keep_connection(struct handler_request *request, const struct handler_peer *peer)
{
    FCGX_Finish_r(&request->fcgi);
    request->kept = peer->kept;
    if (request->fcgi.ipcFd < 0) {
        forget_connection(request);
        return;
    }
    request->fcgi.ipcFd = -1;
    request->kept = false;
    handler_watch_keep(request->watch, peer);
}

static void finish_among_others(struct handler_request *request)
{
    bool wants_it_kept = request->fcgi.keepConnection != 0;
    bool is_read = read_to_end(request);
    struct handler_peer peer = {.descriptor = request->fcgi.ipcFd, .kept = request->kept};
    if (is_read && wants_it_kept && handler_watch_may_keep(request->watch, &peer))
        keep_connection(request, &peer);
    else if (is_read && wants_it_kept && is_behind_nginx(request))
        end_connection(request);
    else
        close_connection(request, is_read);
}

void handler_request_finish(struct handler_request *request)
{
    throw_away_rest(request);
    if (request->watch != NULL) {
        finish_among_others(request);
    } else if (request->listener != HANDLER_CGI) {
        (void)read_to_end(request);
        FCGX_Finish_r(&request->fcgi);
    }
    request->done = true;
    if (request->written > 0)
        handler_counters_note_request(request->status, clock_monotonic_ns() - request->begun_ns);
}

/* RFC 3875, section 6.3.3. Without the field it goes on elsewhere. */
static int read_status(const char *data, size_t length)
{
    static const char field[] = "Status: ";
    enum { DIGITS = 3, BEFORE = sizeof field - 1 };
    int status = 0;

    if (length < BEFORE + DIGITS || memcmp(data, field, BEFORE) != 0)
        return 0;
    for (size_t i = 0; i < DIGITS; i++)
        status = 10 * status + (data[BEFORE + i] - '0');
    return status;
}

bool handler_request_write(struct handler_request *request, const void *data, size_t length)
{
    if (request->listener != HANDLER_CGI) {
        if (request->written == 0)
            request->status = read_status(data, length);
        request->written += length;
        if (request->written > SMALL_ANSWER)
            limit_peer_time(request);
        return length == 0 || FCGX_PutStr(data, (int)length, request->fcgi.out) == (int)length;
    }
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
