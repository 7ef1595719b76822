#include "metrics_port.h"

#include "address_range.h"
#include "bytes.h"
#include "clock.h"
#include "exposition.h"
#include "handler_counters.h"
#include "messages.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_SIZE = 8192, CLIENT_MS = 5000, LINGER_MS = 1000 };

struct metrics_port {
    struct metrics_port_options options;
    pthread_t thread;
    int ending; /* an eventfd(2), readable when it is time to end */
};

/* ---- one client ---- */

static bool wait_for(int descriptor, short what, uint64_t deadline)
{
    struct pollfd source = {.fd = descriptor, .events = what};
    uint64_t now = clock_monotonic_ms();
    return now < deadline && poll(&source, 1, (int)(deadline - now)) == 1;
}

/* A head of HTTP/1.x, NUL-terminated. */
static bool read_head(int client, char head[HEAD_SIZE], uint64_t deadline)
{
    size_t length = 0;
    while (length < HEAD_SIZE - 1 && wait_for(client, POLLIN, deadline)) {
        ssize_t got = recv(client, head + length, HEAD_SIZE - 1 - length, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        length += (size_t)got;
        head[length] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static void send_all(int client, const struct bytes *out, uint64_t deadline)
{
    size_t sent = 0;
    while (sent < out->length && wait_for(client, POLLOUT, deadline)) {
        ssize_t part =
            send(client, out->data + sent, out->length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (part < 0 && errno != EAGAIN)
            return;
        sent += part > 0 ? (size_t)part : 0;
    }
}

static void send_answer(int client, const char *status, const char *type, const struct bytes *body,
                        uint64_t deadline)
{
    struct bytes out = BYTES_EMPTY;
    bytes_append_format(&out,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                        "Connection: close\r\n\r\n",
                        status, type, body->length);
    bytes_append(&out, body->data, body->length);
    if (!out.failed && !body->failed)
        send_all(client, &out, deadline);
    bytes_free(&out);
}

static void send_error(int client, const char *status, const char *reason, uint64_t deadline)
{
    struct bytes body = BYTES_EMPTY;
    bytes_append_format(&body, "{\"error\":\"%s\"}\n", reason);
    send_answer(client, status, "application/json", &body, deadline);
    bytes_free(&body);
}

/* The value of the first Accept field, cut out of the head; NULL: there is none. */
static const char *find_accept(char *head)
{
    for (char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "accept:", 7) != 0)
            continue;
        char *value = line + 9;
        value[strcspn(value, "\r\n")] = '\0';
        return value;
    }
    return NULL;
}

static void send_metrics(const struct metrics_port *port, int client, char *head, uint64_t deadline)
{
    const struct metrics_port_options *options = &port->options;
    struct bytes body = BYTES_EMPTY;
    struct exposition out = {.out = &body, .format = exposition_choose(find_accept(head))};
    handler_counters_write(&out, options->handler, options->workers, options->publishes);
    exposition_end(&out);
    send_answer(client, "200 OK", exposition_content_type(out.format), &body, deadline);
    bytes_free(&body);
}

static bool asks_for(const char *head, const char *path)
{
    size_t length = strlen(path);
    return strncmp(head, "GET ", 4) == 0 && strncmp(head + 4, path, length) == 0 &&
           strchr(" ?", head[4 + length]) != NULL;
}

static void serve_client(const struct metrics_port *port, int client)
{
    uint64_t deadline = clock_monotonic_ms() + CLIENT_MS;
    char head[HEAD_SIZE];
    if (!read_head(client, head, deadline))
        send_error(client, "400 Bad Request", "No request came in time", deadline + CLIENT_MS);
    else if (asks_for(head, "/metrics"))
        send_metrics(port, client, head, deadline);
    else if (strncmp(head, "GET ", 4) == 0)
        send_error(client, "404 Not Found", "Only /metrics is here", deadline);
    else
        send_error(client, "405 Method Not Allowed", "Method not allowed", deadline);
}

/* To close over what the client still sends would be a reset, which can overtake the answer. */
static void end_client(int client)
{
    uint64_t deadline = clock_monotonic_ms() + LINGER_MS;
    char unread[4096];
    (void)shutdown(client, SHUT_WR);
    while (wait_for(client, POLLIN, deadline) &&
           recv(client, unread, sizeof unread, MSG_DONTWAIT) > 0)
        continue;
    (void)close(client);
}

/* Whoever else comes is answered before anything of it is read. */
static bool may_ask(const struct metrics_port *port, const struct sockaddr_storage *peer)
{
    struct ip_address address;
    return ip_address_of_socket(&address, (const struct sockaddr *)peer) &&
           address_range_any_has(port->options.config->metrics_addresses, &address);
}

static void take_client(const struct metrics_port *port, int listener)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    int client = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
    if (client < 0) /* another worker was quicker, or it is gone */
        return;
    if (may_ask(port, &peer))
        serve_client(port, client);
    else
        send_error(client, "403 Forbidden", "This address is not in [metrics] addresses",
                   clock_monotonic_ms() + CLIENT_MS);
    end_client(client);
}

/* ---- the thread ---- */

static void *serve_port(void *context)
{
    const struct metrics_port *port = context;
    const struct listen_sockets *sockets = port->options.sockets;
    struct pollfd sources[LISTEN_MOST + 1] = {{.fd = port->ending, .events = POLLIN}};
    for (size_t i = 0; i < sockets->count; i++)
        sources[i + 1] = (struct pollfd){.fd = sockets->descriptors[i], .events = POLLIN};
    while (poll(sources, sockets->count + 1, -1) >= 0 || errno == EINTR) {
        if (sources[0].revents != 0)
            break;
        for (size_t i = 1; i <= sockets->count; i++)
            if (sources[i].revents != 0)
                take_client(port, sources[i].fd);
    }
    return NULL;
}

struct metrics_port *metrics_port_begin(const struct metrics_port_options *options)
{
    if (options->sockets->count == 0)
        return NULL;
    struct metrics_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return NULL;
    port->options = *options;
    port->ending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = port->ending < 0 ? errno : pthread_create(&port->thread, NULL, serve_port, port);
    if (error == 0)
        return port;
    message_error("cannot tell metrics", message_error_code(error));
    if (port->ending >= 0)
        (void)close(port->ending);
    free(port);
    return NULL;
}

void metrics_port_end(struct metrics_port **port)
{
    struct metrics_port *old = *port;
    if (old == NULL)
        return;
    *port = NULL;
    (void)eventfd_write(old->ending, 1);
    (void)pthread_join(old->thread, NULL);
    (void)close(old->ending);
    free(old);
}
