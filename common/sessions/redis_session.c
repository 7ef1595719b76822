#include "sessions/redis_session.h"

#include "bytes.h"
#include "sessions/session_text.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)SESSION_PHP == (int)CONFIG_SESSION_PHP &&
                   (int)SESSION_PHP_SERIALIZE == (int)CONFIG_SESSION_PHP_SERIALIZE &&
                   (int)SESSION_JSON == (int)CONFIG_SESSION_JSON,
               "the formats are in the order of the words");

const char *redis_session_prefix(const struct config *config)
{
    return config->redis_session_prefix != NULL ? config->redis_session_prefix : "";
}

static struct redis_answer *get(struct redis_client *client, const struct bytes *key,
                                char error[REDIS_CLIENT_ERROR_SIZE])
{
    const struct redis_word words[] = {{"GET", 3}, {key->data, key->length}};
    if (key->failed) {
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE, "no memory");
        return NULL;
    }
    return redis_client_ask(client, words, sizeof words / sizeof *words, error);
}

static enum redis_session_result read_user(const struct redis_answer *answer,
                                           const struct config *config, char user[USER_ID_SIZE],
                                           char error[REDIS_CLIENT_ERROR_SIZE])
{
    size_t length;
    const char *text = redis_answer_text(answer, &length);
    if (text == NULL)
        return REDIS_SESSION_NONE;
    switch (session_text_user(text, length, (enum session_format)config->redis_session_serializer,
                              config->redis_session_user, user)) {
    case SESSION_USER:
        return REDIS_SESSION_USER;
    case SESSION_NOBODY:
        memcpy(user, USER_ID_NO_USER, sizeof USER_ID_NO_USER);
        return REDIS_SESSION_USER;
    default:
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE,
                       "a session is not as [redis] session_serializer says, or has no user id at "
                       "session_user");
        return REDIS_SESSION_NOT_READ;
    }
}

enum redis_session_result redis_session_user(struct redis_client *client,
                                             const struct config *config, const char *id,
                                             size_t length, char user[USER_ID_SIZE],
                                             char error[REDIS_CLIENT_ERROR_SIZE])
{
    struct bytes key = BYTES_EMPTY;
    bytes_append_text(&key, redis_session_prefix(config));
    bytes_append(&key, id, length);
    user[0] = '\0';
    struct redis_answer *answer = get(client, &key, error);
    enum redis_session_result result =
        answer != NULL ? read_user(answer, config, user, error) : REDIS_SESSION_UNAVAILABLE;
    redis_answer_free(&answer);
    bytes_free(&key);
    return result;
}
