#include "message_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* there is something to write, or the end has come */
    pthread_cond_t empty; /* all is written */
    pid_t process;        /* in which the thread runs; 0: none */
    char *ring;
    size_t room, start, used;
    uint64_t lost;
    bool writing, ending;
    struct message_writer_words words;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct timespec after_ms(unsigned milliseconds)
{
    struct timespec at = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += milliseconds / 1000;
    at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void write_whole(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written < 0 && errno == EAGAIN) /* whoever shares it made it so */
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        else if (written < 0 && errno != EINTR)
            return; /* a log that cannot be written has nowhere to say so */
        if (written > 0) {
            line += written;
            length -= (size_t)written;
        }
    }
}

/* One at a time: a line of up to PIPE_BUF bytes is not torn by another process's. */
static size_t take_line(char line[MESSAGE_LINE_LIMIT])
{
    size_t length = 0;

    while (writer.used > 0 && length < MESSAGE_LINE_LIMIT) {
        char byte = writer.ring[writer.start];
        writer.start = (writer.start + 1) % writer.room;
        writer.used--;
        line[length++] = byte;
        if (byte == '\n')
            break;
    }
    return length;
}

/* The next line, which is how many were lost when the ring has run empty; 0: none. */
static size_t take_next(char line[MESSAGE_LINE_LIMIT])
{
    uint64_t lost = writer.lost;

    if (writer.used > 0)
        return take_line(line);
    writer.lost = 0;
    return lost > 0 ? writer.words.lost(line, lost) : 0;
}

static void wait_for_more(void)
{
    struct timespec until = after_ms(MESSAGE_WRITER_IDLE_MS);

    (void)pthread_cond_signal(&writer.empty);
    if (writer.ending || pthread_cond_timedwait(&writer.wake, &writer.lock, &until) != ETIMEDOUT)
        return;
    (void)pthread_mutex_unlock(&writer.lock);
    writer.words.idle();
    (void)pthread_mutex_lock(&writer.lock);
}

static void *run(void *context)
{
    char line[MESSAGE_LINE_LIMIT];

    (void)pthread_mutex_lock(&writer.lock);
    for (;;) {
        size_t length = take_next(line);
        if (length == 0 && writer.ending)
            break;
        if (length == 0) {
            wait_for_more();
            continue;
        }
        writer.writing = true;
        (void)pthread_mutex_unlock(&writer.lock);
        write_whole(line, length);
        (void)pthread_mutex_lock(&writer.lock);
        writer.writing = false;
    }
    (void)pthread_cond_signal(&writer.empty);
    (void)pthread_mutex_unlock(&writer.lock);
    return context;
}

/* Signals are the business of other threads. */
static bool start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool started = pthread_create(&thread, NULL, run, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started && pthread_detach(thread) == 0;
}

static bool make_conditions(void)
{
    pthread_condattr_t by_monotonic;

    if (pthread_condattr_init(&by_monotonic) != 0)
        return false;
    bool made = pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&writer.wake, &by_monotonic) == 0 &&
                pthread_cond_init(&writer.empty, &by_monotonic) == 0;
    (void)pthread_condattr_destroy(&by_monotonic);
    return made;
}

bool message_writer_start(size_t room, const struct message_writer_words *words)
{
    if (writer.process == getpid())
        return true;
    (void)pthread_mutex_lock(&writer.lock);
    free(writer.ring);
    writer.ring = malloc(room);
    writer.room = room;
    writer.start = writer.used = 0;
    writer.lost = 0;
    writer.writing = writer.ending = false;
    writer.words = *words;
    writer.process = writer.ring != NULL && make_conditions() && start_thread() ? getpid() : 0;
    (void)pthread_mutex_unlock(&writer.lock);
    return writer.process != 0;
}

static void put(const char *line, size_t length)
{
    size_t end = (writer.start + writer.used) % writer.room;
    size_t first = writer.room - end < length ? writer.room - end : length;

    memcpy(writer.ring + end, line, first);
    memcpy(writer.ring, line + first, length - first);
    writer.used += length;
}

bool message_writer_add(const char *line, size_t length)
{
    if (writer.process == 0 || writer.process != getpid())
        return false;
    (void)pthread_mutex_lock(&writer.lock);
    /* Once one is lost all are until the ring is empty: the count stands where they were. */
    if (writer.lost > 0 || writer.room - writer.used < length)
        writer.lost++;
    else
        put(line, length);
    (void)pthread_cond_signal(&writer.wake);
    (void)pthread_mutex_unlock(&writer.lock);
    return true;
}

void message_writer_stop(unsigned most_ms)
{
    struct timespec until = after_ms(most_ms);

    if (writer.process != getpid())
        return;
    (void)pthread_mutex_lock(&writer.lock);
    writer.ending = true;
    (void)pthread_cond_signal(&writer.wake);
    while (writer.used > 0 || writer.lost > 0 || writer.writing)
        if (pthread_cond_timedwait(&writer.empty, &writer.lock, &until) != 0)
            break;
    writer.process = 0;
    (void)pthread_mutex_unlock(&writer.lock);
}
