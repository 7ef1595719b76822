/* The text of a PHP session, as PHP's session handlers keep it, and whose session it is. Reads
 * without making values of it, whatever classes it holds. Formats: PHP manual,
 * session.serialize_handler and serialize(). Pure. */
#ifndef ESN_SESSION_TEXT_H
#define ESN_SESSION_TEXT_H

#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>

enum session_format {
    SESSION_PHP,           /* name|value name|value ...: PHP's default */
    SESSION_PHP_SERIALIZE, /* one serialized array */
    SESSION_JSON           /* one JSON object, as phpredis and others can write it */
};

enum session_result {
    SESSION_USER,    /* the user's id, in canonical form */
    SESSION_NOBODY,  /* a session without user: nothing stands at the path, null, false or an empty
                        string */
    SESSION_NOT_READ /* not of this format, or what stands at the path is no user id */
};

/* `path`: names joined by dots, from the session's variable to the id: "uid", "user.id". A name may
 * be a property of an object, of whatever visibility. */
enum session_result session_text_user(const char *text, size_t length, enum session_format format,
                                      const char *path, char user[USER_ID_SIZE]);

#endif
