#include "proof.h"

#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

bool proof_texts_add(struct proof_texts *texts, const char *text)
{
    const char **larger = realloc(texts->list, (texts->count + 1) * sizeof *larger);
    if (larger == NULL)
        return false;
    texts->list = larger;
    larger[texts->count++] = text;
    return true;
}

void proof_texts_free(struct proof_texts *texts)
{
    free(texts->list);
    *texts = (struct proof_texts){0};
}

json_t *proof_texts_array(const struct proof_texts *texts)
{
    json_t *array = json_array();
    for (size_t i = 0; i < texts->count; i++) {
        if (json_array_append_new(array, json_string(texts->list[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

bool proof_read_seconds(const char *text, int64_t most, int64_t *seconds)
{
    char *rest;
    errno = 0;
    *seconds = strtoll(text, &rest, 10);
    return *text != '\0' && *rest == '\0' && errno == 0 && *seconds >= 1 && *seconds <= most;
}

json_t *proof_date(uint64_t time_ms)
{
    return time_ms % 1000 == 0 ? json_integer((json_int_t)(time_ms / 1000))
                               : json_real((double)time_ms / 1000);
}

/* ---- secrets ---- */

bool proof_load_secrets(struct settings *settings, const char *file, const char *configured,
                        const char *key)
{
    if (file == NULL && configured == NULL) {
        (void)command_fail("%s is not set; name a file of a secret with --key", key);
        return false;
    }
    settings->token_file = file;
    if (!settings_load_tokens(settings, configured))
        return false;
    const char *first = settings->tokens.values[0];
    if (*first != '{' && strncmp(first, "-----BEGIN", 10) != 0)
        return true;
    (void)command_fail("%s: holds public keys, which sign nothing; name a file of a secret with "
                       "--key",
                       file != NULL ? file : configured);
    return false;
}

/* ---- reading ---- */

const char *proof_take(const char *word, char input[PROOF_TEXT_MAX], size_t *length)
{
    if (strcmp(word, "-") == 0) {
        size_t got = fread(input, 1, PROOF_TEXT_MAX - 1, stdin);
        input[got] = '\0';
        word = input;
    }
    const char *text = word + strspn(word, " \t\r\n");
    *length = strcspn(text, " \t\r\n");
    if (*length > 0)
        return text;
    (void)command_fail("there is nothing to read");
    return NULL;
}

int proof_print(json_t *claims, const char *why, bool json)
{
    if (claims == NULL ||
        json_object_set_new(claims, "state", json_string(why != NULL ? why : "valid now")) != 0) {
        json_decref(claims);
        return command_fail("out of memory");
    }
    if (json) {
        (void)json_dumpf(claims, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else {
        table_print(claims);
    }
    json_decref(claims);
    return why == NULL ? COMMAND_GOOD : COMMAND_FAILED;
}
