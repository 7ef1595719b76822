#include "redis_binding.h"

#include "messages.h"
#include "sessions/redis_session.h"
#include "sessions/session_id.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct redis_binding {
    const struct config *config;
    struct redis_binding_common *common;
    struct redis_client *client;
};

bool redis_binding_common_open(struct redis_binding_common *common, const struct config *config)
{
    const struct backend_gate_options gate = {.threads = (unsigned)config->subscribe_threads,
                                              .time_limit_ms =
                                                  config->redis_connect_time + config->redis_time,
                                              .down_ms = config->redis_down_time};
    *common = (struct redis_binding_common){.gate = backend_gate_open(&gate)};
    return common->gate != NULL;
}

void redis_binding_common_close(struct redis_binding_common *common)
{
    backend_gate_close(&common->gate);
}

struct redis_binding *redis_binding_open(const struct config *config,
                                         const struct redis_config *redis,
                                         struct redis_binding_common *common)
{
    struct redis_binding *binding = calloc(1, sizeof *binding);
    if (binding == NULL)
        return NULL;
    binding->config = config;
    binding->common = common;
    binding->client = redis_client_open(&redis->options);
    if (binding->client == NULL)
        redis_binding_close(&binding);
    return binding;
}

void redis_binding_close(struct redis_binding **binding)
{
    if (*binding == NULL)
        return;
    redis_client_close(&(*binding)->client);
    free(*binding);
    *binding = NULL;
}

/* ---- what the log says ---- */

static void tell(struct redis_binding *binding, enum redis_session_result result, const char *error)
{
    enum trouble_change away =
        trouble_note(&binding->common->trouble, result == REDIS_SESSION_UNAVAILABLE);
    enum trouble_change strange =
        result == REDIS_SESSION_NOT_READ || result == REDIS_SESSION_USER
            ? trouble_note(&binding->common->strange, result == REDIS_SESSION_NOT_READ)
            : TROUBLE_STAYS;
    if (away == TROUBLE_BEGINS)
        message_error("Redis does not answer as it should", message_text("reason", error));
    else if (away == TROUBLE_ENDS)
        message_warning("Redis answers again");
    if (strange == TROUBLE_BEGINS)
        message_error("sessions in Redis cannot be read", message_text("reason", error));
    else if (strange == TROUBLE_ENDS)
        message_warning("sessions in Redis can be read again");
}

/* ---- asking ---- */

static enum redis_session_result look(struct redis_binding *binding, const char *session,
                                      char user[USER_ID_SIZE])
{
    char error[REDIS_CLIENT_ERROR_SIZE] = "";
    uint64_t entered = backend_gate_enter(binding->common->gate);
    if (entered == 0)
        return REDIS_SESSION_UNAVAILABLE;
    enum redis_session_result result =
        redis_session_user(binding->client, binding->config, session, strlen(session), user, error);
    backend_gate_leave(binding->common->gate, entered, result != REDIS_SESSION_UNAVAILABLE);
    tell(binding, result, error);
    return result;
}

static bool take_session(struct identity *identity, const char *session)
{
    char sid[SESSION_SID_SIZE];
    if (!session_id_hash(sid, session, strlen(session)))
        return false;
    identity->json = json_pack("{ss ss}", "sid", sid, "session", session);
    identity->sid = json_string_value(json_object_get(identity->json, "sid"));
    return identity->sid != NULL;
}

enum binding_answer redis_binding_ask(struct redis_binding *binding, const char *session,
                                      struct identity *identity)
{
    *identity = (struct identity){.until_ms = UINT64_MAX};
    enum redis_session_result result = look(binding, session, identity->user);
    if (result == REDIS_SESSION_USER && take_session(identity, session))
        return BINDING_USER;
    identity_free(identity);
    return result == REDIS_SESSION_NONE ? BINDING_REFUSED : BINDING_UNAVAILABLE;
}

const char *redis_binding_session(const struct identity *identity)
{
    return json_string_value(json_object_get(identity->json, "session"));
}
