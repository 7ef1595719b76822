/* Users for whom a publisher waits (docs/protocol.md section 3, "within"): whether any of their
 * clients had the event. */
#ifndef ESN_REPORT_USERS_H
#define ESN_REPORT_USERS_H

#include "net/deadlines.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct report;

enum { REPORT_NO_USER = UINT32_MAX };

struct report_user {
    const char *id;
    uint32_t sent;  /* to so many of its clients */
    bool is_unsaid; /* one of them does not say what it had: nobody will ever know */
    bool had;
    bool is_told; /* that it had not, or that is settled */
};

struct report_users {
    struct deadline due; /* when they are looked at */
    struct report *report;
    bool is_late; /* whoever was sent it has had some time more to say so */
    const char *topic;
    size_t topic_length;
    uint32_t count;
    size_t size;               /* of all of it, in bytes */
    struct report_user list[]; /* by id; then the texts */
};

/* Those whom the event names. NULL without memory. */
struct report_users *report_users_new(struct report *report, const struct event *event);
/* Sets *users to NULL; harmless when it is. */
void report_users_free(struct report_users **users);
/* The place of one of them, or REPORT_NO_USER. id: NULL: nobody. */
uint32_t report_users_find(const struct report_users *users, const char *id);

static inline struct report_users *report_users_of(struct deadline *due)
{
    return (struct report_users *)(void *)((char *)due - offsetof(struct report_users, due));
}

#endif
