#include "messages.h"

#include "clock.h"
#include "message_limits.h"
#include "message_line.h"
#include "message_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LEFT_OUT_MS = 60000, END_MS = 1000, TIME_SIZE = 64 };

static const char *log_program = "es-web-notify";
static enum message_level log_lowest = MESSAGE_LEVEL_INFO;
static bool log_has_priority;
static enum message_format log_format;
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct message_limits limits; /* guarded by it */

/* True when standard error is the stream that systemd says it connected to the journal. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat file;
    uintmax_t device, inode;
    if (stream == NULL || sscanf(stream, "%ju:%ju", &device, &inode) != 2 ||
        fstat(STDERR_FILENO, &file) != 0)
        return false;
    return device == (uintmax_t)file.st_dev && inode == (uintmax_t)file.st_ino;
}

void message_configure(const char *program, enum message_level level,
                       enum message_destination destination)
{
    log_program = program;
    log_lowest = level;
    log_has_priority = destination == MESSAGE_TO_JOURNAL || stderr_is_journal();
}

void message_set_format(enum message_format format)
{
    log_format = format;
}

enum message_level message_current_level(void)
{
    return log_lowest;
}

struct message_field message_text(const char *key, const char *value)
{
    return (struct message_field){.key = key, .text = value != NULL ? value : "-"};
}

struct message_field message_number(const char *key, int64_t value)
{
    return (struct message_field){.key = key, .number = value};
}

struct message_field message_error_code(int error)
{
    return message_text("error", strerror(error));
}

/* Of now, as ISO 8601 has it; what a second has in common is made once for it. */
static void write_time(char out[TIME_SIZE])
{
    static _Thread_local char day[32];
    static _Thread_local time_t second;
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct tm date = {0};
    if (now.tv_sec != second || day[0] == '\0') {
        (void)gmtime_r(&now.tv_sec, &date);
        (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &date);
        second = now.tv_sec;
    }
    (void)snprintf(out, TIME_SIZE, "%s.%03ldZ", day, now.tv_nsec / 1000000);
}

static void line_begin(struct message_line *line, enum message_level level, const char *message)
{
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    char time[TIME_SIZE] = "";

    if (!log_has_priority)
        write_time(time);
    message_line_begin(line, log_format,
                       &(struct message_head){.level = level,
                                              .priority = log_has_priority ? priorities[level] : "",
                                              .time = time,
                                              .program = log_program,
                                              .message = message});
}

static void line_send(struct message_line *line)
{
    size_t length = message_line_end(line);
    if (message_writer_add(line->text, length))
        return;
    /* A log that cannot be written has nowhere to say so. */
    while (write(STDERR_FILENO, line->text, length) < 0 && errno == EINTR)
        continue;
}

/* ---- how many ---- */

void message_limit(uint64_t burst, uint64_t per_minute)
{
    (void)pthread_mutex_lock(&limits_lock);
    limits.burst = burst;
    limits.per_minute = per_minute;
    (void)pthread_mutex_unlock(&limits_lock);
}

/* Whoever wants to see everything does. */
static bool is_admitted(enum message_level level, const char *message, uint64_t *left_out)
{
    *left_out = 0;
    if (level == MESSAGE_LEVEL_DEBUG || log_lowest == MESSAGE_LEVEL_DEBUG)
        return true;
    (void)pthread_mutex_lock(&limits_lock);
    bool admitted = message_limits_admit(&limits, message, clock_monotonic_ms(), left_out);
    (void)pthread_mutex_unlock(&limits_lock);
    return admitted;
}

static size_t make_lost_line(char text[MESSAGE_LINE_LIMIT], uint64_t count)
{
    struct message_line line;
    const struct message_field lines = message_number("lines", (int64_t)count);
    line_begin(&line, MESSAGE_LEVEL_WARNING, "lines lost: nobody took them in time");
    message_line_add(&line, &lines);
    size_t length = message_line_end(&line);
    memcpy(text, line.text, length);
    return length;
}

/* So that a flood that has ended is told of as well. */
static void tell_left_out(void)
{
    uint64_t count = 0;
    (void)pthread_mutex_lock(&limits_lock);
    const char *message =
        message_limits_take_left_out(&limits, clock_monotonic_ms(), LEFT_OUT_MS, &count);
    (void)pthread_mutex_unlock(&limits_lock);
    if (message == NULL)
        return;
    struct message_line line;
    const struct message_field lines = message_number("left_out", (int64_t)count);
    line_begin(&line, MESSAGE_LEVEL_INFO, message);
    message_line_add(&line, &lines);
    line_send(&line);
}

bool message_write_in_background(uint64_t room)
{
    static const struct message_writer_words words = {make_lost_line, tell_left_out};
    return message_writer_start((size_t)room, &words);
}

void message_end_background(void)
{
    message_writer_stop(END_MS);
}

static void write_line(enum message_level level, const char *message, va_list fields,
                       uint64_t left_out)
{
    int saved_errno = errno;
    struct message_line line;

    line_begin(&line, level, message);
    for (;;) {
        struct message_field field = va_arg(fields, struct message_field);
        if (field.key == NULL)
            break;
        message_line_add(&line, &field);
    }
    if (left_out > 0) {
        const struct message_field field = message_number("left_out", (int64_t)left_out);
        message_line_add(&line, &field);
    }
    line_send(&line);
    errno = saved_errno;
}

void message_write(enum message_level level, const char *message, ...)
{
    uint64_t left_out;

    if (level > log_lowest || !is_admitted(level, message, &left_out))
        return;
    va_list fields;
    va_start(fields, message);
    write_line(level, message, fields, left_out);
    va_end(fields);
}

void message_write_unlimited(enum message_level level, const char *message, ...)
{
    if (level > log_lowest)
        return;
    va_list fields;
    va_start(fields, message);
    write_line(level, message, fields, 0);
    va_end(fields);
}
