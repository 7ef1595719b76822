/* The sessions that somebody holds a stream of, while all keys of Redis are gone through: which of
 * them are still there. Pure. */
#ifndef ESN_HELD_SESSIONS_H
#define ESN_HELD_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

struct held_sessions;

/* Of sids, each with its NUL. NULL without memory. */
struct held_sessions *held_sessions_new(const char *sids, size_t length);
void held_sessions_free(struct held_sessions **held);
size_t held_sessions_count(const struct held_sessions *held);
/* Notes that it is there; false when nobody holds it. */
bool held_sessions_note(struct held_sessions *held, const char *sid);
/* The next one that was not noted, from *at on, which begins with 0; NULL: no further one. */
const char *held_sessions_next_missing(const struct held_sessions *held, size_t *at);

#endif
