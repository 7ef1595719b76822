/* Events for the tests of the log on disk, each different in every field, and a folder for its
 * files. */
#ifndef ESN_TEST_STORED_H
#define ESN_TEST_STORED_H

#include "log/log_database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORED_EPOCH = 1234567 };

struct stored_files {
    char folder[64];
    char path[96]; /* of the log in it */
};

void stored_files_make(struct stored_files *files);
/* Deletes the folder and all files in it. */
void stored_files_remove(const struct stored_files *files);
/* Puts copies of the log's files under the path of another. */
void stored_files_copy(const struct stored_files *from, const struct stored_files *to);
/* How many files lie there whose names have this part. */
int stored_files_count(const struct stored_files *files, const char *part);
/* Reads or writes a whole file of the log, by its suffix; the bytes are the caller's to free. */
char *stored_files_read(const struct stored_files *files, const char *suffix, size_t *length);
void stored_files_write(const struct stored_files *files, const char *suffix, const char *bytes,
                        size_t length);

/* The event with this sequence; its texts stay until the next call. */
const struct stored_event *stored_event_make(uint64_t sequence);
/* True when it is that event in every field. */
bool stored_event_is_made(const struct stored_event *event);

/* What a load gave, checked one by one. */
struct stored_list {
    uint64_t sequences[1024];
    size_t count;
    size_t wrong; /* events that were never written, or out of order */
};

/* For log_database_load(); context is a stored_list. */
void stored_list_visit(const struct stored_event *event, void *context);
/* Forgets those up to a sequence, as the daemon does after a load. */
void stored_list_forget(struct stored_list *list, uint64_t through);

/* Writes a log with the events 1 to count, a few a transaction. killed: as it lies there after
 * SIGKILL, most of it in the write-ahead log. */
void stored_log_write(const struct stored_files *files, uint64_t count, bool killed);
/* Reads what may be damaged, of a log that had the events 1 to count. What is wrong with what is
 * believed: an event that was not written, or events before a gap; with tail_known also when some
 * are missing and nobody would know. NULL: nothing. */
const char *stored_log_fault(const struct stored_files *files, uint64_t count, bool tail_known);

#endif
