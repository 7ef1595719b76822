/* The query of a request target: name=value&name=value, percent-encoded as forms are
 * (application/x-www-form-urlencoded, URL standard section 5.1). */
#ifndef ESN_QUERY_H
#define ESN_QUERY_H

#include "bytes.h"

enum query_result {
    QUERY_END, /* no further one */
    QUERY_FOUND,
    QUERY_BROKEN /* its percent-encoding is, or there was no memory (value->failed) */
};

/* Appends the decoded value of the next parameter of this name and moves *at behind it. Begin with
 * *at at the query's first character, behind the "?". */
enum query_result query_next(const char **at, const char *name, struct bytes *value);
/* The same for a topic: a "+" that is a level by itself is the wildcard, where forms mean a blank.
 */
enum query_result query_next_topic(const char **at, const char *name, struct bytes *topic);

#endif
