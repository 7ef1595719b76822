/* The files of the log on disk besides what SQLite does with them: made for their owner alone, set
 * aside when they are damaged; the mark, which says how far was written, and shows when the newest
 * transactions are missing, which look to SQLite as if they had never been; and the key, by which
 * the secrets of streams are known again (stream_secrets.h). */
#ifndef ESN_LOG_FILES_H
#define ESN_LOG_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Longest path of the log, with its NUL. */
enum { LOG_FILES_PATH_SIZE = 4096, LOG_KEY_SIZE = 16 };

/* Makes the file when there is none; SQLite gives its others the same mode. False with errno. */
bool log_files_make(const char *path);
/* Moves the file and its companions out of the way and says so in the log; nothing is deleted.
 * False with errno. */
bool log_files_set_aside(const char *path);

/* Opens or makes the mark beside the file; its descriptor, or -1 with errno. */
int log_mark_open(const char *path);
/* It is a check only: without it everything goes on. */
void log_mark_write(int mark, uint64_t epoch, uint64_t head);
/* True when more was written once than a database holds that has this epoch and this head; epoch 0:
 * it holds nothing. */
bool log_mark_is_ahead(int mark, uint64_t epoch, uint64_t head);

/* Reads the key beside the file, or makes one when there is none or it is damaged. False with
 * errno.
 */
bool log_key_open(const char *path, unsigned char key[LOG_KEY_SIZE]);

#endif
