/* Access tokens and tickets in the hands of esnctl: JWTs that are made, and read with their
 * claims as they are. */
#ifndef ESN_PROOF_H
#define ESN_PROOF_H

#include "commands.h"
#include "settings.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { PROOF_TEXT_MAX = 65536 };

/* What repeated options gather: a list of texts. Start it as {0}. */
struct proof_texts {
    const char **list; /* the texts are argv's */
    size_t count;
};
/* False without memory. */
bool proof_texts_add(struct proof_texts *texts, const char *text);
void proof_texts_free(struct proof_texts *texts);
/* A JSON array of them; NULL without memory, or when one is no UTF-8. */
json_t *proof_texts_array(const struct proof_texts *texts);

/* A number of seconds from 1 to `most`. */
bool proof_read_seconds(const char *text, int64_t most, int64_t *seconds);
/* Seconds since 1970 with their fraction, as a date of a JWT. */
json_t *proof_date(uint64_t time_ms);

/* Loads the secrets of --key or of the configured file, `key` its name for people. False after it
 * said why: no file is named, it cannot be read, or it holds public keys, which sign nothing. */
bool proof_load_secrets(struct settings *settings, const char *file, const char *configured,
                        const char *key);

/* Takes a proof from the word, or from standard input for "-", without blanks around. NULL when
 * there is none, after it said so; else it is in `input` or part of the word. */
const char *proof_take(const char *word, char input[PROOF_TEXT_MAX], size_t *length);

/* Prints claims and what is to be said of them; takes over the reference, which may be NULL (no
 * memory). The exit status: `why` NULL, it is valid. */
int proof_print(json_t *claims, const char *why, bool json);

#endif
