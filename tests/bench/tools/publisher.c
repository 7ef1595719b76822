#include "publisher.h"

#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_SIZE = 65536, LAST_ANSWER_SIZE = 400, SOURCE_INDEX = 1000000, HELLO_LIMIT_S = 10 };

struct publisher {
    struct publisher_options options;
    struct message message;
    int poll;
    int *sockets;
    size_t next; /* socket of the next event */
    pid_t program;
    int pipe; /* to the program */
    char last_answer[LAST_ANSWER_SIZE];
};

static bool await_greeting(int fd, const struct marker *greeted)
{
    struct timeval limit = {.tv_sec = HELLO_LIMIT_S};
    char buffer[STREAM_TAIL_SIZE + 4096];
    struct stream_tail tail = {0};
    ssize_t length;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
        return false;
    do {
        length = recv(fd, buffer + STREAM_TAIL_SIZE, 4096, 0);
        if (length <= 0) {
            fprintf(stderr, "the server did not greet the publisher\n");
            return false;
        }
    } while (!stream_has(&tail, buffer + STREAM_TAIL_SIZE, (size_t)length, greeted->bytes,
                         greeted->length));
    return true;
}

static bool greet(const struct publisher_options *options, int fd)
{
    struct message hello;
    if (options->hello == NULL)
        return true;
    if (!message_load(&hello, options->hello))
        return false;
    bool ok = dial_send_all(fd, hello.data, hello.length) &&
              (options->greeted.length == 0 || await_greeting(fd, &options->greeted));
    message_free(&hello);
    return ok;
}

static bool open_socket(struct publisher *publisher, size_t place)
{
    int fd = dial_local(publisher->options.port, SOURCE_INDEX + place, DIAL_BLOCKING);
    publisher->sockets[place] = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)place};
    return fd >= 0 && greet(&publisher->options, fd) &&
           epoll_ctl(publisher->poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_sockets(struct publisher *publisher)
{
    if (!message_load(&publisher->message, publisher->options.message))
        return false;
    if (!publisher->message.has_stamp) {
        fprintf(stderr, "%s has no place for a stamp\n", publisher->options.message);
        return false;
    }
    publisher->poll = epoll_create1(EPOLL_CLOEXEC);
    publisher->sockets = malloc(publisher->options.connections * sizeof *publisher->sockets);
    if (publisher->poll < 0 || publisher->sockets == NULL)
        return false;
    for (size_t i = 0; i < publisher->options.connections; i++)
        publisher->sockets[i] = -1;
    for (size_t i = 0; i < publisher->options.connections; i++)
        if (!open_socket(publisher, i))
            return false;
    return true;
}

static _Noreturn void run_program(const char *command, int input, int output)
{
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    perror(command);
    _exit(127);
}

/* The program writes one line when it can publish. */
static bool start_program(struct publisher *publisher)
{
    int to_program[2], from_program[2];
    if (pipe2(to_program, O_CLOEXEC) != 0)
        return false;
    if (pipe2(from_program, O_CLOEXEC) != 0) {
        close(to_program[0]);
        close(to_program[1]);
        return false;
    }
    publisher->program = fork();
    if (publisher->program == 0)
        run_program(publisher->options.command, to_program[0], from_program[1]);
    close(to_program[0]);
    close(from_program[1]);
    publisher->pipe = to_program[1];
    char ready[64];
    ssize_t length = publisher->program < 0 ? -1 : read(from_program[0], ready, sizeof ready);
    close(from_program[0]);
    if (length <= 0)
        fprintf(stderr, "the publishing program did not start: %s\n", publisher->options.command);
    return length > 0;
}

struct publisher *publisher_open(const struct publisher_options *options)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return NULL;
    publisher->options = *options;
    publisher->poll = publisher->pipe = -1;
    bool ok = options->command != NULL ? start_program(publisher)
                                       : options->message == NULL || open_sockets(publisher);
    if (!ok)
        (void)publisher_close(&publisher);
    return publisher;
}

static bool end_program(struct publisher *publisher)
{
    int status;
    if (publisher->pipe >= 0)
        close(publisher->pipe);
    if (publisher->program <= 0)
        return true;
    while (waitpid(publisher->program, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "the publishing program failed: %s\n", publisher->options.command);
    return false;
}

bool publisher_close(struct publisher **publisher)
{
    struct publisher *gone = *publisher;
    if (gone == NULL)
        return true;
    bool ok = end_program(gone);
    for (size_t i = 0; gone->sockets != NULL && i < gone->options.connections; i++)
        if (gone->sockets[i] >= 0)
            dial_abort(gone->sockets[i]);
    if (gone->poll >= 0)
        close(gone->poll);
    free(gone->sockets);
    message_free(&gone->message);
    free(gone);
    *publisher = NULL;
    return ok;
}

bool publisher_send(struct publisher *publisher, const struct stamp *stamp)
{
    if (publisher->pipe >= 0) {
        /* Shorter than PIPE_BUF, so it is written whole or not at all. */
        if (write(publisher->pipe, stamp, sizeof *stamp) == (ssize_t)sizeof *stamp)
            return true;
        perror("pipe to the publishing program");
        return false;
    }
    size_t place = publisher->next;
    publisher->next = (place + 1) % publisher->options.connections;
    message_set_stamp(&publisher->message, stamp);
    return (publisher->sockets[place] >= 0 || open_socket(publisher, place)) &&
           dial_send_all(publisher->sockets[place], publisher->message.data,
                         publisher->message.length);
}

int publisher_descriptor(const struct publisher *publisher)
{
    return publisher->poll;
}

void publisher_read_answers(struct publisher *publisher)
{
    static char answer[ANSWER_SIZE];
    struct epoll_event events[64];
    int count = epoll_wait(publisher->poll, events, 64, 0);
    for (int i = 0; i < count; i++) {
        size_t place = events[i].data.u32;
        ssize_t length = recv(publisher->sockets[place], answer, sizeof answer, MSG_DONTWAIT);
        if (length > 0) {
            size_t kept = (size_t)length < LAST_ANSWER_SIZE ? (size_t)length : LAST_ANSWER_SIZE - 1;
            memcpy(publisher->last_answer, answer, kept);
            publisher->last_answer[kept] = '\0';
        } else if (length == 0 || errno != EAGAIN) {
            close(publisher->sockets[place]);
            publisher->sockets[place] = -1; /* opened anew for its next event */
        }
    }
}

const char *publisher_last_answer(const struct publisher *publisher)
{
    return publisher->last_answer;
}
