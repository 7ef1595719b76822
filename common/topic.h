/* Topics: `/`-separated levels of case-sensitive UTF-8. A level `+` stands for one level, a last level `#` for the
 * rest including nothing (MQTT 3.1.1, section 4.7). Pure: no state. */
#ifndef ESN_TOPIC_H
#define ESN_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when the bytes are a topic that can be subscribed to or published on; else a static sentence that says why not
 * (empty, NUL inside, invalid UTF-8, longer than max_length bytes, more than max_levels levels). */
const char *topic_fault(const char *topic, size_t length, size_t max_length, size_t max_levels);

/* Has a level `+`, or a last level `#`. */
bool topic_has_wildcard(const char *topic, size_t length);

/* First level is @SERVER@, @CONNECTION@, @USER@ or @bind@: not for publishers. */
bool topic_is_reserved(const char *topic, size_t length);

/* Takes the first level off *rest: sets *level and *level_length, moves *rest behind the following '/'. False when
 * nothing was left (*rest is NULL). "a//b" has three levels, "a/" has two. */
bool topic_next_level(const char **rest, size_t *rest_length, const char **level,
                      size_t *level_length);

/* True when some topic is matched by both patterns. A wildcard in the first level never matches a first level that
 * starts with '@', on either side. The reference for what the daemon's index does. */
bool topic_matches(const char *a, size_t a_length, const char *b, size_t b_length);

/* True when every topic that `topic`, which may be a pattern, matches is matched by `pattern` too: what a grant is
 * measured by. A wildcard in the first level does not cover one that starts with '@'. */
bool topic_covers(const char *pattern, size_t pattern_length, const char *topic,
                  size_t topic_length);

#endif
