#include "upgrade/channel.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static bool fail(char error[CHANNEL_ERROR_SIZE], const char *doing, const char *why)
{
    (void)snprintf(error, CHANNEL_ERROR_SIZE, "%s: %s", doing, why);
    return false;
}

bool channel_open(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

static bool await(int channel, short what, uint64_t deadline, const char *doing,
                  char error[CHANNEL_ERROR_SIZE])
{
    struct pollfd waits = {.fd = channel, .events = what};

    for (;;) {
        uint64_t now = clock_monotonic_ms();
        int ready = poll(&waits, 1, now < deadline ? (int)(deadline - now) : 0);
        if (ready > 0)
            return true;
        if (ready == 0)
            return fail(error, doing, "no answer in time");
        if (errno != EINTR)
            return fail(error, doing, strerror(errno));
    }
}

bool channel_is_over(int channel)
{
    struct pollfd looks = {.fd = channel};

    return poll(&looks, 1, 0) > 0 && (looks.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- sending ---- */

bool channel_send(int channel, enum channel_kind kind, const char *text, const int *descriptors,
                  size_t count, uint64_t deadline, char error[CHANNEL_ERROR_SIZE])
{
    unsigned char byte = (unsigned char)kind;
    struct iovec parts[] = {{&byte, 1}, {(char *)(uintptr_t)text, strlen(text)}};
    union {
        char bytes[CMSG_SPACE(CHANNEL_MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control = {0};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = &control.aligned;
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
    }
    while (sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return fail(error, "cannot speak with the other program", strerror(errno));
        if (!await(channel, POLLOUT, deadline, "cannot speak with the other program", error))
            return false;
    }
    return true;
}

/* ---- receiving ---- */

static void take_descriptors(struct channel_message *message, struct msghdr *from)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(from); head != NULL; head = CMSG_NXTHDR(from, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = head->cmsg_len - CMSG_LEN(0);
        if (size > sizeof message->descriptors)
            size = sizeof message->descriptors;
        memcpy(message->descriptors, CMSG_DATA(head), size);
        message->count = size / sizeof(int);
    }
}

/* The system says first that the other end closed with something unread, then what that had said. */
static bool is_first_reset(bool *was_cut)
{
    bool is_first = errno == ECONNRESET && !*was_cut;

    *was_cut = true;
    return is_first;
}

bool channel_receive(int channel, struct channel_message *message, uint64_t deadline,
                     char error[CHANNEL_ERROR_SIZE])
{
    static const char doing[] = "the other program";
    unsigned char kind = 0;
    union {
        char bytes[CMSG_SPACE(CHANNEL_MOST_DESCRIPTORS * sizeof(int))];
        struct cmsghdr aligned;
    } control;
    struct iovec parts[] = {{&kind, 1}, {message->text, sizeof message->text - 1}};
    struct msghdr from = {.msg_iov = parts,
                          .msg_iovlen = 2,
                          .msg_control = &control,
                          .msg_controllen = sizeof control};
    ssize_t length;
    bool was_cut = false;

    message->kind = (enum channel_kind)0;
    message->count = 0;
    do {
        if (!await(channel, POLLIN, deadline, doing, error))
            return false;
        length = recvmsg(channel, &from, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (length < 0 && (errno == EAGAIN || errno == EINTR || is_first_reset(&was_cut)));
    if (length < 0)
        return fail(error, doing, strerror(errno));
    take_descriptors(message, &from);
    if (length == 0)
        return fail(error, doing, "it ended without a word");
    if ((from.msg_flags & MSG_CTRUNC) != 0)
        return fail(error, doing, "descriptors were lost, there may be too many of them");
    message->kind = (enum channel_kind)kind;
    message->text[length - 1] = '\0';
    return true;
}

static void quote(const struct channel_message *message, char error[CHANNEL_ERROR_SIZE])
{
    (void)snprintf(error, CHANNEL_ERROR_SIZE, "%.*s", CHANNEL_ERROR_SIZE - 1, message->text);
}

bool channel_await(int channel, enum channel_kind kind, struct channel_message *message,
                   uint64_t deadline, char error[CHANNEL_ERROR_SIZE])
{
    if (!channel_receive(channel, message, deadline, error))
        return false;
    if (message->kind == kind)
        return true;
    while (message->count > 0)
        (void)close(message->descriptors[--message->count]);
    if (message->kind == CHANNEL_REFUSAL)
        quote(message, error);
    else
        (void)fail(error, "the other program", "it says something else");
    return false;
}

bool channel_hear_refusal(int channel, struct channel_message *message)
{
    char ignored[CHANNEL_ERROR_SIZE];

    while (channel_receive(channel, message, clock_monotonic_ms(), ignored))
        if (message->kind == CHANNEL_REFUSAL)
            return true;
    return false;
}

/* ---- the state ---- */

/* -1 with a sentence in error. */
static int make_file(const struct bytes *state, char error[CHANNEL_ERROR_SIZE])
{
    int file = memfd_create("esn-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t written = 0;

    while (file >= 0 && written < state->length) {
        ssize_t count = write(file, state->data + written, state->length - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        written += (size_t)count;
    }
    if (file >= 0 && written == state->length &&
        fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return file;
    (void)fail(error, "cannot write the state", strerror(errno));
    if (file >= 0)
        (void)close(file);
    return -1;
}

static bool send_descriptors(int channel, const int *list, size_t count, uint64_t deadline,
                             char error[CHANNEL_ERROR_SIZE])
{
    for (size_t sent = 0; sent < count;) {
        size_t left = count - sent;
        size_t now = left < CHANNEL_MOST_DESCRIPTORS ? left : CHANNEL_MOST_DESCRIPTORS;
        if (!channel_send(channel, CHANNEL_DESCRIPTORS, "", list + sent, now, deadline, error))
            return false;
        sent += now;
    }
    return true;
}

bool channel_send_state(int channel, struct bytes *state, const struct bytes *descriptors,
                        struct channel_message *message, uint64_t deadline,
                        char error[CHANNEL_ERROR_SIZE])
{
    size_t count = descriptors->length / sizeof(int);
    char text[32];
    int file = make_file(state, error);

    bytes_free(state);
    if (file < 0)
        return false;
    (void)snprintf(text, sizeof text, "%zu", count);
    bool sent = channel_send(channel, CHANNEL_STATE, text, &file, 1, deadline, error) &&
                send_descriptors(channel, (const int *)(const void *)descriptors->data, count,
                                 deadline, error);
    (void)close(file);
    if (!sent && channel_hear_refusal(channel, message))
        quote(message, error);
    return sent;
}

bool channel_send_ahead(int channel, const struct bytes *part, struct channel_message *message,
                        char error[CHANNEL_ERROR_SIZE])
{
    int file = make_file(part, error);

    if (file < 0)
        return false;
    bool sent = channel_send(channel, CHANNEL_AHEAD, "", &file, 1, clock_monotonic_ms(), error);
    (void)close(file);
    if (sent)
        return true;
    if (!channel_is_over(channel))
        error[0] = '\0'; /* it has not taken the last ones yet */
    else if (channel_hear_refusal(channel, message))
        quote(message, error);
    return false;
}
