/* One publisher: its name and what it may do. */
#ifndef ESN_PUBLISHER_H
#define ESN_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PUBLISHER_NAME_MAX = 64, PUBLISHERS_MAX = 1000, PUBLISHERS_ERROR_SIZE = 512 };

/* What is more than a plain event. */
enum publisher_may {
    PUBLISHER_MAY_BOUND = 1,
    PUBLISHER_MAY_WHISPER = 2,
    PUBLISHER_MAY_PRIVATE = 4,
    PUBLISHER_MAY_USERS = 8, /* address events to users */
    PUBLISHER_MAY_DROP = 16,
    PUBLISHER_MAY_REPORT = 32, /* ask who had its events */
    PUBLISHER_MAY_ALL = 63
};

struct publisher {
    char name[PUBLISHER_NAME_MAX + 1]; /* "": by a token of token_file */
    uint64_t id;                       /* for rates: of the name, or of the token; never 0 */
    unsigned may;                      /* enum publisher_may */
    bool is_signed;                    /* its bare secret is refused */
    unsigned rate;                     /* events a second; 0: as [publish] says */
};

#endif
