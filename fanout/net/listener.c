#include "net/listener.h"

#include "listen_socket.h"
#include "messages.h"
#include "net_address.h"
#include "saved_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

_Static_assert((int)LISTENER_ERROR_SIZE >= (int)NET_ERROR_SIZE, "a sentence has to fit");

struct listener {
    uv_poll_t readable;  /* the loop would throw away what it has no descriptors for */
    int descriptor;      /* -1: given back */
    const char *address; /* as configured; borrowed */
    struct listeners *all;
    struct listener *next;
    struct arrival arrival;
};

/* Of these a socket that is handed over takes nothing but its address and what it is for. */
enum { SPEAKS_LINES = 1, IS_TLS = 2, IS_FOR_METRICS = 4, USES = 8 };

struct listener_past {
    char *address; /* NULL: it has found its place */
    unsigned use;
    int descriptor;
};

static unsigned use_of(struct arrival arrival)
{
    return (arrival.speaks_lines ? SPEAKS_LINES : 0) | (arrival.is_tls ? IS_TLS : 0) |
           (arrival.is_for_metrics ? IS_FOR_METRICS : 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct listener *listener = poll->data;

    (void)events;
    if (status < 0)
        message_warning("cannot wait for connections", message_text("error", uv_strerror(status)));
    acceptor_take(&listener->all->acceptor, listener->descriptor, listener->arrival);
}

static void pause_all(void *context)
{
    const struct listeners *listeners = context;

    for (struct listener *listener = listeners->first; listener != NULL; listener = listener->next)
        if (listener->descriptor >= 0)
            (void)uv_poll_stop(&listener->readable);
}

static void resume_all(void *context)
{
    const struct listeners *listeners = context;

    for (struct listener *listener = listeners->first; listener != NULL; listener = listener->next)
        if (listener->descriptor >= 0)
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
    int descriptor = listener->descriptor;

    if (!listener->arrival.is_tcp || descriptor < 0)
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

/* Owns the descriptor from here on. Connections may come at once, so all that they inherit is set
 * before. */
static int start_listening(struct listeners *listeners, int descriptor, const char *address,
                           struct arrival arrival)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL ||
        uv_poll_init(&listeners->net->loop.uv, &listener->readable, descriptor) != 0) {
        free(listener);
        (void)close(descriptor);
        return UV_ENOMEM;
    }
    listener->readable.data = listener;
    listener->descriptor = descriptor;
    listener->address = address;
    listener->arrival = arrival;
    listener->all = listeners;
    listener->next = listeners->first;
    listeners->first = listener;
    set_inherited_options(listener);
    if (listen(descriptor, BACKLOG) != 0)
        return uv_translate_sys_error(errno);
    return uv_poll_start(&listener->readable, UV_READABLE, on_readable);
}

/* Those of the program before this one that are for that. */
static struct listen_sockets take_past(struct listeners *listeners, const char *address,
                                       unsigned use)
{
    struct listen_sockets sockets = {0};

    for (size_t i = 0; i < listeners->past.count && sockets.count < LISTEN_MOST; i++) {
        struct listener_past *past = &listeners->past.list[i];
        if (past->address == NULL || past->use != use || strcmp(past->address, address) != 0)
            continue;
        sockets.descriptors[sockets.count++] = past->descriptor;
        free(past->address);
        past->address = NULL;
    }
    return sockets;
}

/* One of the addresses of a list. */
static bool open_one(struct listeners *listeners, char *const *addresses, const char *address,
                     struct arrival arrival, char error[LISTENER_ERROR_SIZE])
{
    static const char *const uses[2][2] = {{"HTTP", "HTTPS"}, {"lines", "lines over TLS"}};
    const char *use =
        arrival.is_for_metrics ? "metrics" : uses[arrival.speaks_lines][arrival.is_tls];
    const struct listen_options options = {.mode = (unsigned)listeners->net->config->bus_mode,
                                           .leaves_ipv4 =
                                               net_address_has_ipv4_beside(addresses, address)};
    char name[LISTEN_NAME_SIZE];

    arrival.is_tcp = listen_socket_path(address) == NULL;
    arrival.says_for_whom = config_list_has(listeners->net->config->proxy_protocol, address);
    struct listen_sockets sockets = take_past(listeners, address, use_of(arrival));
    if (sockets.count == 0 && !listen_socket_open(&sockets, address, options, error))
        return false;
    while (sockets.count > 0) {
        int descriptor = sockets.descriptors[--sockets.count];
        listen_socket_name(descriptor, name);
        int failure = start_listening(listeners, descriptor, address, arrival);
        if (failure != 0) {
            (void)snprintf(error, LISTENER_ERROR_SIZE, "cannot listen on %s: %s", address,
                           uv_strerror(failure));
            listen_socket_close(&sockets);
            return false;
        }
        message_info("listening", message_text("address", name), message_text("for", use));
    }
    return true;
}

static bool open_each(struct listeners *listeners, char **addresses, struct arrival arrival,
                      char error[LISTENER_ERROR_SIZE])
{
    for (char **address = addresses; *address != NULL; address++)
        if (!open_one(listeners, addresses, *address, arrival, error))
            return false;
    return true;
}

bool listeners_open(struct listeners *listeners, struct net *net, char error[LISTENER_ERROR_SIZE])
{
    *listeners = (struct listeners){.net = net, .past = listeners->past};
    acceptor_open(&listeners->acceptor, net,
                  (struct acceptor_sockets){pause_all, resume_all, listeners});
    if (net->config->listen[0] == NULL) {
        snprintf(error, LISTENER_ERROR_SIZE, "[fanout] listen names no address");
        return false;
    }
    const struct arrival pages = {0}, lines = {.speaks_lines = true};
    const struct arrival tls_pages = {.is_tls = true};
    const struct arrival tls_lines = {.speaks_lines = true, .is_tls = true};
    const struct arrival metrics = {.is_for_metrics = true};
    return net_load_tls(net, error) && open_each(listeners, net->config->listen, pages, error) &&
           open_each(listeners, net->config->listen_lines, lines, error) &&
           open_each(listeners, net->config->listen_tls, tls_pages, error) &&
           open_each(listeners, net->config->listen_lines_tls, tls_lines, error) &&
           open_each(listeners, net->config->metrics_listen, metrics, error);
}

static void stop_all(struct listeners *listeners, bool removes_files)
{
    if (listeners->net == NULL)
        return;
    acceptor_stop(&listeners->acceptor);
    for (struct listener *listener = listeners->first; listener != NULL;
         listener = listener->next) {
        if (listener->descriptor < 0)
            continue;
        uv_close((uv_handle_t *)&listener->readable, NULL);
        (void)close(listener->descriptor);
        listener->descriptor = -1;
        if (removes_files)
            listen_socket_remove(listener->address);
    }
}

void listeners_stop(struct listeners *listeners)
{
    stop_all(listeners, true);
}

void listeners_leave(struct listeners *listeners)
{
    stop_all(listeners, false);
}

static unsigned number_of(const struct listeners *listeners)
{
    unsigned count = 0;

    for (const struct listener *listener = listeners->first; listener != NULL;
         listener = listener->next)
        count += listener->descriptor >= 0;
    return count;
}

void listeners_save(const struct listeners *listeners, struct saved_writer *writer,
                    struct bytes *descriptors)
{
    saved_put(writer, number_of(listeners));
    for (const struct listener *listener = listeners->first; listener != NULL;
         listener = listener->next) {
        if (listener->descriptor < 0)
            continue;
        saved_put_text(writer, listener->address);
        saved_put(writer, use_of(listener->arrival));
        bytes_append(descriptors, &listener->descriptor, sizeof listener->descriptor);
    }
}

bool listeners_load(struct listeners *listeners, struct saved_reader *reader,
                    const int *descriptors, size_t count, size_t *taken)
{
    struct listeners_past *past = &listeners->past;

    *taken = 0;
    *past = (struct listeners_past){.count = saved_take_count(reader, 2 * sizeof(uint64_t))};
    if (past->count > count)
        return false;
    past->list = calloc(past->count + 1, sizeof *past->list);
    for (size_t i = 0; past->list != NULL && i < past->count; i++) {
        past->list[i].address = strdup(saved_take_text(reader, NULL));
        past->list[i].use = (unsigned)saved_take_within(reader, USES - 1);
        past->list[i].descriptor = descriptors[i];
        if (past->list[i].address == NULL || reader->failed)
            return false;
    }
    *taken = past->count;
    return past->list != NULL && !reader->failed;
}

void listeners_end_past(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->past.count; i++) {
        struct listener_past *past = &listeners->past.list[i];
        if (past->address == NULL)
            continue;
        message_info("not listening any more", message_text("address", past->address));
        (void)close(past->descriptor);
        listen_socket_remove(past->address);
        free(past->address);
    }
    free(listeners->past.list);
    listeners->past = (struct listeners_past){0};
}

void listeners_free(struct listeners *listeners)
{
    while (listeners->first != NULL) {
        struct listener *next = listeners->first->next;
        free(listeners->first);
        listeners->first = next;
    }
}
