#include "refresh_store.h"

#include "redis/redis_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "esn:refresh:"

/* A family is a hash, which Redis forgets when it expires. */
struct refresh_store {
    struct redis_client *client;
};

/* KEYS[1] family; ARGV: hash, next hash, proof, now, whether it was ours, how long an answer is
 * repeated. As judge() of refresh_sqlite.c. */
static const char use_script[] =
    "local f = redis.call('HMGET', KEYS[1], 'user', 'claims', 'expires', 'hash', 'used_hash',"
    " 'used', 'proof', 'session')\n"
    "if not f[1] or tonumber(f[3]) <= tonumber(ARGV[4]) then return {'unknown'} end\n"
    "if f[4] == ARGV[1] then\n"
    " redis.call('HSET', KEYS[1], 'hash', ARGV[2], 'used_hash', ARGV[1], 'used', ARGV[4],"
    " 'proof', ARGV[3])\n"
    " return {'done', f[1], f[2], f[3], ARGV[4], f[8]}\n"
    "end\n"
    "if f[5] == ARGV[1] and ARGV[3] ~= '' and f[7] == ARGV[3] and f[4] == ARGV[2]"
    " and tonumber(ARGV[4]) - tonumber(f[6]) <= tonumber(ARGV[6]) then\n"
    " return {'repeated', f[1], f[2], f[3], f[6], f[8]}\n"
    "end\n"
    "if f[5] ~= ARGV[1] and ARGV[5] == '0' then return {'unknown'} end\n"
    "redis.call('DEL', KEYS[1])\n"
    "return {'reused', f[1], f[2], f[3], f[6], f[8]}\n";

static const char begin_script[] =
    "redis.call('HSET', KEYS[1], 'user', ARGV[1], 'claims', ARGV[2], 'expires', ARGV[3],"
    " 'hash', ARGV[4], 'used_hash', '', 'used', ARGV[5], 'proof', '', 'session', ARGV[6])\n"
    "redis.call('PEXPIREAT', KEYS[1], ARGV[3])\n"
    "return 1\n";

static const char revoke_script[] =
    "local f = redis.call('HMGET', KEYS[1], 'hash', 'used_hash', 'session')\n"
    "if not f[1] or (ARGV[2] == '0' and f[1] ~= ARGV[1] and f[2] ~= ARGV[1]) then return "
    "{'unknown'} end\n"
    "redis.call('DEL', KEYS[1])\n"
    "return {'done', '', '', '0', '0', f[3]}\n";

static struct refresh_store *refresh_redis_open(const struct config *config,
                                                const struct redis_config *redis,
                                                char error[REFRESH_STORE_ERROR_SIZE])
{
    (void)config;
    struct refresh_store *store = calloc(1, sizeof *store);
    if (store != NULL)
        store->client = redis_client_open(&redis->options);
    if (store != NULL && store->client != NULL)
        return store;
    free(store);
    (void)snprintf(error, REFRESH_STORE_ERROR_SIZE, "no memory");
    return NULL;
}

static void refresh_redis_close(struct refresh_store *store)
{
    redis_client_close(&store->client);
    free(store);
}

/* Runs a script on a family with some words. */
static struct redis_answer *evaluate(struct refresh_store *store, const char *script,
                                     const char *family, const char *const *arguments,
                                     char error[REFRESH_STORE_ERROR_SIZE])
{
    enum { ARGUMENTS_MAX = 8 };
    _Static_assert((int)REFRESH_STORE_ERROR_SIZE >= (int)REDIS_CLIENT_ERROR_SIZE,
                   "a sentence has to fit");
    char key[sizeof KEY_PREFIX + REFRESH_FAMILY_SIZE];
    struct redis_word words[4 + ARGUMENTS_MAX] = {{"EVAL", 4}, {script, strlen(script)}, {"1", 1}};
    size_t count = 4;
    (void)snprintf(key, sizeof key, KEY_PREFIX "%s", family);
    words[3] = (struct redis_word){key, strlen(key)};
    for (; *arguments != NULL; arguments++)
        words[count++] = (struct redis_word){*arguments, strlen(*arguments)};
    return redis_client_ask(store->client, words, count, error);
}

static void write_number(char out[24], uint64_t number)
{
    (void)snprintf(out, 24, "%" PRIu64, number);
}

static bool refresh_redis_begin(struct refresh_store *store, const struct refresh_family *family,
                                const char *hash, char error[REFRESH_STORE_ERROR_SIZE])
{
    char expires[24], now[24];
    write_number(expires, family->expires_ms);
    write_number(now, family->used_ms);
    const char *const words[] = {
        family->user, family->claims != NULL ? family->claims : "",   expires, hash,
        now,          family->session != NULL ? family->session : "", NULL};
    struct redis_answer *answer = evaluate(store, begin_script, family->id, words, error);
    bool good = answer != NULL;
    redis_answer_free(&answer);
    return good;
}

static uint64_t read_number(const struct redis_answer *answer, size_t part)
{
    size_t length;
    const char *text = redis_answer_text(redis_answer_part(answer, part), &length);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* "" stands for none. False without memory. */
static bool take_text(char **out, const struct redis_answer *answer, size_t part)
{
    size_t length;
    const char *text = redis_answer_text(redis_answer_part(answer, part), &length);
    *out = length > 0 ? strdup(text) : NULL;
    return length == 0 || *out != NULL;
}

static bool take_family(struct refresh_family *family, const struct redis_answer *answer,
                        const char *id)
{
    size_t user_length;
    const char *user = redis_answer_text(redis_answer_part(answer, 1), &user_length);
    if (user == NULL || user_length >= sizeof family->user)
        return false;
    (void)snprintf(family->id, sizeof family->id, "%s", id);
    memcpy(family->user, user, user_length + 1);
    family->expires_ms = read_number(answer, 3);
    family->used_ms = read_number(answer, 4);
    bool good = take_text(&family->claims, answer, 2);
    return take_text(&family->session, answer, 5) && good;
}

static enum refresh_result result_of(const struct redis_answer *answer)
{
    static const struct {
        const char *word;
        enum refresh_result result;
    } results[] = {{"done", REFRESH_DONE},
                   {"repeated", REFRESH_REPEATED},
                   {"reused", REFRESH_REUSED},
                   {"unknown", REFRESH_UNKNOWN}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (redis_answer_is(redis_answer_part(answer, 0), results[i].word))
            return results[i].result;
    return REFRESH_UNAVAILABLE;
}

static enum refresh_result take_answer(struct redis_answer **answer, const struct refresh_use *use,
                                       struct refresh_family *family,
                                       char error[REFRESH_STORE_ERROR_SIZE])
{
    enum refresh_result result = *answer != NULL ? result_of(*answer) : REFRESH_UNAVAILABLE;
    if (result != REFRESH_UNKNOWN && result != REFRESH_UNAVAILABLE &&
        !take_family(family, *answer, use->family)) {
        (void)snprintf(error, REFRESH_STORE_ERROR_SIZE, "a family of refresh tokens is not ours");
        result = REFRESH_UNAVAILABLE;
    }
    redis_answer_free(answer);
    return result;
}

static enum refresh_result refresh_redis_use(struct refresh_store *store,
                                             const struct refresh_use *use,
                                             struct refresh_family *family,
                                             char error[REFRESH_STORE_ERROR_SIZE])
{
    char now[24], repeat[24];
    write_number(now, use->now_ms);
    write_number(repeat, REFRESH_REPEAT_MS);
    const char *const words[] = {
        use->hash, use->next_hash, use->proof, now, use->was_ours ? "1" : "0", repeat, NULL};
    *family = (struct refresh_family){0};
    struct redis_answer *answer = evaluate(store, use_script, use->family, words, error);
    return take_answer(&answer, use, family, error);
}

static enum refresh_result refresh_redis_revoke(struct refresh_store *store,
                                                const struct refresh_use *use,
                                                struct refresh_family *family,
                                                char error[REFRESH_STORE_ERROR_SIZE])
{
    const char *const words[] = {use->hash, use->was_ours ? "1" : "0", NULL};
    *family = (struct refresh_family){0};
    struct redis_answer *answer = evaluate(store, revoke_script, use->family, words, error);
    return take_answer(&answer, use, family, error);
}

const struct refresh_store_kind refresh_redis = {.open = refresh_redis_open,
                                                 .close = refresh_redis_close,
                                                 .begin = refresh_redis_begin,
                                                 .use = refresh_redis_use,
                                                 .revoke = refresh_redis_revoke};
