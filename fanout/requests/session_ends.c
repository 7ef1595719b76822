#include "requests/session_ends.h"

#include "clock.h"
#include "events/drops.h"
#include "messages.h"
#include "sessions/session_id.h"
#include "streams/revocations.h"
#include "streams/streams.h"
#include "user_id.h"
#include "watch/session_watch.h"

#include <stdio.h>
#include <string.h>

static struct identity_name *find(const struct session_ends *ends, const char *sid)
{
    return identities_find(&ends->streams->identities, DROP_SESSION, sid, strlen(sid));
}

static bool is_held(void *context, const char *sid)
{
    const struct session_ends *ends = context;
    return find(ends, sid) != NULL;
}

static void add_to_list(struct hash_node *node, void *context)
{
    const struct identity_name *name = identity_name_of(node);
    if (name->kind == DROP_SESSION && session_sid_is_one(name->text))
        bytes_append(context, name->text, name->length + 1);
}

static size_t list_held(void *context, size_t cursor, struct bytes *sids)
{
    const struct session_ends *ends = context;
    return hash_table_walk(&ends->streams->identities.by_text, cursor, add_to_list, sids);
}

/* Also of one that nobody holds: a ticket of it may be on its way. It is not kept on disk, since it
 * cannot be for longer than tickets are taken. */
static void end_session(void *context, const char *sid)
{
    const struct session_ends *ends = context;
    const struct config *config = ends->config;
    const struct drop drop = {.kind = DROP_SESSION, .name = sid, .name_length = strlen(sid)};
    uint64_t now_ms = clock_wall_ms();
    (void)revocations_add(ends->drops->revocations, drop.kind, drop.name, drop.name_length, now_ms,
                          now_ms + config->ticket_life_max + config->ticket_skew, now_ms);
    if (find(ends, sid) != NULL && !drops_order(ends->drops, &drop))
        message_error("streams of a session that has ended cannot be dropped",
                      message_text("reason", "out of memory"));
}

/* Streams of one session are all of one user, unless it changed hands. One of before the login is
 * heard as nobody and stays so: whoever logs in in one tab does not end the others. */
static void look_whose(void *context, const char *sid, const char *user)
{
    const struct session_ends *ends = context;
    const struct identity_name *name = find(ends, sid);
    const struct stream_identity *identity;
    if (name == NULL)
        return;
    LIST_FOREACH(identity, &name->members, by_session)
    {
        if (strcmp(identity->user->text, USER_ID_NO_USER) != 0 &&
            strcmp(identity->user->text, user) != 0) {
            end_session(context, sid);
            return;
        }
    }
}

bool session_ends_open(struct session_ends *ends, uv_loop_t *loop, char *error)
{
    const struct session_watch_user user = {.holds = is_held,
                                            .list = list_held,
                                            .ended = end_session,
                                            .is_of = look_whose,
                                            .context = ends};
    if (ends->config->redis_url == NULL || !ends->config->redis_watch_sessions)
        return true;
    if (!redis_config_load(&ends->redis, ends->config, error))
        return false;
    ends->watch = session_watch_open(loop, ends->config, &ends->redis, &user, ends->had_sessions);
    if (ends->watch != NULL)
        return true;
    (void)snprintf(error, SECRET_ERROR_SIZE, "cannot listen to Redis: no memory or thread");
    redis_config_free(&ends->redis);
    return false;
}

bool session_ends_has_sessions(const struct session_ends *ends)
{
    return ends->had_sessions || session_watch_has_sessions(ends->watch);
}

void session_ends_stop(struct session_ends *ends)
{
    session_watch_stop(ends->watch);
}

void session_ends_close(struct session_ends *ends)
{
    session_watch_free(&ends->watch);
    redis_config_free(&ends->redis);
}
