/* Every so many events of the log, where they are: so that what came after a sequence is found
 * without walking all that came before. */
#ifndef ESN_LOG_MARKS_H
#define ESN_LOG_MARKS_H

#include <stddef.h>
#include <stdint.h>

struct logged_event;

enum { LOG_MARKS_EVERY = 128 }; /* events */

struct log_mark;

struct log_marks {
    struct log_mark *ring; /* oldest first */
    size_t start, count, capacity;
    size_t unmarked; /* events since the newest mark */
};

/* An event was appended. Without memory it is not marked, and looking for it takes longer. */
void log_marks_note(struct log_marks *marks, const struct logged_event *event, uint64_t sequence);
/* The oldest event is forgotten. */
void log_marks_forget(struct log_marks *marks, const struct logged_event *event);
/* The newest marked event up to this sequence, or NULL when all marked ones are above. */
const struct logged_event *log_marks_find(const struct log_marks *marks, uint64_t sequence);
/* How many events are above a sequence: never too few, and too many by less than LOG_MARKS_EVERY.
 */
uint64_t log_marks_count_after(const struct log_marks *marks, uint64_t sequence);
size_t log_marks_bytes(const struct log_marks *marks);
void log_marks_free(struct log_marks *marks);

#endif
