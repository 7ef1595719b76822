#include "net/acceptor.h"

#include "config/config.h"
#include "messages.h"
#include "net/arrival.h"
#include "net/connection.h"
#include "net/proxy_opening.h"
#include "net/refused_client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, FULL_PAUSE_MS = 1000, MEMORY_PAUSE_MS = 1 };

/* ---- refusing ---- */

/* What the client has sent already is read, since closing over it would be a reset, which can
 * overtake the answer. */
static void refuse_comer(struct net *net, int descriptor, struct arrival arrival,
                         enum close_reason why, const char *words)
{
    ssize_t got = recv(descriptor, net->read_buffer, sizeof net->read_buffer, MSG_DONTWAIT);

    refused_client_answer(net, descriptor, &arrival, net->read_buffer, got > 0 ? (size_t)got : 0,
                          words);
    (void)close(descriptor);
    net->counters.closed[why]++;
    char address[IP_ADDRESS_TEXT_SIZE] = "";
    if (arrival.has_address)
        (void)ip_address_write(&arrival.address, address);
    message_debug("connection refused", message_text("reason", close_reason_name(why)),
                  message_text("address", address));
}

static void refuse_full(struct net *net, int descriptor, struct arrival arrival)
{
    net->counters.refused_full++;
    refuse_comer(net, descriptor, arrival, CLOSE_FULL, "Too many connections");
}

/* ---- pausing ---- */

static void on_acceptor_timer(uv_timer_t *timer);

static void pause_for(struct acceptor *acceptor, uint64_t milliseconds)
{
    acceptor->paused = true;
    acceptor->sockets.pause(acceptor->sockets.context);
    (void)uv_timer_start(&acceptor->timer, on_acceptor_timer, milliseconds, 0);
}

/* Said once, and once more when it is over: a flood of connects shall not be one of the log. */
static void tell_full(struct acceptor *acceptor, int error)
{
    if (trouble_note(&acceptor->full, true) == TROUBLE_BEGINS)
        message_warning("no descriptors left: new connections wait or are refused",
                        message_error_code(error),
                        message_number("connections", (int64_t)acceptor->net->connections));
}

/* Behind a proxy nobody else would say it: the proxy has a connection, and its clients a 503. */
static void tell_table_full(struct acceptor *acceptor)
{
    const struct net *net = acceptor->net;

    if (trouble_note(&acceptor->full, true) == TROUBLE_BEGINS)
        message_warning("max_connections is reached: new connections are refused",
                        message_number("connections", (int64_t)net->connections),
                        message_number("max_connections", (int64_t)net->max_connections));
    acceptor->turned_away++;
    if (!acceptor->paused)
        (void)uv_timer_start(&acceptor->timer, on_acceptor_timer, FULL_PAUSE_MS, 0);
}

/* The spare descriptor lets those that wait now be told. */
static void turn_away(struct acceptor *acceptor, int listening, struct arrival arrival, int error)
{
    tell_full(acceptor, error);
    for (int i = 0; i < BATCH; i++) {
        if (acceptor->spare >= 0)
            (void)close(acceptor->spare);
        int descriptor = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            refuse_full(acceptor->net, descriptor, arrival);
            acceptor->turned_away++;
        }
        acceptor->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (descriptor < 0 || acceptor->spare < 0)
            break;
    }
    pause_for(acceptor, FULL_PAUSE_MS);
}

/* ---- taking ---- */

static void wait_for_memory(struct acceptor *acceptor)
{
    if (trouble_note(&acceptor->starved, true) == TROUBLE_BEGINS)
        message_error("no memory to accept connections", message_error_code(ENOMEM));
    pause_for(acceptor, MEMORY_PAUSE_MS);
}

static void hold_comer(struct acceptor *acceptor, int descriptor, struct arrival arrival)
{
    acceptor->held = descriptor;
    acceptor->held_arrival = arrival;
    wait_for_memory(acceptor);
}

/* Who is no trusted proxy has nothing to say for others. */
static void refuse_stranger(struct net *net, int descriptor, struct arrival arrival)
{
    char address[IP_ADDRESS_TEXT_SIZE] = "";

    if (arrival.has_address)
        (void)ip_address_write(&arrival.address, address);
    message_warning("a connection for [fanout] proxy_protocol is of none of trusted_proxies",
                    message_text("address", address));
    (void)close(descriptor);
    net->counters.closed[CLOSE_REFUSED]++;
}

static bool open_comer(struct net *net, int descriptor, struct arrival arrival,
                       struct counted_address *counted)
{
    return arrival.says_for_whom ? proxy_opening_begin(net, descriptor, arrival)
                                 : connection_open(net, descriptor, arrival, counted) != NULL;
}

static void admit_comer(struct acceptor *acceptor, int descriptor, struct arrival arrival)
{
    struct net *net = acceptor->net;
    struct counted_address *counted = NULL;

    arrival.is_kept_place = net->connections >= net->max_connections;
    if (arrival.is_kept_place)
        tell_table_full(acceptor);
    if (arrival.is_kept_place &&
        (arrival.speaks_lines || net->connections >= net->max_connections + NET_KEPT_PLACES)) {
        refuse_full(net, descriptor, arrival);
        return;
    }
    if (arrival.says_for_whom && !arrival.is_trusted) {
        refuse_stranger(net, descriptor, arrival);
        return;
    }
    enum address_verdict verdict = arrival_enter(&arrival, net, &counted);
    if (verdict == ADDRESS_HAS_MOST) {
        refuse_comer(net, descriptor, arrival, CLOSE_ADDRESS,
                     "Too many connections from this address");
    } else if (verdict == ADDRESS_NO_MEMORY || !open_comer(net, descriptor, arrival, counted)) {
        address_limits_leave(&net->addresses, loop_now(&net->loop), &counted);
        hold_comer(acceptor, descriptor, arrival);
    } else {
        (void)trouble_note(&acceptor->starved, false);
    }
}

void acceptor_take(struct acceptor *acceptor, int listening, struct arrival arrival)
{
    for (int i = 0; i < BATCH && !acceptor->paused; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int descriptor =
            accept4(listening, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            arrival.has_address =
                ip_address_of_socket(&arrival.address, (const struct sockaddr *)&peer);
            arrival_look(&arrival, acceptor->net);
            acceptor->net->counters.accepted++;
            loop_count_client(&acceptor->net->loop);
            admit_comer(acceptor, descriptor, arrival);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE) {
            turn_away(acceptor, listening, arrival, errno);
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            wait_for_memory(acceptor);
        } /* else that one is gone already (accept(2)) */
    }
}

static void take_held(struct acceptor *acceptor)
{
    int descriptor = acceptor->held;

    acceptor->held = -1;
    if (descriptor >= 0)
        admit_comer(acceptor, descriptor, acceptor->held_arrival);
}

static void resume_accepting(struct acceptor *acceptor)
{
    acceptor->paused = false;
    take_held(acceptor);
    if (acceptor->paused)
        return;
    acceptor->sockets.resume(acceptor->sockets.context);
    if (trouble_is_on(&acceptor->full))
        (void)uv_timer_start(&acceptor->timer, on_acceptor_timer, FULL_PAUSE_MS, 0);
}

static void on_acceptor_timer(uv_timer_t *timer)
{
    struct acceptor *acceptor = timer->data;

    if (acceptor->paused) {
        resume_accepting(acceptor);
        return;
    }
    /* Accepting has worked for as long as the pause was. */
    message_info("connections are accepted again",
                 message_number("refused", (int64_t)acceptor->turned_away));
    (void)trouble_note(&acceptor->full, false);
    acceptor->turned_away = 0;
}

void acceptor_open(struct acceptor *acceptor, struct net *net, struct acceptor_sockets sockets)
{
    *acceptor = (struct acceptor){.net = net, .sockets = sockets, .held = -1};
    acceptor->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    acceptor->timer.data = acceptor;
    (void)uv_timer_init(&net->loop.uv, &acceptor->timer); /* cannot fail */
}

void acceptor_stop(struct acceptor *acceptor)
{
    if (uv_is_closing((const uv_handle_t *)&acceptor->timer))
        return;
    if (acceptor->held >= 0)
        (void)close(acceptor->held);
    if (acceptor->spare >= 0)
        (void)close(acceptor->spare);
    uv_close((uv_handle_t *)&acceptor->timer, NULL);
}
