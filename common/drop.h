/* An order to end streams (docs/protocol.md section 6), as a backend gives it and as it travels on
 * the bus. Pure. */
#ifndef ESN_DROP_H
#define ESN_DROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum drop_kind { DROP_USER = 1, DROP_SESSION = 2, DROP_CONNECTION = 3, DROP_CLIENT = 4 };

enum { DROP_RECORD_SIZE = 12, DROP_NAME_MAX = 65535 };

/* Whose streams end. */
struct drop {
    enum drop_kind kind;
    const char *name; /* user id, session or client id, borrowed; not terminated by NUL */
    size_t name_length;
    uint64_t connid; /* of DROP_CONNECTION, which has no name */
    uint64_t for_ms; /* how long proofs of before are refused; of users and sessions alone */
};

/* All but the name, as bytes: docs/bus.md has the layout. */
void drop_write(unsigned char out[DROP_RECORD_SIZE], const struct drop *drop);
/* False when the bytes are no drop of this version, or do not go with the name, which is borrowed.
 */
bool drop_read(struct drop *drop, const void *record, size_t length, const char *name,
               size_t name_length);
/* The word for the kind, as a backend says it. */
const char *drop_kind_name(enum drop_kind kind);

#endif
