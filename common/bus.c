#include "bus.h"

#include "bytes.h"
#include "clock.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

/* docs/bus.md explains each of these. */
enum {
    FIRST_RECONNECT_MS = 20,
    LAST_RECONNECT_MS = 200,
    HEARTBEAT_MS = 5000,
    PEER_BACKLOG = 1024,
    CURVE_KEY_TEXT = 41,

    EVENT_HIGH_WATER = 1024, /* whole messages, each way */
    ACK_HIGH_WATER = 4096,
    LARGEST_ACK_BYTES = 1 << 20,

    WINDOW_EVENTS = 256,
    WINDOW_BYTES = 8 << 20,

    FIRST_HELLO_MS = 1,
    LAST_HELLO_MS = 20,
    FIRST_RESEND_MS = 30,
    LAST_RESEND_MS = 250
};

enum { PART_TOPIC, PART_ENVELOPE, PART_ALLOWED, PART_EVENT, EVENT_PARTS };
enum { HELLO_PARTS = PART_ENVELOPE + 1 };
enum { ACK_PUBLISHER, ACK_RECORDS, ACK_PARTS };
enum { PUBLISHER_ID_SIZE = 8 };

static const char hello_topic[] = "@hello@";

/* ---- opening sockets, both sides ---- */

enum side { SIDE_DAEMON, SIDE_HANDLER };

static bool fail(char error[BUS_ERROR_SIZE], const char *what, const char *name)
{
    snprintf(error, BUS_ERROR_SIZE, "%s %s: %s", what, name, zmq_strerror(zmq_errno()));
    return false;
}

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
    const char *host = endpoint + 6;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost:", 10) == 0 ||
           strncmp(host, "[::1]:", 6) == 0;
}

/* The engine would take over the socket file of a daemon that still runs, without a word. */
static bool is_taken(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path));
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool taken =
        connect(probe, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(probe);
    return taken;
}

static bool bind_ipc(void *socket, const char *endpoint, unsigned mode, char error[BUS_ERROR_SIZE])
{
    if (is_taken(endpoint + 6)) {
        snprintf(error, BUS_ERROR_SIZE, "cannot bind %s: another process answers on it", endpoint);
        return false;
    }
    mode_t before = umask(~(mode_t)mode & 0777);
    int result = zmq_bind(socket, endpoint);
    umask(before);
    return result == 0 || fail(error, "cannot bind", endpoint);
}

static bool attach(void *socket, const char *endpoint, enum side side, unsigned mode,
                   char error[BUS_ERROR_SIZE])
{
    if (side == SIDE_HANDLER)
        return zmq_connect(socket, endpoint) == 0 || fail(error, "cannot connect to", endpoint);
    if (is_ipc(endpoint))
        return bind_ipc(socket, endpoint, mode, error);
    return zmq_bind(socket, endpoint) == 0 || fail(error, "cannot bind", endpoint);
}

/* Options hold for the endpoints that are attached after they were set: ipc has file modes and a
 * kernel that says when the peer is gone, so only tcp gets keys and heartbeats. */
static bool prepare_for_tcp(void *socket, const struct bus_options *options, enum side side)
{
    bool ready = set_number(socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
                 set_number(socket, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_MS);
    if (!ready || options->server_public_key == NULL)
        return ready;
    if (side == SIDE_DAEMON) {
        return options->server_secret_key != NULL && set_number(socket, ZMQ_CURVE_SERVER, 1) &&
               zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, options->server_secret_key,
                              CURVE_KEY_TEXT) == 0;
    }
    char public_key[CURVE_KEY_TEXT], secret_key[CURVE_KEY_TEXT];
    ready = zmq_curve_keypair(public_key, secret_key) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, options->server_public_key,
                           CURVE_KEY_TEXT) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, sizeof public_key) == 0 &&
            zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, sizeof secret_key) == 0;
    explicit_bzero(secret_key, sizeof secret_key);
    return ready;
}

static bool check_endpoints(const char *const *endpoints, const struct bus_options *options,
                            char error[BUS_ERROR_SIZE])
{
    const char *fault = endpoints == NULL || *endpoints == NULL ? "no endpoint is given" : NULL;
    const char *name = "";
    for (; fault == NULL && *endpoints != NULL; endpoints++) {
        name = *endpoints;
        if (!is_ipc(name) && !is_tcp(name))
            fault = "is neither ipc:///path nor tcp://host:port";
        else if (is_tcp(name) && !is_loopback(name) && options->server_public_key == NULL)
            fault = "leaves this machine, which needs a CURVE key";
    }
    if (fault == NULL)
        return true;
    snprintf(error, BUS_ERROR_SIZE, "bus endpoint %s %s", name, fault);
    return false;
}

static bool attach_all(void *socket, const char *const *endpoints,
                       const struct bus_options *options, enum side side,
                       char error[BUS_ERROR_SIZE])
{
    if (!check_endpoints(endpoints, options, error))
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
            return fail(error, "cannot use the bus keys for", *at);
        prepared = true;
        if (!set_number(socket, ZMQ_IPV6, strchr(*at, '[') != NULL) ||
            !attach(socket, *at, side, options->socket_mode, error))
            return false;
    }
    return true;
}

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

/* Sockets close at once (ZMQ_LINGER 0), so ending the context does not wait. */
static void close_engine(void *context, void *one, void *two)
{
    if (one != NULL)
        zmq_close(one);
    if (two != NULL)
        zmq_close(two);
    if (context != NULL) {
        while (zmq_ctx_term(context) != 0 && zmq_errno() == EINTR)
            ;
    }
}

/* Makes the engine look at what its I/O thread has told it, such as new subscriptions; otherwise it
 * does so only about once a millisecond. The sockets' events themselves are asked for nowhere. */
static void refresh(void *socket)
{
    int events;
    size_t size = sizeof events;
    (void)zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size);
}

/* ---- messages ---- */

static void open_parts(zmq_msg_t *parts, int count)
{
    for (int i = 0; i < count; i++)
        zmq_msg_init(&parts[i]);
}

static void close_parts(zmq_msg_t *parts, int count)
{
    for (int i = 0; i < count; i++)
        zmq_msg_close(&parts[i]);
}

/* Receives one message without waiting. Number of its parts (those past `most` are dropped), 0:
 * none, -1: errno. */
static int receive(void *socket, zmq_msg_t *parts, int most)
{
    int count = 0;
    for (bool more = true; more; count++) {
        zmq_msg_t spare;
        zmq_msg_init(&spare);
        zmq_msg_t *part = count < most ? &parts[count] : &spare;
        int result;
        do {
            result = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
        } while (result < 0 && zmq_errno() == EINTR);
        more = result >= 0 && zmq_msg_more(part);
        zmq_msg_close(&spare);
        if (result < 0)
            return zmq_errno() == EAGAIN ? 0 : -1;
    }
    return count;
}

static bool send_part(void *socket, const void *data, size_t length, bool more)
{
    int result;
    do {
        result = zmq_send(socket, data, length, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    } while (result < 0 && zmq_errno() == EINTR);
    return result >= 0;
}

static void write_id(unsigned char out[PUBLISHER_ID_SIZE], uint64_t publisher)
{
    for (int i = PUBLISHER_ID_SIZE - 1; i >= 0; i--, publisher >>= 8)
        out[i] = (unsigned char)(publisher & 0xff);
}

/* ---- the daemon's side ---- */

/* What waits to be said to one publisher. */
struct answer {
    uint64_t publisher;
    struct bytes text; /* header and records */
};

struct bus_inbox {
    void *context;
    void *events;
    void *acks;
    int descriptor;
    uint64_t epoch;
    uint64_t malformed;
    zmq_msg_t parts[EVENT_PARTS];
    struct answer *answers;
    size_t answer_count;    /* in use */
    size_t answer_capacity; /* those beyond answer_count keep their memory */
};

static bool subscribe(void *socket, const char *prefix, size_t length)
{
    return zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, length) == 0;
}

static bool subscribe_topics(void *socket, const char *const *prefixes)
{
    if (prefixes == NULL || *prefixes == NULL)
        return subscribe(socket, "", 0);
    bool all = subscribe(socket, hello_topic, strlen(hello_topic));
    for (; all && *prefixes != NULL; prefixes++)
        all = subscribe(socket, *prefixes, strlen(*prefixes));
    return all;
}

static bool open_inbox(struct bus_inbox *inbox, const struct bus_options *options,
                       char error[BUS_ERROR_SIZE])
{
    inbox->context = zmq_ctx_new();
    if (inbox->context == NULL)
        return fail(error, "cannot start", "the bus");
    inbox->events =
        open_socket(inbox->context, ZMQ_SUB, EVENT_HIGH_WATER, options->max_message_bytes);
    inbox->acks = open_socket(inbox->context, ZMQ_PUB, ACK_HIGH_WATER, 0);
    size_t size = sizeof inbox->descriptor;
    if (inbox->events == NULL || inbox->acks == NULL ||
        !subscribe_topics(inbox->events, options->topic_prefixes) ||
        zmq_getsockopt(inbox->events, ZMQ_FD, &inbox->descriptor, &size) != 0)
        return fail(error, "cannot open", "the bus");
    /* Acknowledgements first: who can say hello can be answered. */
    return attach_all(inbox->acks, options->ack_endpoints, options, SIDE_DAEMON, error) &&
           attach_all(inbox->events, options->event_endpoints, options, SIDE_DAEMON, error);
}

struct bus_inbox *bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                 char error[BUS_ERROR_SIZE])
{
    struct bus_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    inbox->epoch = epoch;
    open_parts(inbox->parts, EVENT_PARTS);
    if (!open_inbox(inbox, options, error))
        bus_inbox_close(&inbox);
    return inbox;
}

void bus_inbox_close(struct bus_inbox **inbox)
{
    struct bus_inbox *old = *inbox;
    if (old == NULL)
        return;
    *inbox = NULL;
    close_parts(old->parts, EVENT_PARTS);
    close_engine(old->context, old->events, old->acks);
    for (size_t i = 0; i < old->answer_capacity; i++)
        bytes_free(&old->answers[i].text);
    free(old->answers);
    free(old);
}

int bus_inbox_descriptor(const struct bus_inbox *inbox)
{
    return inbox->descriptor;
}

uint64_t bus_inbox_malformed(const struct bus_inbox *inbox)
{
    return inbox->malformed;
}

/* The publisher sends again what a full queue or no memory kept from it. */
static void send_answer(struct bus_inbox *inbox, uint64_t publisher, const void *text,
                        size_t length)
{
    unsigned char id[PUBLISHER_ID_SIZE];
    write_id(id, publisher);
    if (send_part(inbox->acks, id, sizeof id, true))
        (void)send_part(inbox->acks, text, length, false);
}

static void answer_hello(struct bus_inbox *inbox, uint64_t publisher)
{
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, inbox->epoch);
    refresh(inbox->acks);
    send_answer(inbox, publisher, header, sizeof header);
}

static void borrow(zmq_msg_t *part, const char **data, size_t *length)
{
    *data = zmq_msg_data(part);
    *length = zmq_msg_size(part);
}

/* False when the parts are no event of this version; a hello is answered and is no event either. */
static bool read_message(struct bus_inbox *inbox, int count, struct bus_message *message)
{
    zmq_msg_t *parts = inbox->parts;
    bool known = (count == EVENT_PARTS || count == HELLO_PARTS) &&
                 envelope_read(&message->envelope, zmq_msg_data(&parts[PART_ENVELOPE]),
                               zmq_msg_size(&parts[PART_ENVELOPE]));
    if (known && count == HELLO_PARTS && message->envelope.kind == ENVELOPE_HELLO) {
        answer_hello(inbox, message->envelope.publisher);
        return false;
    }
    borrow(&parts[PART_TOPIC], &message->topic, &message->topic_length);
    borrow(&parts[PART_ALLOWED], &message->allowed, &message->allowed_length);
    borrow(&parts[PART_EVENT], &message->event, &message->event_length);
    size_t allowed = message->allowed_length;
    if (known && count == EVENT_PARTS && message->envelope.kind == ENVELOPE_EVENT &&
        message->topic_length > 0 && message->event_length > 0 &&
        (allowed == 0 || message->allowed[allowed - 1] == '\0'))
        return true;
    inbox->malformed++;
    return false;
}

int bus_inbox_next(struct bus_inbox *inbox, struct bus_message *message)
{
    for (;;) {
        /* Gives the memory of the last message back, also when none follows. */
        close_parts(inbox->parts, EVENT_PARTS);
        open_parts(inbox->parts, EVENT_PARTS);
        int count = receive(inbox->events, inbox->parts, EVENT_PARTS);
        if (count <= 0)
            return count;
        if (read_message(inbox, count, message))
            return 1;
    }
}

static struct answer *find_answer(struct bus_inbox *inbox, uint64_t publisher)
{
    for (size_t i = inbox->answer_count; i-- > 0;) {
        if (inbox->answers[i].publisher == publisher)
            return &inbox->answers[i];
    }
    if (inbox->answer_count == inbox->answer_capacity) {
        size_t capacity = inbox->answer_capacity * 2 + 8;
        struct answer *more = reallocarray(inbox->answers, capacity, sizeof *more);
        if (more == NULL)
            return NULL;
        memset(more + inbox->answer_capacity, 0,
               (capacity - inbox->answer_capacity) * sizeof *more);
        inbox->answers = more;
        inbox->answer_capacity = capacity;
    }
    struct answer *answer = &inbox->answers[inbox->answer_count++];
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, inbox->epoch);
    answer->publisher = publisher;
    bytes_append(&answer->text, header, sizeof header);
    return answer;
}

void bus_inbox_acknowledge(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack)
{
    struct answer *answer = find_answer(inbox, publisher);
    if (answer == NULL)
        return;
    unsigned char record[ACK_RECORD_SIZE];
    ack_record_write(record, ack);
    bytes_append(&answer->text, record, sizeof record);
}

void bus_inbox_flush(struct bus_inbox *inbox)
{
    for (size_t i = 0; i < inbox->answer_count; i++) {
        struct answer *answer = &inbox->answers[i];
        if (!answer->text.failed)
            send_answer(inbox, answer->publisher, answer->text.data, answer->text.length);
        bytes_clear(&answer->text);
    }
    inbox->answer_count = 0;
}

/* ---- the publisher's side ---- */

struct bus_publisher {
    void *context;
    void *events;
    void *acks;
    uint64_t id;
    uint64_t last_sequence;
    bool ready; /* an answer came, and every publish since was answered in time */
    bool down;  /* the last publish was not answered in time */
};

/* One call of bus_publish(). */
struct publication {
    struct bus_publisher *publisher;
    struct bus_event *events;
    size_t count;
    uint64_t first_sequence;
    size_t sent;     /* events before this one were sent at least once */
    size_t answered; /* in any order */
    size_t bytes_on_the_way;
    uint64_t deadline;
    zmq_msg_t body; /* one copy of the event's text for all messages that carry it */
    const char *body_source;
};

static bool open_publisher(struct bus_publisher *publisher, const struct bus_options *options,
                           char error[BUS_ERROR_SIZE])
{
    unsigned char id[PUBLISHER_ID_SIZE];
    publisher->context = zmq_ctx_new();
    if (publisher->context == NULL || !secret_random(&publisher->id, sizeof publisher->id))
        return fail(error, "cannot start", "the bus");
    write_id(id, publisher->id);
    publisher->events = open_socket(publisher->context, ZMQ_PUB, EVENT_HIGH_WATER, 0);
    publisher->acks = open_socket(publisher->context, ZMQ_SUB, ACK_HIGH_WATER, LARGEST_ACK_BYTES);
    /* Without ZMQ_IMMEDIATE, what is sent while the daemon is away would wait for it, and arrive
     * long after the caller was told that it did not. */
    if (publisher->events == NULL || publisher->acks == NULL ||
        !set_number(publisher->events, ZMQ_IMMEDIATE, 1) ||
        zmq_setsockopt(publisher->acks, ZMQ_SUBSCRIBE, id, sizeof id) != 0)
        return fail(error, "cannot open", "the bus");
    return attach_all(publisher->acks, options->ack_endpoints, options, SIDE_HANDLER, error) &&
           attach_all(publisher->events, options->event_endpoints, options, SIDE_HANDLER, error);
}

struct bus_publisher *bus_publisher_open(const struct bus_options *options,
                                         char error[BUS_ERROR_SIZE])
{
    struct bus_publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    if (!open_publisher(publisher, options, error))
        bus_publisher_close(&publisher);
    return publisher;
}

void bus_publisher_close(struct bus_publisher **publisher)
{
    struct bus_publisher *old = *publisher;
    if (old == NULL)
        return;
    *publisher = NULL;
    close_engine(old->context, old->events, old->acks);
    free(old);
}

static size_t size_of(const struct bus_event *event)
{
    return event->topic_length + ENVELOPE_SIZE + event->allowed_length + event->event_length;
}

static void take_ack(struct publication *now, const struct ack *ack, uint64_t epoch)
{
    uint64_t index = ack->sequence - now->first_sequence;
    if (index >= now->sent || now->events[index].acknowledged)
        return; /* of an earlier call, or said twice */
    struct bus_event *event = &now->events[index];
    event->acknowledged = true;
    event->epoch = epoch;
    event->ack = *ack;
    now->answered++;
    now->bytes_on_the_way -= size_of(event);
}

/* Takes the answers that are there. False when the engine failed. Any answer, of an old call too,
 * shows that the daemon hears this publisher and is heard. */
static bool take_answers(struct publication *now, bool *any)
{
    zmq_msg_t parts[ACK_PARTS];
    open_parts(parts, ACK_PARTS);
    int count;
    *any = false;
    while ((count = receive(now->publisher->acks, parts, ACK_PARTS)) > 0) {
        const void *text = zmq_msg_data(&parts[ACK_RECORDS]);
        uint64_t epoch = 0;
        int records =
            count != ACK_PARTS ? -1 : ack_count(text, zmq_msg_size(&parts[ACK_RECORDS]), &epoch);
        *any = *any || records >= 0;
        for (int i = 0; i < records; i++) {
            struct ack ack;
            if (ack_read(&ack, text, i))
                take_ack(now, &ack, epoch);
        }
    }
    close_parts(parts, ACK_PARTS);
    return count == 0;
}

/* Waits until there may be an answer, at most until `until`. False when the engine failed. */
static bool wait_for_answers(struct bus_publisher *publisher, uint64_t until)
{
    uint64_t now = clock_monotonic_ms();
    if (now >= until)
        return true;
    zmq_pollitem_t item = {.socket = publisher->acks, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, (long)(until - now)) >= 0 || zmq_errno() == EINTR;
}

static void send_hello(struct bus_publisher *publisher)
{
    unsigned char bytes[ENVELOPE_SIZE];
    struct envelope envelope = {.kind = ENVELOPE_HELLO, .publisher = publisher->id};
    envelope_write(bytes, &envelope);
    refresh(publisher->events);
    if (send_part(publisher->events, hello_topic, strlen(hello_topic), true))
        (void)send_part(publisher->events, bytes, sizeof bytes, false);
}

/* Says hello, again and again, until it is answered; false when it was not before `until`. */
static bool become_ready(struct publication *now, uint64_t until)
{
    struct bus_publisher *publisher = now->publisher;
    uint64_t pause = FIRST_HELLO_MS;
    uint64_t next = clock_monotonic_ms();
    bool answered = false;
    while (take_answers(now, &answered)) {
        uint64_t time = clock_monotonic_ms();
        if (answered || time >= until)
            break;
        if (time >= next) {
            send_hello(publisher);
            next = time + pause;
            pause = pause * 2 < LAST_HELLO_MS ? pause * 2 : LAST_HELLO_MS;
        }
        if (!wait_for_answers(publisher, next < until ? next : until))
            break;
    }
    publisher->ready = answered;
    return answered;
}

static bool prepare_body(struct publication *now, const struct bus_event *event)
{
    if (now->body_source == event->event && zmq_msg_size(&now->body) == event->event_length)
        return true;
    zmq_msg_close(&now->body);
    now->body_source = NULL;
    if (zmq_msg_init_size(&now->body, event->event_length) != 0) {
        zmq_msg_init(&now->body);
        return false;
    }
    memcpy(zmq_msg_data(&now->body), event->event, event->event_length);
    now->body_source = event->event;
    return true;
}

/* What cannot be sent is like what is lost: it is sent again later. */
static void send_event(struct publication *now, size_t index)
{
    struct bus_event *event = &now->events[index];
    void *socket = now->publisher->events;
    struct envelope envelope = {.kind = ENVELOPE_EVENT,
                                .flags = event->flags,
                                .publisher = now->publisher->id,
                                .sequence = now->first_sequence + index,
                                .whisper = event->whisper};
    memcpy(envelope.post_key, event->post_key, sizeof envelope.post_key);
    unsigned char bytes[ENVELOPE_SIZE];
    envelope_write(bytes, &envelope);
    zmq_msg_t body;
    zmq_msg_init(&body);
    if (prepare_body(now, event) && zmq_msg_copy(&body, &now->body) == 0 &&
        send_part(socket, event->topic, event->topic_length, true) &&
        send_part(socket, bytes, sizeof bytes, true) &&
        send_part(socket, event->allowed, event->allowed_length, true)) {
        int result;
        do {
            result = zmq_msg_send(&body, socket, ZMQ_DONTWAIT);
        } while (result < 0 && zmq_errno() == EINTR);
    }
    zmq_msg_close(&body);
}

/* Sends what fits into the window, which keeps one publisher's events from filling the daemon's
 * memory. */
static bool send_more(struct publication *now)
{
    size_t before = now->sent;
    while (now->sent < now->count) {
        size_t waiting = now->sent - now->answered;
        size_t size = size_of(&now->events[now->sent]);
        if (waiting > 0 &&
            (waiting >= WINDOW_EVENTS || now->bytes_on_the_way + size > WINDOW_BYTES))
            break;
        now->bytes_on_the_way += size;
        send_event(now, now->sent++);
    }
    return now->sent > before;
}

static void send_again(struct publication *now)
{
    refresh(now->publisher->events);
    for (size_t i = 0; i < now->sent; i++) {
        if (!now->events[i].acknowledged)
            send_event(now, i);
    }
}

/* True when every event was answered before the deadline. */
static bool send_all(struct publication *now)
{
    uint64_t pause = FIRST_RESEND_MS;
    uint64_t again = 0;
    bool progress = true;
    while (now->answered < now->count) {
        uint64_t time = clock_monotonic_ms();
        progress = send_more(now) || progress;
        if (progress) {
            again = time + pause;
        } else if (time >= now->deadline) {
            return false;
        } else if (time >= again) {
            send_again(now);
            pause = pause * 2 < LAST_RESEND_MS ? pause * 2 : LAST_RESEND_MS;
            again = time + pause;
        }
        size_t before = now->answered;
        bool any;
        if (!take_answers(now, &any))
            return false;
        progress = now->answered > before;
        if (!progress &&
            !wait_for_answers(now->publisher, again < now->deadline ? again : now->deadline))
            return false;
    }
    return true;
}

static bool all_taken(const struct bus_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].ack.status == ACK_OVERLOAD)
            return false;
    }
    return true;
}

bool bus_publish(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms)
{
    uint64_t start = clock_monotonic_ms();
    unsigned hello_ms = publisher->down && down_limit_ms < limit_ms ? down_limit_ms : limit_ms;
    struct publication now = {.publisher = publisher,
                              .events = events,
                              .count = count,
                              .first_sequence = publisher->last_sequence + 1,
                              .deadline = start + limit_ms};
    for (size_t i = 0; i < count; i++)
        events[i].acknowledged = false;
    publisher->last_sequence += count;
    zmq_msg_init(&now.body);
    bool answered = (publisher->ready || become_ready(&now, start + hello_ms)) && send_all(&now);
    zmq_msg_close(&now.body);
    publisher->ready = answered;
    publisher->down = !answered;
    return answered && all_taken(events, count);
}
