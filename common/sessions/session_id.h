/* Ids of PHP sessions. One is a credential: whoever has it is the user. So a stream, a ticket, a
 * list or a line of a log never has it, but its hash: the `sid` of a stream of a session in Redis
 * is "session:" and the SHA-256 of the id in lower-case hexadecimal. */
#ifndef ESN_SESSION_ID_H
#define ESN_SESSION_ID_H

#include <stdbool.h>
#include <stddef.h>

#define SESSION_SID_PREFIX "session:"

enum {
    SESSION_ID_MAX = 255, /* bytes; PHP makes 22 to 256 of them, by default 32 */
    SESSION_ID_SIZE = SESSION_ID_MAX + 1,
    SESSION_SID_SIZE = sizeof SESSION_SID_PREFIX + 64
};

/* Characters that PHP takes for an id: letters, digits, "," and "-". */
bool session_id_is_valid(const char *text, size_t length);
/* False: OpenSSL failed. */
bool session_id_hash(char sid[SESSION_SID_SIZE], const char *id, size_t length);
/* A stream with this sid is one of a session in Redis. */
bool session_sid_is_one(const char *sid);

#endif
