#include "bus/bus_redis_given.h"

#include <string.h>

void redis_given_doubt(struct redis_given *given)
{
    given->doubtful = REDIS_GIVEN_MOST;
}

/* The publisher's own id when it gave one, else handler and sequence. */
static void write_key(unsigned char key[ENVELOPE_POST_KEY_SIZE], const struct envelope *envelope)
{
    if ((envelope->flags & ENVELOPE_HAS_POST_KEY) != 0) {
        memcpy(key, envelope->post_key, ENVELOPE_POST_KEY_SIZE);
        return;
    }
    memcpy(key, &envelope->publisher, 8);
    memcpy(key + 8, &envelope->sequence, 8);
}

static bool is_known(const struct redis_given *given, const unsigned char *key)
{
    size_t count = given->count < REDIS_GIVEN_MOST ? given->count : REDIS_GIVEN_MOST;
    for (size_t i = 0; i < count; i++)
        if (memcmp(given->keys[i], key, ENVELOPE_POST_KEY_SIZE) == 0)
            return true;
    return false;
}

bool redis_given_note(struct redis_given *given, const struct envelope *envelope)
{
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
    write_key(key, envelope);
    bool known = given->doubtful > 0 && is_known(given, key);
    if (given->doubtful > 0)
        given->doubtful--;
    memcpy(given->keys[given->count++ % REDIS_GIVEN_MOST], key, sizeof key);
    return known;
}
