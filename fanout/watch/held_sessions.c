#include "watch/held_sessions.h"

#include "sessions/session_id.h"

#include <stdlib.h>
#include <string.h>

struct held_session {
    char sid[SESSION_SID_SIZE];
    bool is_there;
};

struct held_sessions {
    size_t count;
    struct held_session all[]; /* by sid */
};

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct held_session *)one)->sid,
                  ((const struct held_session *)other)->sid);
}

struct held_sessions *held_sessions_new(const char *sids, size_t length)
{
    size_t most = length / SESSION_SID_SIZE;
    struct held_sessions *held = calloc(1, sizeof *held + most * sizeof *held->all);
    if (held == NULL)
        return NULL;
    for (size_t at = 0; at < length && held->count < most; at += strlen(sids + at) + 1)
        if (session_sid_is_one(sids + at))
            memcpy(held->all[held->count++].sid, sids + at, SESSION_SID_SIZE);
    qsort(held->all, held->count, sizeof *held->all, compare);
    return held;
}

void held_sessions_free(struct held_sessions **held)
{
    free(*held);
    *held = NULL;
}

size_t held_sessions_count(const struct held_sessions *held)
{
    return held->count;
}

bool held_sessions_note(struct held_sessions *held, const char *sid)
{
    struct held_session key = {.is_there = true};
    if (!session_sid_is_one(sid))
        return false;
    memcpy(key.sid, sid, SESSION_SID_SIZE);
    struct held_session *found = bsearch(&key, held->all, held->count, sizeof *held->all, compare);
    if (found != NULL)
        found->is_there = true;
    return found != NULL;
}

const char *held_sessions_next_missing(const struct held_sessions *held, size_t *at)
{
    while (*at < held->count) {
        const struct held_session *one = &held->all[(*at)++];
        if (!one->is_there)
            return one->sid;
    }
    return NULL;
}
