/* The query of a request target: name=value&name=value, percent-encoded as forms are
 * (application/x-www-form-urlencoded, URL standard section 5.1). */
#ifndef ESN_QUERY_H
#define ESN_QUERY_H

#include "bytes.h"

#include <stdbool.h>

/* What an unencoded "+" stands for. */
enum query_plus {
    QUERY_PLUS_IS_BLANK, /* as forms have it */
    QUERY_PLUS_IS_LEVEL, /* where it is a topic's level by itself, the wildcard; else a blank */
    QUERY_PLUS_IS_PLUS   /* itself: tokens and keys are often base64, and have no blanks */
};

enum query_result {
    QUERY_END, /* no further one */
    QUERY_FOUND,
    QUERY_BROKEN /* its percent-encoding is, or there was no memory (value->failed) */
};

/* Appends the decoded value of the next parameter of this name and moves *at behind it. Begin with
 * *at at the query's first character, behind the "?". */
enum query_result query_next(const char **at, const char *name, enum query_plus plus,
                             struct bytes *value);

/* The first parameter of this name. False when there is none, or its encoding is broken. */
bool query_find(const char *query, const char *name, struct bytes *value);
/* The same for what has no blanks. */
bool query_find_secret(const char *query, const char *name, struct bytes *value);
/* Whether there is one, broken or not. */
bool query_has(const char *query, const char *name);

#endif
