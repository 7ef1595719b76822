/* PHP sessions, in each of the three formats. */
#include "sessions/session_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"uid", "user.id", "a.b.c", "0", "", "."};
    char user[USER_ID_SIZE];
    for (int format = SESSION_PHP; format <= SESSION_JSON; format++) {
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            enum session_result result = session_text_user(
                (const char *)data, size, (enum session_format)format, paths[i], user);
            if (result == SESSION_USER && user_id_kind(user, strlen(user)) != USER_ID_USER)
                abort();
        }
    }
    return 0;
}
