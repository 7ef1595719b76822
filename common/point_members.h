/* What event points (docs/protocol.md section 3) and requested topics (section 2) share as JSON
 * objects. A member that is not known could have made narrower who hears something, so it is an
 * error and never passed over. Pure. */
#ifndef ESN_POINT_MEMBERS_H
#define ESN_POINT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

struct json_t;

enum { POINT_MEMBER_SIZE = 41 };

/* True when the object has no members but those of `known`, which NULL ends. Else the first other
 * one stands in `unknown`: cut off where it is long, and in characters that fit a reason phrase, a
 * log line and a JSON string alike. */
bool point_members_are_known(const struct json_t *point, const char *const *known,
                             char unknown[POINT_MEMBER_SIZE]);

/* Whether the point is bound: "binded", which may be spelt "bound" too; missing or null: it is not.
 * False when a value is neither true nor false, or when the two contradict each other. */
bool point_members_read_bound(const struct json_t *point, bool *bound);

/* What is said then. */
extern const char POINT_MEMBERS_BOUND_FAULT[];

/* True, false, missing or null, which is false. False when the value is something else. */
bool point_members_read_flag(bool *flag, const struct json_t *value);

/* Writes a name so that it fits a reason phrase, a log line and a JSON string alike: cut off to the
 * room, with '?' for what does not. */
void point_members_write_name(char *out, size_t size, const char *name, size_t length);

#endif
