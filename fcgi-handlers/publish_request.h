/* The body of `POST /event`: bytes in, validated event points and the canonical event out, or what
 * is wrong. Pure. */
#ifndef ESN_PUBLISH_REQUEST_H
#define ESN_PUBLISH_REQUEST_H

#include "bytes.h"
#include "envelope.h"
#include "point_members.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct publish_limits {
    unsigned max_depth;
    size_t max_event_points;
    size_t max_users; /* in `to` of one */
    size_t max_value; /* bytes of an event that is kept; 0: none may be */
    size_t max_topic_length;
    size_t max_topic_levels;
    uint64_t max_within_ms; /* for which reports are remembered */
    bool without_within;    /* nobody tells who had not had it in time: there are several daemons */
};

struct publish_point {
    const char *topic; /* valid UTF-8, as long as the request lives */
    size_t topic_length;
    bool wildcard;
    bool bound;    /* "binded": true, or "bound" */
    bool targeted; /* "targeted": true; bound too */
    bool granted;  /* "private": true: for private subscriptions alone */
    bool whispered;
    bool keeps;           /* "keep": true */
    bool excepts;         /* "except": to all but connection `whisper` */
    bool addressed;       /* "to": for the inboxes of `users` */
    struct bytes users;   /* canonical ids in order, each once, each followed by NUL */
    uint64_t whisper;     /* connid, when whispered; or of `excepts` */
    const char *password; /* NULL: none was given */
    size_t password_length;
    unsigned char post_key[ENVELOPE_POST_KEY_SIZE];
};

struct publish_request {
    struct publish_point *points; /* at least one */
    size_t count;
    struct bytes event; /* {"type":...,"detail":...} as it goes to subscribers */
    bool forgets;       /* its detail is null: with `keeps`, there is no value any more */
    struct bytes id;    /* the publisher's own */
    bool has_id;
    const char *bind_key; /* NULL: none was given */
    size_t bind_key_length;
    bool reported;         /* it is remembered who had it */
    uint32_t within_ms;    /* and told who had not by then; 0: it is not told */
    uint64_t token;        /* id of the entry token; 0 until the caller sets it */
    void *tree, *key_tree; /* own the texts */
};

enum { FAULT_LOG_SIZE = 96 };

struct publish_fault {
    int status;         /* HTTP */
    const char *reason; /* static, fit for a reason phrase */
    const char *detail; /* static, or in `text`, or NULL; so a fault is not copied */
    char text[POINT_MEMBER_SIZE + 24];
    char log[FAULT_LOG_SIZE]; /* what only the log is told; empty: no more than the client */
};

/* False with *fault set, and an empty request. The caller frees. */
bool publish_request_parse(struct publish_request *request, const char *body, size_t length,
                           const struct publish_limits *limits, struct publish_fault *fault);
/* Sets each point's post_key, by which the daemon knows doubles. It is of the id and of who uses
 * it: publisher (`token`), user (NULL: none), kind and topic, so that no publisher can take
 * another's ids, nor an event that is not bound one that is. False without memory. */
bool publish_request_make_keys(struct publish_request *request, const char *user);
/* Gives a request without an id of the publisher's own another. False without memory. */
bool publish_request_give_id(struct publish_request *request, const char *id, size_t length);
void publish_request_free(struct publish_request *request);

#endif
