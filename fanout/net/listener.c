#include "net/listener.h"

#include "messages.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    uv_poll_t readable; /* the loop would throw away what it has no descriptors for */
    int descriptor;     /* owned by io */
    struct listeners *all;
    struct listener *next;
    struct arrival arrival;
    bool is_listening;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct listener *listener = poll->data;

    (void)events;
    if (status < 0)
        message_warning("cannot wait for connections", message_text("error", uv_strerror(status)));
    acceptor_take(&listener->all->acceptor, listener->descriptor, listener->arrival);
}

static int start_listening(struct listener *listener)
{
    uv_loop_t *loop = &listener->all->net->loop.uv;
    int error = uv_fileno(&listener->io.handle, &listener->descriptor);

    if (!error && listen(listener->descriptor, BACKLOG) != 0)
        error = uv_translate_sys_error(errno);
    if (!error)
        error = uv_poll_init(loop, &listener->readable, listener->descriptor);
    if (error)
        return error;
    listener->is_listening = true;
    listener->readable.data = listener;
    return uv_poll_start(&listener->readable, UV_READABLE, on_readable);
}

static void pause_all(void *context)
{
    const struct listeners *listeners = context;

    for (struct listener *listener = listeners->first; listener != NULL; listener = listener->next)
        if (listener->is_listening)
            (void)uv_poll_stop(&listener->readable);
}

static void resume_all(void *context)
{
    const struct listeners *listeners = context;

    for (struct listener *listener = listeners->first; listener != NULL; listener = listener->next)
        if (listener->is_listening)
            (void)uv_poll_start(&listener->readable, UV_READABLE, on_readable);
}

static void set_option(int descriptor, int level, int option, int value, const char *name)
{
    if (setsockopt(descriptor, level, option, &value, sizeof value) != 0)
        message_warning("cannot set a socket option", message_text("option", name),
                        message_error_code(errno));
}

/* Linux hands these on to every accepted socket, which saves system calls for each connection
 * (tcp(7)). */
static void set_inherited_options(const struct listener *listener)
{
    const struct config *config = listener->all->net->config;
    uint64_t vanish_ms = config->vanish_time;
    int seconds = (int)(vanish_ms / 1000), probe = seconds / 6 > 0 ? seconds / 6 : 1;
    uv_os_fd_t descriptor;

    if (!listener->arrival.is_tcp || uv_fileno(&listener->io.handle, &descriptor) != 0)
        return;
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds / 2 > 0 ? seconds / 2 : 1,
               "TCP_KEEPIDLE");
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, probe, "TCP_KEEPINTVL");
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3, "TCP_KEEPCNT");
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)vanish_ms, "TCP_USER_TIMEOUT");
    if (config->send_buffer > 0)
        set_option(descriptor, SOL_SOCKET, SO_SNDBUF, (int)config->send_buffer, "SO_SNDBUF");
}

void listeners_apply_config(struct listeners *listeners)
{
    for (const struct listener *listener = listeners->first; listener != NULL;
         listener = listener->next)
        set_inherited_options(listener);
}

static struct listener *listener_new(struct listeners *listeners, struct arrival arrival,
                                     int family, int *error)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL) {
        *error = UV_ENOMEM;
        return NULL;
    }
    listener->all = listeners;
    listener->arrival = arrival;
    *error = arrival.is_tcp
                 ? uv_tcp_init_ex(&listeners->net->loop.uv, &listener->io.tcp, (unsigned)family)
                 : uv_pipe_init(&listeners->net->loop.uv, &listener->io.pipe, 0);
    if (*error) {
        free(listener);
        return NULL;
    }
    listener->io.handle.data = listener;
    listener->next = listeners->first;
    listeners->first = listener;
    return listener;
}

/* uv_tcp_bind() keeps to itself that an address is in use. */
static int bind_address(const struct listener *listener, const struct addrinfo *address)
{
    uv_os_fd_t descriptor;
    int error = uv_fileno(&listener->io.handle, &descriptor);

    if (error)
        return error;
    set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
    if (address->ai_family == AF_INET6)
        set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY");
    return bind(descriptor, address->ai_addr, address->ai_addrlen) == 0
               ? 0
               : uv_translate_sys_error(errno);
}

static int listen_on_address(struct listeners *listeners, const struct addrinfo *address,
                             bool speaks_lines)
{
    int error;
    struct listener *listener =
        listener_new(listeners, (struct arrival){true, speaks_lines}, address->ai_family, &error);

    if (listener == NULL)
        return error;
    set_inherited_options(listener);
    error = bind_address(listener, address);
    return error ? error : start_listening(listener);
}

/* Splits "host:port" and "[ipv6]:port" in place; false when it is neither. */
static bool split_address(char *text, char **host, char **port)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL || !colon[1])
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    if (text[0] == '[' && colon > text && colon[-1] == ']') {
        colon[-1] = '\0';
        *host = text + 1;
    } else if (strchr(text, ':') != NULL) {
        return false;
    }
    return true;
}

static bool open_tcp(struct listeners *listeners, const char *text, bool speaks_lines, char *error)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *addresses;
    char copy[256], *host, *port;

    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy ||
        !split_address(copy, &host, &port)) {
        snprintf(error, LISTENER_ERROR_SIZE,
                 "cannot listen on %s: write host:port, [ipv6]:port or unix:/path", text);
        return false;
    }
    int failure = getaddrinfo(*host ? host : NULL, port, &hints, &addresses);
    if (failure) {
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s: %s", text,
                 gai_strerror(failure));
        return false;
    }
    failure = listen_on_address(listeners, addresses, speaks_lines);
    freeaddrinfo(addresses);
    if (failure)
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s: %s", text, uv_strerror(failure));
    return failure == 0;
}

/* A socket file that nobody answers on was left by a daemon that was killed. */
static bool remove_stale(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), refused;

    if (descriptor < 0)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    refused = connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0 &&
              errno == ECONNREFUSED;
    close(descriptor);
    return refused && unlink(path) == 0;
}

static bool open_unix(struct listeners *listeners, const char *path, bool speaks_lines, char *error)
{
    int failure = UV_EADDRINUSE;

    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on unix:%s: path is too long", path);
        return false;
    }
    struct stat status;
    if (stat(path, &status) == 0 && !remove_stale(path)) {
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on unix:%s: %s", path,
                 S_ISSOCK(status.st_mode) ? "another program answers there" : "it is no socket");
        return false;
    }
    struct listener *listener =
        listener_new(listeners, (struct arrival){false, speaks_lines}, AF_UNIX, &failure);
    mode_t old_mask;
    if (listener != NULL) {
        old_mask = umask((mode_t)(~listeners->net->config->bus_mode & 0777));
        failure = uv_pipe_bind(&listener->io.pipe, path);
        umask(old_mask);
        if (!failure)
            failure = start_listening(listener);
    }
    if (failure)
        snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on unix:%s: %s", path,
                 uv_strerror(failure));
    return failure == 0;
}

static bool open_each(struct listeners *listeners, char **addresses, bool speaks_lines, char *error)
{
    for (char **text = addresses; *text != NULL; text++) {
        bool opened = strncmp(*text, "unix:", 5) == 0
                          ? open_unix(listeners, *text + 5, speaks_lines, error)
                          : open_tcp(listeners, *text, speaks_lines, error);
        if (!opened)
            return false;
        message_info("listening", message_text("address", *text),
                     message_text("for", speaks_lines ? "lines" : "HTTP"));
    }
    return true;
}

bool listeners_open(struct listeners *listeners, struct net *net, char error[LISTENER_ERROR_SIZE])
{
    *listeners = (struct listeners){.net = net};
    acceptor_open(&listeners->acceptor, net,
                  (struct acceptor_sockets){pause_all, resume_all, listeners});
    if (net->config->listen[0] == NULL) {
        snprintf(error, LISTENER_ERROR_SIZE, "[fanout] listen names no address");
        return false;
    }
    return open_each(listeners, net->config->listen, false, error) &&
           open_each(listeners, net->config->listen_lines, true, error);
}

void listeners_stop(struct listeners *listeners)
{
    if (listeners->net == NULL)
        return;
    acceptor_stop(&listeners->acceptor);
    for (struct listener *listener = listeners->first; listener != NULL;
         listener = listener->next) {
        if (uv_is_closing(&listener->io.handle))
            continue;
        if (listener->is_listening)
            uv_close((uv_handle_t *)&listener->readable, NULL);
        listener->is_listening = false;
        uv_close(&listener->io.handle, NULL);
    }
}

void listeners_free(struct listeners *listeners)
{
    while (listeners->first != NULL) {
        struct listener *next = listeners->first->next;
        free(listeners->first);
        listeners->first = next;
    }
}
