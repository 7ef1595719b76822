#include "messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_LIMIT = 4096 };

struct log_line {
    char text[LINE_LIMIT]; /* the last byte is kept for the newline */
    size_t length;
    bool cut;
};

static const char *log_program = "es-web-notify";
static enum message_level log_lowest = MESSAGE_LEVEL_INFO;
static bool log_has_priority;

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
    size_t room = LINE_LIMIT - 1 - line->length;
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

static void line_send(struct log_line *line)
{
    static const char mark[] = "...";
    if (line->cut)
        memcpy(line->text + line->length - (sizeof mark - 1), mark, sizeof mark - 1);
    line->text[line->length++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    while (write(STDERR_FILENO, line->text, line->length) < 0 && errno == EINTR)
        continue;
}

void message_write(enum message_level level, const char *message, ...)
{
    if (level > log_lowest)
        return;
    int saved_errno = errno;
    struct log_line line;
    line.length = 0;
    line.cut = false;
    line_begin(&line, level);
    line_add_escaped(&line, message, false);

    va_list fields;
    va_start(fields, message);
    for (;;) {
        struct message_field field = va_arg(fields, struct message_field);
        if (field.key == NULL)
            break;
        line_add_field(&line, &field);
    }
    va_end(fields);
    line_send(&line);
    errno = saved_errno;
}
