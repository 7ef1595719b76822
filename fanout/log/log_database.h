/* The log of recent events as a file: SQLite in WAL mode. Every row carries a checksum and names
 * the row before it, so that damage and missing rows are found when the file is read, and never
 * believed. One thread at a time. */
#ifndef ESN_LOG_DATABASE_H
#define ESN_LOG_DATABASE_H

#include "drop.h"
#include "envelope.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_DATABASE_ERROR_SIZE = 384 };

struct stored_event {
    struct event event;
    uint64_t wall_ms; /* when it came */
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
};

/* Whose proofs of before at_ms are refused until until_ms, both of the wall clock. */
struct log_revocation {
    enum drop_kind kind; /* DROP_USER or DROP_SESSION; 0: it is none */
    const char *name;
    size_t name_length;
    uint64_t at_ms, until_ms;
};

/* Written with every transaction. */
struct log_state {
    uint64_t epoch;
    uint64_t head;         /* sequence of the newest row ever written */
    uint64_t lost_through; /* acknowledged events up to this sequence may be missing */
    bool unsure;           /* an end without a word loses acknowledged events */
};

struct log_past {
    struct log_state state; /* all 0 when the file is new */
    uint64_t forgotten;     /* no event up to this sequence is there or may be given out */
    bool tail_missing;      /* more was written once than is there */
};

struct log_database;

/* Opens or makes the file, for nobody but its owner. A damaged one is set aside and a new one
 * begun, which is said in the log. sync_each: a commit is on the disk when it returns. NULL with a
 * sentence in error, also when another process holds the file. */
struct log_database *log_database_open(const char *path, bool sync_each,
                                       char error[LOG_DATABASE_ERROR_SIZE]);
/* The file that was closed a moment ago after a state that is not unsure: what is in it is known, and is
 * not read again. NULL with a sentence in error when it is not as it was left. */
struct log_database *log_database_take_up(const char *path, bool sync_each, struct log_state *state,
                                          char error[LOG_DATABASE_ERROR_SIZE]);
void log_database_close(struct log_database **database);

/* Gives the events in order; their texts are borrowed. Events up to past->forgotten are to be
 * forgotten again: damage behind them was found later. To be called once, before the first write.
 * False with a sentence in error. */
bool log_database_load(struct log_database *database, struct log_past *past,
                       void (*visit)(const struct stored_event *event, void *context),
                       void *context, char error[LOG_DATABASE_ERROR_SIZE]);

/* Gives the revocations; their names are borrowed. Damaged ones are passed over and said in the
 * log. False with a sentence in error. */
bool log_database_load_revocations(struct log_database *database,
                                   void (*visit)(const struct log_revocation *, void *context),
                                   void *context, char error[LOG_DATABASE_ERROR_SIZE]);

/* Gives the last values of topics by sequence; their texts are borrowed. After log_database_load().
 * Damaged ones are passed over and said in the log. False with a sentence in error. */
bool log_database_load_values(struct log_database *database,
                              void (*visit)(const struct event *, void *context), void *context,
                              char error[LOG_DATABASE_ERROR_SIZE]);

/* One transaction: begin, add (in order of sequence), commit. When one of them says false, nothing
 * of it is kept after log_database_undo(). commit sets state->head, and deletes rows up to
 * `forgotten`, and last values up to `let_go`. */
bool log_database_begin(struct log_database *database);
bool log_database_add(struct log_database *database, const struct stored_event *event);
/* In a transaction: keeps it in place of an earlier one of the same name, and deletes those that are
 * over at its at_ms. */
bool log_database_revoke(struct log_database *database, const struct log_revocation *revocation);
bool log_database_commit(struct log_database *database, struct log_state *state, uint64_t forgotten,
                         uint64_t let_go);
void log_database_undo(struct log_database *database);
/* Why the last call failed. */
const char *log_database_error(const struct log_database *database);
/* From now on a commit is on the disk when it returns. */
bool log_database_sync_each(struct log_database *database);

#endif
