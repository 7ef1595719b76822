/* User ids. Applications write them as JSON strings or numbers; here they have one canonical text
 * form, so that 7 and "7" are the same user wherever they come from (bind key, ticket, database):
 *   - a string is its own UTF-8 text, byte for byte: no trimming, no case folding, no Unicode
 *     normalisation;
 *   - a number is its value in decimal without sign '+', leading zeros, fraction or exponent (7,
 *     7.0 and 7e0 are "7"); one that is not whole, or is a float beyond 2^53, is no user id.
 * At most USER_ID_MAX bytes, without NUL. The wildcards and answers of the protocol are nobody's
 * name. */
#ifndef ESN_USER_ID_H
#define ESN_USER_ID_H

#include <stdbool.h>
#include <stddef.h>

enum { USER_ID_MAX = 255, USER_ID_SIZE = USER_ID_MAX + 1 };

/* Entries of the lists `pub` and `sub` that stand for many. */
#define USER_ID_EVERYONE "*"       /* bound or not */
#define USER_ID_ANY_USER "+"       /* every bound user */
#define USER_ID_NO_USER "[][][]"   /* bound, but the session has no user */
#define USER_ID_REFUSED "__DONT__" /* a binding server's "no" */

enum user_id_kind {
    USER_ID_INVALID, /* empty, too long, NUL, not UTF-8, a wildcard or USER_ID_REFUSED */
    USER_ID_SESSION, /* USER_ID_NO_USER */
    USER_ID_USER
};

struct json_t; /* jansson.h */

enum user_id_kind user_id_kind(const char *text, size_t length);

/* Writes the canonical text with its NUL. USER_ID_INVALID (and an empty text) when the value is
 * neither string nor whole number, or is nobody's name. */
enum user_id_kind user_id_from_json(char out[USER_ID_SIZE], const struct json_t *value);

#endif
