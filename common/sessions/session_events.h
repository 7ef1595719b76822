/* What Redis says when a key changes (keyspace notifications), as far as sessions need it: whether
 * it says it at all, where it is heard, and what it means. */
#ifndef ESN_SESSION_EVENTS_H
#define ESN_SESSION_EVENTS_H

#include "bytes.h"
#include "redis/redis_client.h"

#include <stddef.h>

enum session_events_state {
    SESSION_EVENTS_ON,
    SESSION_EVENTS_OFF,    /* some that are needed are not sent */
    SESSION_EVENTS_UNKNOWN /* the user may not ask (CONFIG), as some hosts of Redis have it */
};

/* The letters that `notify-keyspace-events` has to have, or "A" for all but the first. */
#define SESSION_EVENTS_NEEDED "K$gxe"

/* OFF and UNKNOWN come with a sentence in error. */
enum session_events_state session_events_ask(struct redis_client *client,
                                             char error[REDIS_CLIENT_ERROR_SIZE]);

/* Appends the pattern of the channels of all sessions with this prefix. */
void session_events_write_pattern(struct bytes *out, unsigned database, const char *prefix);
/* Appends the pattern of the keys themselves, for SCAN. */
void session_events_write_keys(struct bytes *out, const char *prefix);

enum session_event { SESSION_EVENT_NONE, SESSION_EVENT_ENDED, SESSION_EVENT_WRITTEN };

/* What a message of such a channel says, and of which session: *id is borrowed from it, or NULL. */
enum session_event session_event_read(const struct redis_answer *message, const char *prefix,
                                      const char **id, size_t *length);

#endif
