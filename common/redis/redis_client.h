/* A connection to Redis on which nobody waits longer than he said, whatever the other side does.
 * Used by one thread at a time; connects when it is needed, and again after whatever went wrong.
 * The only part that knows hiredis. */
#ifndef ESN_REDIS_CLIENT_H
#define ESN_REDIS_CLIENT_H

#include "redis/redis_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REDIS_CLIENT_ERROR_SIZE = 256 };

struct redis_options;

/* Says where to connect to, by the deadline; false with a sentence in error. */
typedef bool redis_locate(const struct redis_options *options, uint64_t deadline_ms,
                          struct net_address *address, char error[REDIS_CLIENT_ERROR_SIZE]);

/* Texts are kept, not copied. */
struct redis_options {
    struct redis_url url;
    const char *user;       /* of its ACL; NULL: the default user */
    const char *password;   /* NULL: none is asked for */
    uint64_t connect_ms;    /* for the name, the connection, the password and the database */
    uint64_t limit_ms;      /* for a command and its answer */
    size_t max_answer;      /* bytes; more is no answer */
    redis_locate *locate;   /* NULL: `url` says where; else of `url` the database counts alone */
    char *const *sentinels; /* what `locate` asks (redis_sentinel.h), as the next */
    const char *sentinel_master;
    bool
        by_hand; /* connects at redis_client_connect() alone: whoever asks knows which server it is */
};

struct redis_client;
struct redis_answer;

/* Connects to nothing yet. NULL without memory. */
struct redis_client *redis_client_open(const struct redis_options *options);
void redis_client_close(struct redis_client **client);
/* Ends the connection, if there is one; the next command makes another. */
void redis_client_disconnect(struct redis_client *client);
/* False with a sentence in error. Does nothing when it is connected. */
bool redis_client_connect(struct redis_client *client, char error[REDIS_CLIENT_ERROR_SIZE]);
bool redis_client_is_connected(const struct redis_client *client);
/* Whether the last connecting failed since nobody listens there: the host is, and Redis is not. */
bool redis_client_was_refused(const struct redis_client *client);
/* From the next call on, in place of those of the options. */
void redis_client_set_limits(struct redis_client *client, uint64_t connect_ms, uint64_t limit_ms);

struct redis_word {
    const char *text;
    size_t length;
};

/* A command, and its answer, to be freed. NULL, with a sentence in error: Redis is away or too
 * slow, or answered an error, which is in the sentence. A connection that was lost since the last
 * command is made anew before anything is sent; a command is never sent twice. */
struct redis_answer *redis_client_ask(struct redis_client *client, const struct redis_word *words,
                                      size_t count, char error[REDIS_CLIENT_ERROR_SIZE]);

/* A command that goes out with the next redis_client_ask(), before its own; what is answered to it is dropped, an error
 * too. It is lost with the connection. False without memory, or without a connection. */
bool redis_client_queue(struct redis_client *client, const struct redis_word *words, size_t count);

/* A command that redis_client_next() gives the answer of. False with a sentence in error. */
bool redis_client_send(struct redis_client *client, const struct redis_word *words, size_t count,
                       char error[REDIS_CLIENT_ERROR_SIZE]);

/* The next message of a connection that has subscribed (with redis_client_ask()); NULL with an
 * empty error when `wait_ms` have passed, or `wake` can be read (-1: nothing); NULL with a sentence
 * when the connection is lost. An error that Redis answers is one of kind ERROR. */
struct redis_answer *redis_client_next(struct redis_client *client, int wake, uint64_t wait_ms,
                                       char error[REDIS_CLIENT_ERROR_SIZE]);

/* ---- answers ---- */

enum redis_answer_kind {
    REDIS_ANSWER_NONE,
    REDIS_ANSWER_TEXT,
    REDIS_ANSWER_NUMBER,
    REDIS_ANSWER_LIST,
    REDIS_ANSWER_ERROR /* of redis_client_next() alone */
};

/* NONE is Redis' nil; NULL counts as it. */
enum redis_answer_kind redis_answer_kind(const struct redis_answer *answer);
/* Of a TEXT or ERROR, ended by NUL too; NULL of anything else. */
const char *redis_answer_text(const struct redis_answer *answer, size_t *length);
/* Of a NUMBER; 0 of anything else. */
int64_t redis_answer_number(const struct redis_answer *answer);
/* Of a LIST; 0 of anything else. Parts are borrowed; NULL beyond the last. */
size_t redis_answer_count(const struct redis_answer *answer);
const struct redis_answer *redis_answer_part(const struct redis_answer *answer, size_t index);
/* True of the TEXT that is these characters. */
bool redis_answer_is(const struct redis_answer *answer, const char *text);
void redis_answer_free(struct redis_answer **answer);

#endif
