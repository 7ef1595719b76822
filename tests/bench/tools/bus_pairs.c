/* bus_pairs two-pairs|one-pair PARTS EVENTS: what one side of a bus of ZeroMQ costs with one event in flight, as
 * the daemon waits for events and acknowledges them, and nothing else of the daemon.
 *
 * two-pairs: SUB for events and PUB for acknowledgements, as it is; one-pair: a ROUTER for both, and a
 * DEALER at the other end. PARTS: of a message of an event, 1 to 4; as it is, 4. Prints microseconds of
 * processor time an event of the process that acknowledges, its threads all counted. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { MOST_PARTS = 4, ACK_SIZE = 48, WARM_UP = 200 };

static const size_t sizes[MOST_PARTS] = {20, 56, 0,
                                         200}; /* topic, envelope, allowed users, event */

struct side {
    bool is_one_pair;
    void *in, *out; /* the same with one pair */
};

static void fail(const char *what)
{
    fprintf(stderr, "bus_pairs: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static void *open_socket(void *context, int type, const char *folder, const char *name, bool binds)
{
    char address[128];
    void *socket = zmq_socket(context, type);
    (void)snprintf(address, sizeof address, "ipc://%s/%s", folder, name);
    if (socket == NULL || (type == ZMQ_SUB && zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0) ||
        (binds ? zmq_bind(socket, address) : zmq_connect(socket, address)) != 0)
        fail(address);
    return socket;
}

static struct side open_side(bool is_one_pair, const char *folder, bool answers)
{
    void *context = zmq_ctx_new();
    struct side side = {.is_one_pair = is_one_pair};
    if (context == NULL)
        fail("context");
    if (is_one_pair) {
        side.in = side.out =
            open_socket(context, answers ? ZMQ_ROUTER : ZMQ_DEALER, folder, "both", answers);
        return side;
    }
    side.in = open_socket(context, ZMQ_SUB, folder, answers ? "events" : "acks", answers);
    side.out = open_socket(context, ZMQ_PUB, folder, answers ? "acks" : "events", answers);
    return side;
}

/* The parts of a message by which it is known; others are thrown away. */
struct taken {
    char parts[2][64];
    int lengths[2];
};

/* False: none is there. */
static bool take(void *socket, int flags, struct taken *taken)
{
    char rest[512];
    int more = 1;
    for (size_t i = 0, length = sizeof more; more != 0; i++) {
        char *part = i < 2 ? taken->parts[i] : rest;
        int size = zmq_recv(socket, part, i < 2 ? sizeof taken->parts[i] : sizeof rest, flags);
        if (size < 0)
            return false;
        if (i < 2)
            taken->lengths[i] =
                size < (int)sizeof taken->parts[i] ? size : (int)sizeof taken->parts[i];
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &length) != 0)
            fail("more");
    }
    return true;
}

static double processor_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* The event's number is its first bytes, and the acknowledgement's. */
static void acknowledge(const struct side *side, const struct taken *event)
{
    char ack[ACK_SIZE] = {0};
    bool one = side->is_one_pair;
    memcpy(ack, event->parts[one ? 1 : 0], sizeof(int));
    (void)zmq_send(side->out, one ? event->parts[0] : "12345678",
                   one ? (size_t)event->lengths[0] : 8, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(side->out, ack, sizeof ack, ZMQ_DONTWAIT);
}

/* As the daemon does: waits for the socket's descriptor and takes messages until none is left. */
static int answer(bool is_one_pair, const char *folder, int events)
{
    const struct side side = open_side(is_one_pair, folder, true);
    int descriptor, loop = epoll_create1(0), taken = 0;
    size_t length = sizeof descriptor;
    double begun = 0;
    struct taken message;
    struct epoll_event event = {.events = EPOLLIN};
    if (zmq_getsockopt(side.in, ZMQ_FD, &descriptor, &length) != 0 || loop < 0 ||
        epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("descriptor");
    for (;;) {
        while (take(side.in, ZMQ_DONTWAIT, &message)) {
            acknowledge(&side, &message);
            if (++taken == WARM_UP)
                begun = processor_us();
            if (taken == WARM_UP + events) {
                printf("%.1f\n", (processor_us() - begun) / events);
                return fflush(stdout);
            }
        }
        (void)epoll_wait(loop, &event, 1, -1);
    }
}

static void send_event(const struct side *side, int parts, int number)
{
    char bytes[276] = {0};
    size_t rest = 0;
    memcpy(bytes, &number, sizeof number);
    for (int i = parts; i < MOST_PARTS; i++)
        rest += sizes[i];
    for (int i = 0; i < parts; i++)
        (void)zmq_send(side->out, bytes, sizes[i] + (i + 1 == parts ? rest : 0),
                       ZMQ_DONTWAIT | (i + 1 < parts ? ZMQ_SNDMORE : 0));
}

/* One after the other; the first ones may be lost before the sockets know each other, so they are sent
 * again. */
static void publish(bool is_one_pair, const char *folder, int parts)
{
    const struct side side = open_side(is_one_pair, folder, false);
    struct taken ack;
    int limit = 200, answered;
    (void)zmq_setsockopt(side.in, ZMQ_RCVTIMEO, &limit, sizeof limit);
    for (int number = 1;; number++) {
        do {
            send_event(&side, parts, number);
            do {
                answered = 0;
                if (!take(side.in, 0, &ack))
                    break; /* in vain */
                memcpy(&answered, ack.parts[is_one_pair ? 0 : 1], sizeof answered);
            } while (answered != number);
        } while (answered != number);
    }
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/bus_pairs.XXXXXX", command[64];
    int parts = argc == 4 ? atoi(argv[2]) : 0, events = argc == 4 ? atoi(argv[3]) : 0;
    if (parts < 1 || parts > MOST_PARTS || events < 1 || mkdtemp(folder) == NULL) {
        fputs("usage: bus_pairs two-pairs|one-pair PARTS EVENTS\n", stderr);
        return 2;
    }
    bool is_one_pair = strcmp(argv[1], "one-pair") == 0;
    pid_t publisher = fork();
    if (publisher == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        publish(is_one_pair, folder, parts);
    }
    int status = publisher > 0 ? answer(is_one_pair, folder, events) : 1;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? status : 1;
}
