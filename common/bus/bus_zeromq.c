#include "bus/bus_zeromq.h"

#include "listen_socket.h"
#include "net_address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* docs/bus.md gives the reasons for these numbers. */
enum {
    FIRST_RECONNECT_MS = 20,
    LAST_RECONNECT_MS = 50,
    HEARTBEAT_MS = 5000,
    PEER_BACKLOG = 1024,
    EVENT_HIGH_WATER = 1024, /* whole messages to or from one peer */
    ACK_HIGH_WATER = 4096,
    LARGEST_ACK_BYTES = 1 << 20,
    CURVE_KEY_TEXT = 40 /* characters of Z85 */
};

bool bus_zeromq_fail(char error[BUS_ERROR_SIZE], const char *what)
{
    snprintf(error, BUS_ERROR_SIZE, "%s: %s", what, zmq_strerror(zmq_errno()));
    return false;
}

static bool fail_endpoint(char error[BUS_ERROR_SIZE], const char *what, const char *endpoint)
{
    snprintf(error, BUS_ERROR_SIZE, "%s %s: %s", what, endpoint, zmq_strerror(zmq_errno()));
    return false;
}

/* ---- endpoints ---- */

static bool set_number(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool is_ipc(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0;
}

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

static bool is_loopback(const char *endpoint)
{
    struct net_address address;
    return net_address_read(&address, endpoint + sizeof "tcp://" - 1) &&
           net_address_is_loopback(address.host);
}

/* The engine would take over the socket file of a daemon that still runs, without a word. */
static bool bind_ipc(void *socket, const char *endpoint, unsigned mode, char error[BUS_ERROR_SIZE])
{
    if (listen_socket_is_answered(endpoint + 6)) {
        snprintf(error, BUS_ERROR_SIZE, "cannot bind %s: another process answers on it", endpoint);
        return false;
    }
    mode_t before = listen_socket_mask(mode);
    int result = zmq_bind(socket, endpoint);
    (void)umask(before);
    return result == 0 || fail_endpoint(error, "cannot bind", endpoint);
}

static bool attach(void *socket, const char *endpoint, enum bus_side side, unsigned mode,
                   char error[BUS_ERROR_SIZE])
{
    if (side == BUS_HANDLER)
        return zmq_connect(socket, endpoint) == 0 ||
               fail_endpoint(error, "cannot connect to", endpoint);
    if (is_ipc(endpoint))
        return bind_ipc(socket, endpoint, mode, error);
    return zmq_bind(socket, endpoint) == 0 || fail_endpoint(error, "cannot bind", endpoint);
}

/* Options hold for the endpoints that are attached after they were set: ipc has file modes and a
 * kernel that says when the peer is gone, so only tcp gets keys and heartbeats. */
static bool prepare_for_tcp(void *socket, const struct bus_options *options, enum bus_side side)
{
    bool ready = set_number(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
                 set_number(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_MS);
    if (!ready || options->server_public_key == NULL)
        return ready;
    if (side == BUS_DAEMON) {
        return set_number(socket, ZMQ_CURVE_SERVER, 1) &&
               zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, options->server_secret_key,
                              CURVE_KEY_TEXT) == 0;
    }
    char public_key[CURVE_KEY_TEXT + 1], secret_key[CURVE_KEY_TEXT + 1];
    ready = zmq_curve_keypair(public_key, secret_key) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, options->server_public_key,
                           CURVE_KEY_TEXT) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_KEY_TEXT) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, CURVE_KEY_TEXT) == 0;
    explicit_bzero(secret_key, sizeof secret_key);
    return ready;
}

bool bus_keys_are_pair(const char *public_key, const char *secret_key)
{
    char derived[CURVE_KEY_TEXT + 1];
    return zmq_curve_public(derived, secret_key) == 0 && strcmp(derived, public_key) == 0;
}

static const char *key_fault(const struct bus_options *options, enum bus_side side)
{
    const char *open = options->server_public_key;
    const char *secret = options->server_secret_key;
    if (side == BUS_DAEMON && secret == NULL)
        return "needs the secret key that goes with the public one";
    if (strlen(open) != CURVE_KEY_TEXT || (side == BUS_DAEMON && strlen(secret) != CURVE_KEY_TEXT))
        return "needs keys of 40 characters";
    return NULL;
}

static bool check_endpoints(const char *const *endpoints, const struct bus_options *options,
                            enum bus_side side, char error[BUS_ERROR_SIZE])
{
    const char *fault = endpoints == NULL || *endpoints == NULL ? "no endpoint is given" : NULL;
    const char *name = "";
    for (; fault == NULL && *endpoints != NULL; endpoints++) {
        name = *endpoints;
        if (!is_ipc(name) && !is_tcp(name))
            fault = "is neither ipc:///path nor tcp://host:port";
        else if (is_tcp(name) && !is_loopback(name) && options->server_public_key == NULL)
            fault = "leaves this machine, which needs a CURVE key";
        else if (is_tcp(name) && options->server_public_key != NULL)
            fault = key_fault(options, side);
    }
    if (fault == NULL)
        return true;
    snprintf(error, BUS_ERROR_SIZE, "bus endpoint %s %s", name, fault);
    return false;
}

static bool attach_all(void *socket, const char *const *endpoints,
                       const struct bus_options *options, enum bus_side side,
                       char error[BUS_ERROR_SIZE])
{
    if (!check_endpoints(endpoints, options, side, error))
        return false;
    for (const char *const *at = endpoints; *at != NULL; at++) {
        if (is_ipc(*at) && !attach(socket, *at, side, options->socket_mode, error))
            return false;
    }
    bool prepared = false;
    for (const char *const *at = endpoints; *at != NULL; at++) {
        if (!is_tcp(*at))
            continue;
        if (!prepared && !prepare_for_tcp(socket, options, side))
            return fail_endpoint(error, "cannot use the bus keys for", *at);
        prepared = true;
        if (!set_number(socket, ZMQ_IPV6, strchr(*at, '[') != NULL) ||
            !attach(socket, *at, side, options->socket_mode, error))
            return false;
    }
    return true;
}

/* ---- sockets ---- */

static void *open_socket(void *context, int type, int high_water, size_t largest)
{
    void *socket = zmq_socket(context, type);
    if (socket == NULL)
        return NULL;
    int64_t most = largest == 0 || largest > INT64_MAX ? -1 : (int64_t)largest;
    if (set_number(socket, ZMQ_LINGER, 0) && set_number(socket, ZMQ_SNDHWM, high_water) &&
        set_number(socket, ZMQ_RCVHWM, high_water) &&
        set_number(socket, ZMQ_BACKLOG, PEER_BACKLOG) &&
        set_number(socket, ZMQ_RECONNECT_IVL, FIRST_RECONNECT_MS) &&
        set_number(socket, ZMQ_RECONNECT_IVL_MAX, LAST_RECONNECT_MS) &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0)
        return socket;
    zmq_close(socket);
    return NULL;
}

bool bus_zeromq_open(struct bus_zeromq *zeromq, enum bus_side side,
                     const struct bus_options *options, char error[BUS_ERROR_SIZE])
{
    bool daemon = side == BUS_DAEMON;
    *zeromq = (struct bus_zeromq){.context = zmq_ctx_new()};
    if (zeromq->context == NULL)
        return bus_zeromq_fail(error, "cannot start the bus");
    zeromq->events = open_socket(zeromq->context, daemon ? ZMQ_SUB : ZMQ_PUB, EVENT_HIGH_WATER,
                                 daemon ? options->max_message_bytes : 0);
    zeromq->acks =
        open_socket(zeromq->context, daemon ? ZMQ_PUB : ZMQ_SUB, ACK_HIGH_WATER, LARGEST_ACK_BYTES);
    if (zeromq->events == NULL || zeromq->acks == NULL)
        return bus_zeromq_fail(error, "cannot open the bus");
    /* Without ZMQ_IMMEDIATE, what is sent while the daemon is away would wait for it, and arrive
     * long after the caller was told that it had not. */
    return daemon || set_number(zeromq->events, ZMQ_IMMEDIATE, 1) ||
           bus_zeromq_fail(error, "cannot prepare the bus");
}

/* Acknowledgements first: who can say hello can be answered. */
bool bus_zeromq_attach(struct bus_zeromq *zeromq, enum bus_side side,
                       const struct bus_options *options, char error[BUS_ERROR_SIZE])
{
    return attach_all(zeromq->acks, options->ack_endpoints, options, side, error) &&
           attach_all(zeromq->events, options->event_endpoints, options, side, error);
}

void bus_socket_linger(void *socket, unsigned limit_ms)
{
    (void)set_number(socket, ZMQ_LINGER, (int)limit_ms);
}

/* The sockets do not linger (ZMQ_LINGER 0) unless they were told to, so ending the context does not wait. */
void bus_zeromq_close(struct bus_zeromq *zeromq)
{
    if (zeromq->events != NULL)
        zmq_close(zeromq->events);
    if (zeromq->acks != NULL)
        zmq_close(zeromq->acks);
    if (zeromq->context != NULL) {
        while (zmq_ctx_term(zeromq->context) != 0 && zmq_errno() == EINTR)
            ;
    }
    *zeromq = (struct bus_zeromq){0};
}

bool bus_socket_subscribe(void *socket, const void *prefix, size_t length)
{
    return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, length) == 0;
}

void bus_socket_refresh(void *socket)
{
    int events;
    size_t size = sizeof events;
    (void)zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
}

/* ---- messages ---- */

void bus_parts_open(zmq_msg_t *parts, int count)
{
    for (int i = 0; i < count; i++)
        zmq_msg_init(&parts[i]);
}

void bus_parts_close(zmq_msg_t *parts, int count)
{
    for (int i = 0; i < count; i++)
        zmq_msg_close(&parts[i]);
}

/* The first part of a message may be waited for; the others have come with it. */
static int receive_part(void *socket, zmq_msg_t *part, int flags)
{
    int result = zmq_msg_recv(part, socket, flags);
    if (result >= 0)
        return 1;
    return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? 0 : -1;
}

int bus_socket_receive(void *socket, zmq_msg_t *parts, int most, unsigned wait_ms)
{
    int flags = wait_ms == 0 ? ZMQ_DONTWAIT : 0;
    if (flags == 0 && !set_number(socket, ZMQ_RCVTIMEO, wait_ms < INT_MAX ? (int)wait_ms : INT_MAX))
        return -1;
    int count = 0;
    for (bool more = true; more; count++) {
        zmq_msg_t spare;
        zmq_msg_init(&spare);
        zmq_msg_t *part = count < most ? &parts[count] : &spare;
        int result = receive_part(socket, part, flags);
        more = result > 0 && zmq_msg_more(part);
        zmq_msg_close(&spare);
        if (result <= 0)
            return result;
    }
    return count;
}

void bus_socket_send(void *socket, zmq_msg_t *parts, int count)
{
    bool going = true;
    for (int i = 0; i < count && going; i++)
        going =
            zmq_msg_send(&parts[i], socket, ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0)) >= 0;
    bus_parts_close(parts, count);
}

bool bus_part_fill(zmq_msg_t *part, const void *data, size_t length)
{
    if (zmq_msg_init_size(part, length) != 0) {
        zmq_msg_init(part);
        return false;
    }
    if (length > 0)
        memcpy(zmq_msg_data(part), data, length);
    return true;
}

void bus_publisher_id_write(unsigned char out[BUS_PUBLISHER_ID_SIZE], uint64_t publisher)
{
    for (int i = BUS_PUBLISHER_ID_SIZE - 1; i >= 0; i--, publisher >>= 8)
        out[i] = (unsigned char)(publisher & 0xff);
}
