/* The program that serves hands over to a new one, without a client noticing (docs/upgrade.md). */
#ifndef ESN_UPGRADE_H
#define ESN_UPGRADE_H

#include "bytes.h"
#include "saved_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct config;
struct connection;
struct http_request;
struct upgrade_try;

enum { UPGRADE_REASON_SIZE = 400, UPGRADE_PATH_SIZE = 4096 };

enum upgrade_state { UPGRADE_NONE, UPGRADE_RUNS, UPGRADE_FAILED, UPGRADE_DONE };

/* What only the owner of everything can do. */
struct upgrade_owner {
    /* Why nothing can be handed over at present: a sentence; NULL: it can. */
    const char *(*trouble)(void *context);
    /* Writes a part of what does not change any more, after what upgrade.ahead says, while all goes
     * on. False: that was the last of it. */
    bool (*save_ahead)(void *context, struct saved_writer *writer);
    /* Nothing is under way that cannot be handed over. */
    bool (*is_quiet)(void *context);
    /* Settles what is under way, and lets go of what only one program can have. False: there is something
     * that it cannot let go of. */
    bool (*rest)(void *context);
    /* The whole state, and descriptors (ints). */
    void (*save)(void *context, struct saved_writer *writer, struct bytes *descriptors);
    /* After rest: takes up again what was let go of, and serves on. */
    void (*go_on)(void *context);
    /* After rest: another program serves; ends what stays here, and then the loop. */
    void (*leave)(void *context);
    void *context;
};

/* What has become of the last one. */
struct upgrade_outcome {
    uint64_t number; /* of tries, over programs that followed each other; 0: none yet */
    enum upgrade_state state;
    char reason[UPGRADE_REASON_SIZE]; /* why it failed */
    uint64_t begun_us;                /* when nothing was done any more, monotonic clock */
    uint64_t pause_us;                /* for which nothing was */
};

struct upgrade {
    struct upgrade_owner owner; /* set by the owner, like the next two */
    const struct config *config;
    uv_loop_t *loop;
    char program[UPGRADE_PATH_SIZE]; /* see upgrade_set_program() */
    char **arguments;                /* borrowed; NULL: there is no upgrade */
    uint64_t ahead;      /* how far the new program has the log already; the owner's; 0: nothing */
    bool is_first_child; /* it was started by process 1 */
    struct upgrade_try *current; /* NULL: none runs */
    int successor;               /* the process that serves; 0: this one does */
    struct upgrade_outcome outcome;
};

/* As main() got them: that program is started anew, with the same arguments. To be called at the start;
 * is_successor: it took over from another one. */
void upgrade_set_program(struct upgrade *upgrade, char **arguments, bool is_successor);
/* Starts the new program. False, with the reason in the outcome, when there is none, or one runs
 * already. */
bool upgrade_begin(struct upgrade *upgrade);
/* To be called at the end of each turn of the loop, when all that was queued is written: hands over
 * when the new program is ready and all is quiet. True: it waits for that; the loop is not to sleep.
 */
bool upgrade_run(struct upgrade *upgrade);
/* Ends the new program; harmless when none is starting. */
void upgrade_abandon(struct upgrade *upgrade, const char *reason);
/* Once another program serves it gets what this one is signalled by whoever knows no other. False: this
 * one serves. */
bool upgrade_pass_on(const struct upgrade *upgrade, int signal);

/* POST /upgrade begins one, GET /upgrade says what has become of it. */
void upgrade_answer(struct connection *connection, const struct http_request *request);

#endif
