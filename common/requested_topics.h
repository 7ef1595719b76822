/* The topics that a client asks for: a list out, or the reason why it is refused. Pure. */
#ifndef ESN_REQUESTED_TOPICS_H
#define ESN_REQUESTED_TOPICS_H

#include "config/config.h"
#include "point_members.h"

#include <stdbool.h>
#include <stddef.h>

struct json_t;

/* The reason that is no fault of the client: compare pointers. */
extern const char REQUESTED_TOPICS_NO_MEMORY[];

struct requested_topic {
    const char *text; /* borrowed from what was read */
    size_t length;
    bool bound;   /* heard as its user; @USER@ however it is asked for */
    bool granted; /* private: heard by a grant */
};

enum { REQUESTED_TOPIC_NAME_SIZE = 101, REQUESTED_TOPICS_FAULT_SIZE = 140 };

/* What whoever reads topics allows beyond those that anybody may hear. */
enum requested_topics_allow {
    REQUESTED_TOPICS_PROVEN = 1,  /* who asks has shown who it is */
    REQUESTED_TOPICS_BOUND = 2,   /* bound and private ones, since the proof stands beside them */
    REQUESTED_TOPICS_GIVEN_UP = 4 /* they are not wanted any more: any may be named */
};

struct requested_topics {
    struct requested_topic *list; /* each once, in the order asked for */
    size_t count;
    char fault[REQUESTED_TOPICS_FAULT_SIZE]; /* a reason that names what was wrong */
};

/* Reads an array of topics (docs/protocol.md section 2). NULL, or the reason why it is refused,
 * static or in *topics, which is to be freed either way. `allow`: of enum requested_topics_allow.
 * Whether a private one is granted is another question. */
const char *requested_topics_read(struct requested_topics *topics, const struct json_t *points,
                                  unsigned allow, const struct config *config);
/* The same of a list that was read before, as that of a ticket. */
const char *requested_topics_check(struct requested_topics *topics,
                                   const struct requested_topic *list, size_t count, unsigned allow,
                                   const struct config *config);
void requested_topics_free(struct requested_topics *topics);

/* "WHAT: TOPIC", in characters that fit a reason phrase; `what` has up to 38. */
const char *requested_topic_name_fault(char fault[REQUESTED_TOPICS_FAULT_SIZE], const char *what,
                                       const struct requested_topic *topic);

/* One entry by its shape alone: a text, or an object with "topic" and no members that are not
 * known. NULL, or the reason, static or in `fault`. */
const char *requested_topic_read(struct requested_topic *topic, const struct json_t *point,
                                 char fault[REQUESTED_TOPICS_FAULT_SIZE]);

#endif
