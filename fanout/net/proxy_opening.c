#include "net/proxy_opening.h"

#include "messages.h"
#include "net/arrival.h"
#include "net/connection.h"
#include "net/proxy_header.h"
#include "net/refused_client.h"

#include <stdlib.h>
#include <string.h>

struct proxy_opening {
    struct arrival arrival;
    const struct connection_user *user; /* whose it is to be */
    size_t length;
    char bytes[PROXY_HEADER_MOST];
};

static struct proxy_opening *opening_of(const struct connection *connection)
{
    return connection->io.handle.data;
}

/* Leaves the connection counted to nobody. */
static void forget_opening(struct connection *connection)
{
    free(opening_of(connection));
    connection->io.handle.data = NULL;
    connection->opening = false;
}

/* The client's address is as good as if it had come itself; it may be another trusted proxy. */
static struct arrival client_arrival(const struct net *net, const struct arrival *proxy,
                                     const struct proxy_header *header)
{
    struct arrival arrival = *proxy;

    arrival.says_for_whom = false;
    if (header->is_proxys)
        return arrival;
    arrival.is_announced = true;
    arrival.is_tcp = true; /* who is behind the proxy opened no socket file of ours */
    arrival.has_address = header->has_address;
    arrival.address = header->address;
    arrival_look(&arrival, net);
    return arrival;
}

/* Makes it its client's. False: it was closed. */
static bool hand_over(struct connection *connection, const struct proxy_header *header,
                      const char *rest, size_t length)
{
    struct net *net = connection->net;
    const struct connection_user *user = opening_of(connection)->user;
    struct arrival arrival = client_arrival(net, &opening_of(connection)->arrival, header);
    struct counted_address *counted;

    enum address_verdict verdict = arrival_enter(&arrival, net, &counted);
    if (verdict == ADDRESS_HAS_MOST)
        refused_client_answer(net, connection->descriptor, &arrival, rest, length,
                              "Too many connections from this address");
    if (verdict != ADDRESS_ADMITTED) {
        connection_close(connection, verdict == ADDRESS_HAS_MOST ? CLOSE_ADDRESS : CLOSE_MEMORY);
        return false;
    }
    forget_opening(connection);
    connection_set_address(connection, counted);
    connection_set_arrival(connection, &arrival);
    connection->user = user;
    if (arrival.is_tls && !connection_secure(connection)) {
        connection_close(connection, CLOSE_MEMORY);
        return false;
    }
    connection_set_deadline(connection);
    return true;
}

static void refuse_opening(struct connection *connection)
{
    char address[IP_ADDRESS_TEXT_SIZE] = "";
    const struct arrival *arrival = &opening_of(connection)->arrival;

    if (arrival->has_address)
        (void)ip_address_write(&arrival->address, address);
    message_warning("a connection for [fanout] proxy_protocol does not begin as that has it",
                    message_text("address", address));
    connection_close(connection, CLOSE_REFUSED);
}

static void opening_input(struct connection *connection, const char *bytes, size_t length)
{
    struct proxy_opening *opening = opening_of(connection);
    size_t had = opening->length, room = sizeof opening->bytes - had;
    size_t kept = length < room ? length : room;
    struct proxy_header header;

    memcpy(opening->bytes + had, bytes, kept);
    opening->length += kept;
    switch (proxy_header_read(&header, opening->bytes, opening->length)) {
    case PROXY_HEADER_NEED_MORE:
        return;
    case PROXY_HEADER_COMPLETE:
        bytes += header.length - had;
        length -= header.length - had;
        if (hand_over(connection, &header, bytes, length) && length > 0)
            connection_take(connection, bytes, length);
        return;
    default:
        refuse_opening(connection);
    }
}

static uint64_t opening_deadline(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->header_time;
}

static void opening_due(struct connection *connection)
{
    connection_close(connection, CLOSE_HEAD_TIME);
}

static void opening_stop(struct connection *connection)
{
    connection_close(connection, CLOSE_STOPPING);
}

static const struct connection_user opening_user = {.input = opening_input,
                                                    .deadline = opening_deadline,
                                                    .due = opening_due,
                                                    .stop = opening_stop,
                                                    .left = forget_opening};

bool proxy_opening_begin(struct net *net, int descriptor, struct arrival arrival)
{
    struct proxy_opening *opening = calloc(1, sizeof *opening);
    struct arrival bare = arrival;

    bare.is_tls = bare.is_proxy = false; /* not yet */
    struct connection *connection =
        opening != NULL ? connection_open(net, descriptor, bare, NULL) : NULL;
    if (connection == NULL || connection->state == CONNECTION_CLOSED) {
        free(opening);
        return connection != NULL;
    }
    opening->arrival = arrival;
    opening->user = connection->user;
    connection->io.handle.data = opening;
    connection->opening = true;
    connection->user = &opening_user;
    connection_set_deadline(connection);
    return true;
}
