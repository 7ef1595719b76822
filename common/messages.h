/* One line per happening: time, level, program, message, then key=value fields; or the same as a JSON object.
 * Lines go to standard error; when that is the systemd journal (JOURNAL_STREAM, systemd.exec(5)) or the
 * destination is set to it, each line starts with the <N> priority prefix of sd-daemon(3) and has no time.
 *
 *     message_warning("worker ended, starting another", message_number("pid", pid), message_number("status", st));
 *
 * Values are quoted and escaped when they hold anything but printable ASCII without blanks, '"' and '='. */
#ifndef ESN_MESSAGES_H
#define ESN_MESSAGES_H

#include "message_field.h"

#include <stdbool.h>
#include <stdint.h>

enum message_destination { MESSAGE_TO_STDERR, MESSAGE_TO_JOURNAL };

/* Sets program name (kept, not copied), lowest level written and destination for the whole process.
 * MESSAGE_TO_STDERR still uses the journal's prefix when standard error is the journal's own stream. */
void message_configure(const char *program, enum message_level level,
                       enum message_destination destination);
/* How lines look, from here on; as text in the beginning. */
void message_set_format(enum message_format format);
enum message_level message_current_level(void);
/* Of lines with the same text, so many are written at once and so many a minute; how many were left out stands in the
 * next one, as left_out=N. burst 0, as in the beginning: no limit. Nor is there one at MESSAGE_LEVEL_DEBUG. */
void message_limit(uint64_t burst, uint64_t per_minute);
/* From here on the caller of message_write() never waits for whoever reads the lines: a thread writes them, of which so
 * many bytes may wait. For this process, not for those it forks. False without memory or thread: then lines are
 * written at once, as before. */
bool message_write_in_background(uint64_t room);
/* Waits, a second at most, until all is written; before the process ends. */
void message_end_background(void);

struct message_field message_text(const char *key,
                                  const char *value); /* a NULL value is written as "-" */
struct message_field message_number(const char *key, int64_t value);
struct message_field message_error_code(int error); /* field error="strerror text" */

/* Writes one line (one write(2), at most 4 KiB, cut beyond); message is a literal. Fields end with a {NULL} field: use
 * the macros. */
void message_write(enum message_level level, const char *message, ...);
/* The same, whatever message_limit() says: the caller has limits of its own. */
void message_write_unlimited(enum message_level level, const char *message, ...);

#define MESSAGE_END ((struct message_field){0})
#define message_error(...) message_write(MESSAGE_LEVEL_ERROR, __VA_ARGS__, MESSAGE_END)
#define message_warning(...) message_write(MESSAGE_LEVEL_WARNING, __VA_ARGS__, MESSAGE_END)
#define message_info(...) message_write(MESSAGE_LEVEL_INFO, __VA_ARGS__, MESSAGE_END)
#define message_debug(...)                                                                         \
    do {                                                                                           \
        if (message_current_level() >= MESSAGE_LEVEL_DEBUG)                                        \
            message_write(MESSAGE_LEVEL_DEBUG, __VA_ARGS__, MESSAGE_END);                          \
    } while (0)

#endif
