#include "messages.h"

#include "clock.h"
#include "message_limits.h"
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

enum { LEFT_OUT_MS = 60000, END_MS = 1000 };

struct log_line {
    char text[MESSAGE_LINE_LIMIT]; /* the last byte is kept for the newline */
    size_t length;
    bool cut;
};

static const char *log_program = "es-web-notify";
static enum message_level log_lowest = MESSAGE_LEVEL_INFO;
static bool log_has_priority;
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

static void line_add(struct log_line *line, const char *text, size_t length)
{
    size_t room = MESSAGE_LINE_LIMIT - 1 - line->length;
    if (length > room) {
        line->cut = true;
        length = room;
    }
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void line_add_text(struct log_line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

/* What a terminal or a line-by-line reader could misunderstand is written as an escape. */
static void line_add_escaped(struct log_line *line, const char *text, bool quoted)
{
    for (const char *at = text; *at != '\0' && !line->cut; at++) {
        unsigned char byte = (unsigned char)*at;
        char escape[5] = {'\\', 0, 0, 0, 0};
        if (byte == '\n')
            escape[1] = 'n';
        else if (byte == '\r')
            escape[1] = 'r';
        else if (byte == '\t')
            escape[1] = 't';
        else if (quoted && (byte == '"' || byte == '\\'))
            escape[1] = *at;
        else if (byte < 0x20 || byte >= 0x7f)
            (void)snprintf(escape, sizeof escape, "\\x%02x", byte);
        if (escape[1] != '\0')
            line_add_text(line, escape);
        else
            line_add(line, at, 1);
    }
}

static bool is_bare(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=')
            return false;
    }
    return true;
}

static void line_add_field(struct log_line *line, const struct message_field *field)
{
    line_add(line, " ", 1);
    line_add_text(line, field->key);
    line_add(line, "=", 1);
    if (field->text == NULL) {
        char number[24];
        (void)snprintf(number, sizeof number, "%" PRId64, field->number);
        line_add_text(line, number);
    } else if (is_bare(field->text)) {
        line_add_text(line, field->text);
    } else {
        line_add(line, "\"", 1);
        line_add_escaped(line, field->text, true);
        line_add(line, "\"", 1);
    }
}

static void line_begin(struct log_line *line, enum message_level level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    if (log_has_priority) {
        line_add_text(line, priorities[level]);
    } else {
        struct timespec now = {0};
        struct tm date = {0};
        char day[32], time[64];
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &date);
        (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &date);
        (void)snprintf(time, sizeof time, "%s.%03ldZ ", day, now.tv_nsec / 1000000);
        line_add_text(line, time);
    }
    line_add_text(line, names[level]);
    line_add(line, " ", 1);
    line_add_text(line, log_program);
    line_add(line, ": ", 2);
}

static size_t line_end(struct log_line *line)
{
    static const char mark[] = "...";
    if (line->cut)
        memcpy(line->text + line->length - (sizeof mark - 1), mark, sizeof mark - 1);
    line->text[line->length++] = '\n';
    return line->length;
}

static void line_send(struct log_line *line)
{
    size_t length = line_end(line);
    if (message_writer_add(line->text, length))
        return;
    /* A log that cannot be written has nowhere to say so. */
    while (write(STDERR_FILENO, line->text, length) < 0 && errno == EINTR)
        continue;
}

static void line_make(struct log_line *line, enum message_level level, const char *message)
{
    line->length = 0;
    line->cut = false;
    line_begin(line, level);
    line_add_escaped(line, message, false);
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
    struct log_line line;
    const struct message_field lines = message_number("lines", (int64_t)count);
    line_make(&line, MESSAGE_LEVEL_WARNING, "lines lost: nobody took them in time");
    line_add_field(&line, &lines);
    size_t length = line_end(&line);
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
    struct log_line line;
    const struct message_field lines = message_number("left_out", (int64_t)count);
    line_make(&line, MESSAGE_LEVEL_INFO, message);
    line_add_field(&line, &lines);
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

void message_write(enum message_level level, const char *message, ...)
{
    uint64_t left_out;
    if (level > log_lowest || !is_admitted(level, message, &left_out))
        return;
    int saved_errno = errno;
    struct log_line line;
    line_make(&line, level, message);

    va_list fields;
    va_start(fields, message);
    for (;;) {
        struct message_field field = va_arg(fields, struct message_field);
        if (field.key == NULL)
            break;
        line_add_field(&line, &field);
    }
    va_end(fields);
    if (left_out > 0) {
        const struct message_field field = message_number("left_out", (int64_t)left_out);
        line_add_field(&line, &field);
    }
    line_send(&line);
    errno = saved_errno;
}
