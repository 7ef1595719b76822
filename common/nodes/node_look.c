#include "nodes/node_look.h"

#include <stdio.h>
#include <string.h>

static bool see(struct node_lives *lives, const struct redis_answer *number,
                const struct redis_answer *line)
{
    size_t length;
    const char *number_text = redis_answer_text(number, &length);
    const char *text = redis_answer_text(line, &length);
    struct node_record record;
    unsigned node;
    if (number_text == NULL || text == NULL || !node_number_read(&node, number_text) ||
        !node_record_read(&record, text))
        return true;
    return node_lives_see(lives, node, &record);
}

/* All of a hash; NULL with a sentence in error. */
static struct redis_answer *ask_hash(struct redis_client *client, const char *prefix,
                                     const char *name, char error[REDIS_CLIENT_ERROR_SIZE])
{
    char key[256];
    int length = snprintf(key, sizeof key, "%s%s", prefix, name);
    if (length <= 0 || (size_t)length >= sizeof key) {
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE, "the prefix is too long");
        return NULL;
    }
    const struct redis_word words[] = {{"HGETALL", 7}, {key, (size_t)length}};
    return redis_client_ask(client, words, 2, error);
}

bool node_look(struct redis_client *client, const char *prefix, struct node_lives *lives,
               uint64_t now_ms, char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct redis_answer *answer = ask_hash(client, prefix, "nodes", error);
    if (answer == NULL)
        return false;
    bool seen = true;
    node_lives_begin_look(lives, now_ms);
    for (size_t i = 0; i + 1 < redis_answer_count(answer); i += 2)
        seen = see(lives, redis_answer_part(answer, i), redis_answer_part(answer, i + 1)) && seen;
    node_lives_end_look(lives);
    redis_answer_free(&answer);
    if (!seen)
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE, "out of memory");
    return seen;
}

bool node_look_at_gone(struct redis_client *client, const char *prefix,
                       void (*tell)(void *context, unsigned node, const struct node_record *record),
                       void *context, char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct redis_answer *answer = ask_hash(client, prefix, "gone", error);
    if (answer == NULL)
        return false;
    for (size_t i = 1; i < redis_answer_count(answer); i += 2) {
        size_t length;
        const char *text = redis_answer_text(redis_answer_part(answer, i), &length);
        const char *blank = text != NULL ? strchr(text, ' ') : NULL;
        char number[8];
        struct node_record record;
        unsigned node;
        if (blank == NULL || (size_t)(blank - text) >= sizeof number)
            continue;
        (void)snprintf(number, sizeof number, "%.*s", (int)(blank - text), text);
        if (node_number_read(&node, number) && node_record_read(&record, blank + 1))
            tell(context, node, &record);
    }
    redis_answer_free(&answer);
    return true;
}
