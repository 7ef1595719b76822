#include "bus/bus_redis_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* XADD with EPOCH-* came with 7.0. */
enum { OLDEST_MAJOR = 7, WORDS_BEFORE = 4 };

bool redis_link_open(struct redis_link *link, const struct bus_redis_options *options,
                     size_t max_answer)
{
    struct redis_options own = *options->redis;
    own.by_hand = true;
    own.max_answer = max_answer;
    *link = (struct redis_link){.client = redis_client_open(&own), .prefix = options->prefix};
    return link->client != NULL;
}

void redis_link_close(struct redis_link *link)
{
    redis_client_close(&link->client);
}

/* ---- who it is ---- */

/* "name:value" of a line of INFO, cut to size; false when there is none. */
static bool find_line(const char *info, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        (void)snprintf(out, size, "%.*s", (int)strcspn(value, "\r\n"), value);
        return true;
    }
    return false;
}

static struct redis_answer *ask_info(struct redis_link *link, const char *section)
{
    const struct redis_word words[] = {{"INFO", 4}, redis_word_of(section)};
    return redis_client_ask(link->client, words, 2, link->error);
}

static bool read_server(struct redis_link *link, const char *info)
{
    char version[32] = "";
    if (!find_line(info, "run_id", link->run, sizeof link->run) ||
        !find_line(info, "redis_version", version, sizeof version)) {
        (void)snprintf(link->error, sizeof link->error,
                       "the server does not say which Redis it is");
        return false;
    }
    if (atoi(version) >= OLDEST_MAJOR)
        return true;
    (void)snprintf(link->error, sizeof link->error, "Redis %s is too old: the bus needs %d.0",
                   version, OLDEST_MAJOR);
    return false;
}

/* A second replication id is that of the master before. */
static void read_replication(struct redis_link *link, const char *info)
{
    char second[64] = "";
    link->was_promoted = !find_line(info, "master_replid2", second, sizeof second) ||
                         strspn(second, "0") != strlen(second);
}

static bool ask_who(struct redis_link *link)
{
    size_t length;
    struct redis_answer *server = ask_info(link, "server");
    const char *info = redis_answer_text(server, &length);
    bool known = info != NULL && read_server(link, info);
    redis_answer_free(&server);
    if (!known)
        return false;
    struct redis_answer *replication = ask_info(link, "replication");
    info = redis_answer_text(replication, &length);
    if (info != NULL)
        read_replication(link, info);
    known = info != NULL;
    redis_answer_free(&replication);
    return known;
}

bool redis_link_connect(struct redis_link *link)
{
    if (redis_client_is_connected(link->client))
        return true;
    if (!redis_client_connect(link->client, link->error))
        return false;
    memset(link->sha, 0, sizeof link->sha);
    if (ask_who(link))
        return true;
    redis_client_disconnect(link->client);
    return false;
}

bool redis_link_evicts(struct redis_link *link, char policy[REDIS_POLICY_SIZE])
{
    size_t length;
    char most[REDIS_NUMBER_SIZE];
    struct redis_answer *memory = ask_info(link, "memory");
    const char *info = redis_answer_text(memory, &length);
    bool evicts = info != NULL && find_line(info, "maxmemory", most, sizeof most) &&
                  strcmp(most, "0") != 0 &&
                  find_line(info, "maxmemory_policy", policy, REDIS_POLICY_SIZE) &&
                  strcmp(policy, "noeviction") != 0;
    redis_answer_free(&memory);
    return evicts;
}

/* ---- asking ---- */

struct redis_word redis_link_key(struct bytes *text, const struct redis_link *link,
                                 const char *name)
{
    bytes_clear(text);
    bytes_append_text(text, link->prefix);
    bytes_append_text(text, name);
    return (struct redis_word){text->data, text->length};
}

struct redis_word redis_word_number(char out[REDIS_NUMBER_SIZE], uint64_t number)
{
    int length = snprintf(out, REDIS_NUMBER_SIZE, "%" PRIu64, number);
    return (struct redis_word){out, (size_t)length};
}

struct redis_answer *redis_link_ask(struct redis_link *link, const struct redis_word *words,
                                    size_t count)
{
    struct redis_answer *answer = redis_client_ask(link->client, words, count, link->error);
    /* A master that became a replica: whoever connects anew finds the other one. */
    if (answer == NULL && strstr(link->error, "READONLY") != NULL)
        redis_client_disconnect(link->client);
    return answer;
}

static bool load_script(struct redis_link *link, enum bus_redis_script script)
{
    const struct redis_word words[] = {
        {"SCRIPT", 6}, {"LOAD", 4}, redis_word_of(bus_redis_scripts[script])};
    size_t length;
    struct redis_answer *answer = redis_link_ask(link, words, 3);
    const char *sha = redis_answer_text(answer, &length);
    bool loaded = sha != NULL && length < REDIS_SHA_SIZE;
    if (loaded)
        memcpy(link->sha[script], sha, length + 1);
    redis_answer_free(&answer);
    return loaded;
}

struct redis_answer *redis_link_call(struct redis_link *link, enum bus_redis_script script,
                                     const struct redis_word *words, size_t count)
{
    struct redis_word *all = reallocarray(NULL, WORDS_BEFORE + count, sizeof *all);
    struct redis_answer *answer = NULL;
    link->error[0] = '\0';
    if (all == NULL) {
        (void)snprintf(link->error, sizeof link->error, "no memory for a command");
        return NULL;
    }
    memcpy(all + WORDS_BEFORE, words, count * sizeof *words);
    /* The second time: somebody has made the server forget its scripts. */
    for (int i = 0; i < 2 && answer == NULL; i++) {
        if (link->sha[script][0] == '\0' && !load_script(link, script))
            break;
        all[0] = redis_word_of("EVALSHA");
        all[1] = redis_word_of(link->sha[script]);
        all[2] = redis_word_of("0");
        all[3] = redis_word_of(link->prefix);
        answer = redis_link_ask(link, all, WORDS_BEFORE + count);
        if (answer != NULL || strstr(link->error, "NOSCRIPT") == NULL)
            break;
        link->sha[script][0] = '\0';
    }
    free(all);
    return answer;
}
