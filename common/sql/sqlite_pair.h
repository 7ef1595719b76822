/* Whether a SQLite database and the "-wal" file beside it belong together. SQLite does not ask:
 * after another file was put in the database's place, the frames of the old one's -wal would be
 * laid over it (https://www.sqlite.org/howtocorrupt.html, section 2.4). Nothing in the two files
 * says it, so that the -wal is marked with the database that it was first seen with, by an extended
 * attribute, and both are watched.
 *
 * Neither the database nor "-shm" may be opened here: closing it would drop the locks that SQLite
 * has on it (POSIX, fcntl). */
#ifndef ESN_SQLITE_PAIR_H
#define ESN_SQLITE_PAIR_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define SQLITE_PAIR_FAULT                                                                          \
    "another file was put in the database's place, and the -wal beside it is not its own; remove " \
    "the -wal and -shm, and restore with sqlite3's .restore next time"

/* One file for as long as it exists: numbers of inodes are used again, moments of birth are not. */
struct sqlite_file {
    uint64_t inode; /* 0: there is none */
    uint64_t device;
    int64_t born_ns;    /* 0: the file system does not know */
    int64_t changed_ns; /* its bytes */
};

struct sqlite_pair {
    struct sqlite_file database, wal;
    uint32_t salts[2]; /* of the -wal, which get new values when it begins anew */
    uint32_t begun,
        copied; /* frames that a checkpoint has begun and finished to copy into the database */
};

/* Looks at the files of a database; false with errno when it is not there. */
bool sqlite_pair_look(struct sqlite_pair *pair, const char *path);
bool sqlite_pair_is_of_same_files(const struct sqlite_pair *one, const struct sqlite_pair *other);

/* NULL, or a sentence on why they do not belong together. `database` has been opened and nothing
 * read yet; `before` is how the pair was when it was last good, or all zero. */
const char *sqlite_pair_find_fault(const struct sqlite_pair *pair, const struct sqlite_pair *before,
                                   const char *path, sqlite3 *database);
/* Once something was read: completes what is remembered of the pair, and of how far its checkpoints
 * are. */
void sqlite_pair_watch(struct sqlite_pair *pair, const char *path, sqlite3 *database);
/* True when the bytes of a database that is being read have changed since `before`, and no
 * checkpoint can have done it. */
bool sqlite_pair_was_overwritten(const struct sqlite_pair *before, struct sqlite_pair *pair,
                                 const char *path, sqlite3 *database);

/* Remembers with the -wal whose it is, for all processes. A file system without extended attributes
 * is no failure. */
void sqlite_pair_mark(const struct sqlite_pair *pair, const char *path);

#endif
