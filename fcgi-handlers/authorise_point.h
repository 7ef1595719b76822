/* Whether one event point of a post may be published, and who hears it: the only place that decides
 * it. docs/rights.md has the rules in words. */
#ifndef ESN_AUTHORISE_POINT_H
#define ESN_AUTHORISE_POINT_H

#include "bytes.h"
#include "config/config.h"
#include "event_settings.h"
#include "publish_request.h"

#include <stdbool.h>
#include <stdint.h>

/* What decisions need: the memory of passwords, which the threads of a process share, and a
 * connection to the database, which each has by itself. */
struct authority_common;
struct authority;

enum point_result {
    POINT_GRANTED,
    POINT_UNREGISTERED,
    POINT_FORBIDDEN,
    POINT_WRONG_PASSWORD,
    POINT_NOT_YOURS, /* beyond what the publishers_file lets this publisher do */
    POINT_LIMITED    /* too many wrong passwords lately: this one was not looked at */
};

/* What a publisher is told; of all but POINT_GRANTED. */
const char *point_result_word(enum point_result result);

struct point_decision {
    enum point_result result;
    uint16_t flags;       /* enum envelope_flag: who hears it; 0: everybody */
    struct bytes allowed; /* users, for the bus; to be freed */
};

/* NULL without memory. */
struct authority_common *authority_common_open(const struct config *config);
void authority_common_close(struct authority_common **common);

/* Connects to nothing yet. NULL with a sentence in error. */
struct authority *authority_open(const struct event_settings *settings,
                                 struct authority_common *common, char error[CONFIG_ERROR_SIZE]);
void authority_close(struct authority **authority);

/* `publisher` posts, for the user of the post's bind key; NULL: it has none. False with *fault set:
 * the whole post is refused. *decision starts empty. */
bool authorise_point(struct authority *authority, const struct publish_point *point,
                     const struct publisher *publisher, const char *user,
                     struct point_decision *decision, struct publish_fault *fault);

#endif
