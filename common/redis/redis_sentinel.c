#include "redis/redis_sentinel.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 4096 };

static bool read_part(const struct redis_answer *answer, size_t index, char *out, size_t size)
{
    size_t length;
    const char *text = redis_answer_text(redis_answer_part(answer, index), &length);
    return text != NULL && length > 0 && snprintf(out, size, "%s", text) < (int)size;
}

static bool ask_sentinel(const struct redis_options *options, const char *sentinel,
                         uint64_t wait_ms, struct net_address *address,
                         char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct redis_options one = {
        .connect_ms = wait_ms, .limit_ms = wait_ms, .max_answer = ANSWER_MAX};
    struct redis_client *client =
        net_address_read(&one.url.address, sentinel) ? redis_client_open(&one) : NULL;
    if (client == NULL) {
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE, "no memory for a sentinel");
        return false;
    }
    const char *master = options->sentinel_master;
    const struct redis_word words[] = {
        {"SENTINEL", 8}, {"get-master-addr-by-name", 23}, {master, strlen(master)}};
    struct redis_answer *answer = redis_client_ask(client, words, 3, error);
    bool known = read_part(answer, 0, address->host, sizeof address->host) &&
                 read_part(answer, 1, address->port, sizeof address->port);
    if (answer != NULL && !known)
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE, "the sentinel %.80s knows no master %.80s",
                       sentinel, master);
    redis_answer_free(&answer);
    redis_client_close(&client);
    return known;
}

bool redis_sentinel_locate(const struct redis_options *options, uint64_t deadline_ms,
                           struct net_address *address, char error[REDIS_CLIENT_ERROR_SIZE])
{
    size_t left = 0;
    while (options->sentinels[left] != NULL)
        left++;
    for (char *const *sentinel = options->sentinels; *sentinel != NULL; sentinel++, left--) {
        uint64_t now = clock_monotonic_ms();
        uint64_t rest_ms = deadline_ms > now ? deadline_ms - now : 1;
        /* The master has to be connected to as well. */
        if (ask_sentinel(options, *sentinel, rest_ms / (left + 1) + 1, address, error))
            return true;
    }
    return false;
}
