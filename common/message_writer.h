/* Writes lines to standard error from a thread of its own, so that whoever has something to say
 * never waits for whoever reads it: a terminal that stands still, a full disk, a log shipper that
 * hangs. Lines wait in a bounded ring; those that find no room are counted, and the count is
 * written. One for the process. */
#ifndef ESN_MESSAGE_WRITER_H
#define ESN_MESSAGE_WRITER_H

#include "message_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGE_WRITER_IDLE_MS = 10000 };

struct message_writer_words {
    /* Writes the line that says how many were lost; returns its length. */
    size_t (*lost)(char line[MESSAGE_LINE_LIMIT], uint64_t count);
    /* Called now and then, outside any lock: something may be left to say. */
    void (*idle)(void);
};

/* For the process that calls it: not inherited by its children. Harmless when it runs already.
 * False without memory or thread: lines are to be written at once, as before. */
bool message_writer_start(size_t room, const struct message_writer_words *words);
/* Takes a whole line, with its newline. False when no writer runs in this process. */
bool message_writer_add(const char *line, size_t length);
/* Ends it when all is written, or so much time has passed: then the rest is lost. */
void message_writer_stop(unsigned most_ms);

#endif
