/* A connection to the Redis that carries events, which knows which server it has come to, and its scripts
 * (common/bus/redis/ has them). */
#ifndef ESN_BUS_REDIS_LINK_H
#define ESN_BUS_REDIS_LINK_H

#include "bus/bus.h"
#include "redis/redis_client.h"

#include <stdbool.h>

enum { REDIS_RUN_SIZE = 48, REDIS_SHA_SIZE = 48, REDIS_POLICY_SIZE = 32 };

enum bus_redis_script {
    BUS_REDIS_PUBLISH,
    BUS_REDIS_JOIN,
    BUS_REDIS_RENEW,
    BUS_REDIS_REMOVE,
    BUS_REDIS_SURVEY,
    BUS_REDIS_SETTLE,
    BUS_REDIS_SCRIPTS
};

/* Their texts, made from the files at build. */
extern const char *const bus_redis_scripts[BUS_REDIS_SCRIPTS];

struct redis_link {
    struct redis_client *client;
    const char *prefix;
    char run[REDIS_RUN_SIZE]; /* of the server that it has come to last */
    bool was_promoted;        /* that server was a replica once */
    char sha[BUS_REDIS_SCRIPTS]
            [REDIS_SHA_SIZE];            /* of scripts that a server has; "": not known yet */
    char error[REDIS_CLIENT_ERROR_SIZE]; /* of the last call that failed */
};

/* False without memory. */
bool redis_link_open(struct redis_link *link, const struct bus_redis_options *options,
                     size_t max_answer);
void redis_link_close(struct redis_link *link);
/* Connects, when it is not connected, and asks the server who it is. False with a sentence in link->error, also when it
 * is too old. */
bool redis_link_connect(struct redis_link *link);
/* Whether the server takes away what the bus keeps when it is full; its maxmemory-policy then. False also when it
 * does not say. */
bool redis_link_evicts(struct redis_link *link, char policy[REDIS_POLICY_SIZE]);
/* Appends a word that is `prefix` and `name` to the text, as keys and channels are called. */
struct redis_word redis_link_key(struct bytes *text, const struct redis_link *link,
                                 const char *name);
/* NULL with a sentence in link->error; the connection may be lost then. */
struct redis_answer *redis_link_ask(struct redis_link *link, const struct redis_word *words,
                                    size_t count);
/* The script with the link's prefix as its first argument and these behind it. */
struct redis_answer *redis_link_call(struct redis_link *link, enum bus_redis_script script,
                                     const struct redis_word *words, size_t count);

/* A word that is this text. */
static inline struct redis_word redis_word_of(const char *text)
{
    return (struct redis_word){text, strlen(text)};
}

enum { REDIS_NUMBER_SIZE = 24 };
/* The number's digits, written into `out`. */
struct redis_word redis_word_number(char out[REDIS_NUMBER_SIZE], uint64_t number);

#endif
