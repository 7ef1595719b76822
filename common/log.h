/* One line per happening: time, level, program, message, then key=value fields.
 * Lines go to standard error; when that is the systemd journal (JOURNAL_STREAM, systemd.exec(5)) or the
 * destination is set to it, each line starts with the <N> priority prefix of sd-daemon(3) and has no time.
 *
 *     log_warning("worker ended, starting another", log_number("pid", pid), log_number("status", st));
 *
 * Values are quoted and escaped when they hold anything but printable ASCII without blanks, '"' and '='. */
#ifndef ESN_LOG_H
#define ESN_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_destination { LOG_TO_STDERR, LOG_TO_JOURNAL };

struct log_field {
    const char *key; /* NULL ends the list */
    const char *text; /* NULL: the value is `number` */
    int64_t number;
};

/* Sets program name (kept, not copied), lowest level written and destination for the whole process.
 * LOG_TO_STDERR still uses the journal's prefix when standard error is the journal's own stream. */
void log_configure(const char *program, enum log_level level, enum log_destination destination);
enum log_level log_current_level(void);

struct log_field log_text(const char *key, const char *value); /* a NULL value is written as "-" */
struct log_field log_number(const char *key, int64_t value);
struct log_field log_error_code(int error); /* field error="strerror text" */

/* Writes one line (one write(2), at most 4 KiB, cut beyond). Fields end with a {NULL} field: use the macros. */
void log_write(enum log_level level, const char *message, ...);

#define LOG_END ((struct log_field){0})
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__, LOG_END)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_current_level() >= LOG_LEVEL_DEBUG)                                                \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END);                                      \
    } while (0)

#endif
