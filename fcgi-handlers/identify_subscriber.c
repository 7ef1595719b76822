#include "identify_subscriber.h"

#include "bind_key.h"
#include "binding_server.h"
#include "clock.h"
#include "credentials.h"
#include "messages.h"
#include "redis_binding.h"
#include "token_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far more than RSA needs: what is longer is not sent to the binding server. */
enum { BIND_KEY_MAX = 16384 };

struct identify_common {
    struct binding_common binding;
    struct redis_binding_common sessions;
    struct token_keys_common *tokens;
};

struct identify {
    const struct subscribe_settings *settings;
    struct bind_key_reader *bind_keys; /* NULL: the binding server is asked */
    struct binding_server *binding;    /* NULL: nobody is asked */
    struct redis_binding *sessions;    /* NULL: bind keys name users, not sessions in Redis */
    struct token_keys *tokens;
};

/* ---- what is needed ---- */

static bool open_common(struct identify_common *common, const struct config *config)
{
    common->tokens = token_keys_common_open(config);
    if (common->tokens == NULL)
        return false;
    if (binding_common_open(&common->binding, config)) {
        if (redis_binding_common_open(&common->sessions, config))
            return true;
        binding_common_close(&common->binding);
    }
    token_keys_common_close(&common->tokens);
    return false;
}

struct identify_common *identify_common_open(const struct subscribe_settings *settings)
{
    struct identify_common *common = calloc(1, sizeof *common);
    if (common != NULL && !open_common(common, &settings->config)) {
        free(common);
        common = NULL;
    }
    return common;
}

void identify_common_close(struct identify_common **common)
{
    if (*common != NULL) {
        binding_common_close(&(*common)->binding);
        redis_binding_common_close(&(*common)->sessions);
        token_keys_common_close(&(*common)->tokens);
    }
    free(*common);
    *common = NULL;
}

static bool open_binding(struct identify *identify, struct identify_common *common)
{
    const struct config *config = &identify->settings->config;
    if (config->binding_mode == CONFIG_BINDING_REDIS) {
        identify->sessions =
            redis_binding_open(config, &identify->settings->redis, &common->sessions);
        return identify->sessions != NULL;
    }
    if (identify->bind_keys != NULL || config->binding_url == NULL)
        return true;
    identify->binding = binding_server_open(config, &common->binding);
    return identify->binding != NULL;
}

static bool open_tokens(struct identify *identify, struct identify_common *common)
{
    const struct jose_keys *const own[TOKEN_KEYS_OWN] = {
        identify->settings->token_keys,
        identify->settings->signer != NULL ? jws_signer_keys(identify->settings->signer) : NULL};
    identify->tokens = token_keys_open(&identify->settings->config, common->tokens, own);
    return identify->tokens != NULL;
}

struct identify *identify_open(const struct subscribe_settings *settings,
                               struct identify_common *common, char *error)
{
    struct identify *identify = calloc(1, sizeof *identify);
    snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
    if (identify == NULL)
        return NULL;
    identify->settings = settings;
    if (!subscribe_settings_open_bind_keys(settings, &identify->bind_keys, error) ||
        !open_binding(identify, common) || !open_tokens(identify, common))
        identify_close(&identify);
    return identify;
}

void identify_close(struct identify **identify)
{
    struct identify *old = *identify;
    if (old == NULL)
        return;
    *identify = NULL;
    bind_key_reader_close(&old->bind_keys);
    binding_server_close(&old->binding);
    redis_binding_close(&old->sessions);
    token_keys_close(&old->tokens);
    free(old);
}

/* ---- bind keys ---- */

static enum binding_answer ask_redis(struct identify *identify, const char *key, size_t length,
                                     struct identity *identity, char why[BIND_KEY_WHY_SIZE])
{
    char session[SESSION_ID_SIZE];
    if (!bind_key_read_session(identify->bind_keys, key, length, clock_wall_ms() / 1000, session,
                               why))
        return BINDING_REFUSED;
    (void)snprintf(why, BIND_KEY_WHY_SIZE, "Redis has no such session");
    return redis_binding_ask(identify->sessions, session, identity);
}

static enum binding_answer ask_server(struct identify *identify, const char *key, size_t length,
                                      struct identity *identity, char why[BIND_KEY_WHY_SIZE])
{
    (void)snprintf(why, BIND_KEY_WHY_SIZE, "it has %zu bytes", length);
    if (length == 0 || length > BIND_KEY_MAX)
        return BINDING_REFUSED;
    (void)snprintf(why, BIND_KEY_WHY_SIZE, "the binding server knows no user for it");
    return binding_server_ask(identify->binding, key, length, identity);
}

static enum binding_answer read_bind_key(struct identify *identify, const char *key, size_t length,
                                         struct identity *identity, char why[BIND_KEY_WHY_SIZE])
{
    *identity = (struct identity){.until_ms = UINT64_MAX};
    if (identify->sessions != NULL)
        return ask_redis(identify, key, length, identity, why);
    if (identify->bind_keys == NULL)
        return ask_server(identify, key, length, identity, why);
    return bind_key_read(identify->bind_keys, key, length, clock_wall_ms() / 1000, identity->user,
                         why)
               ? BINDING_USER
               : BINDING_REFUSED;
}

enum identify_result identify_bind_key(struct identify *identify,
                                       const struct handler_request *request, const char *key,
                                       size_t length, struct identity *identity,
                                       const char **reason)
{
    char why[BIND_KEY_WHY_SIZE];
    *reason = "Bind keys are not configured";
    if (identify->bind_keys == NULL && identify->binding == NULL)
        return IDENTIFY_REFUSED;
    switch (read_bind_key(identify, key, length, identity, why)) {
    case BINDING_USER:
        return IDENTIFY_KNOWN;
    case BINDING_REFUSED:
        message_info("bind key refused", message_text("why", why),
                     message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
        *reason = "Invalid Bind Key";
        return IDENTIFY_REFUSED;
    default:
        *reason = "Bind keys cannot be checked now";
        return IDENTIFY_UNAVAILABLE;
    }
}

const char *identify_session_of(const struct identify *identify, const struct identity *identity)
{
    return identify->sessions != NULL ? redis_binding_session(identity) : NULL;
}

enum identify_result identify_session(struct identify *identify, const char *session,
                                      struct identity *identity)
{
    *identity = (struct identity){0};
    if (identify->sessions == NULL)
        return IDENTIFY_REFUSED;
    switch (redis_binding_ask(identify->sessions, session, identity)) {
    case BINDING_USER:
        return IDENTIFY_KNOWN;
    case BINDING_REFUSED:
        return IDENTIFY_REFUSED;
    default:
        return IDENTIFY_UNAVAILABLE;
    }
}

/* ---- access tokens ---- */

static const char *bearer_of(const struct identify *identify, const struct handler_request *request)
{
    return token_keys_are_there(identify->tokens)
               ? credentials_bearer(handler_request_variable(request, "HTTP_AUTHORIZATION"))
               : NULL;
}

bool identify_has_bearer(const struct identify *identify, const struct handler_request *request)
{
    return bearer_of(identify, request) != NULL;
}

static enum identify_result by_token(struct identify *identify,
                                     const struct handler_request *request, const char *token,
                                     size_t length, struct identity *identity, const char **reason)
{
    const char *why;
    *reason = "Access tokens are not configured";
    if (!token_keys_are_there(identify->tokens))
        return IDENTIFY_REFUSED;
    enum token_verdict verdict = token_keys_verify(identify->tokens, token, length, identity, &why);
    if (verdict == TOKEN_GOOD)
        return IDENTIFY_KNOWN;
    message_info("access token refused", message_text("why", why),
                 message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
    *reason = "Access tokens cannot be checked now";
    if (verdict == TOKEN_UNAVAILABLE)
        return IDENTIFY_UNAVAILABLE;
    *reason = "Invalid access token";
    return IDENTIFY_REFUSED;
}

enum identify_result identify_subscriber(struct identify *identify,
                                         const struct handler_request *request,
                                         const struct subscription_body *subscription,
                                         struct identity *identity, const char **reason)
{
    const char *bearer = bearer_of(identify, request);
    *identity = (struct identity){0};
    *reason = NULL;
    if (subscription->bind_key != NULL)
        return identify_bind_key(identify, request, subscription->bind_key,
                                 subscription->bind_key_length, identity, reason);
    if (subscription->token != NULL)
        return by_token(identify, request, subscription->token, subscription->token_length,
                        identity, reason);
    if (bearer != NULL)
        return by_token(identify, request, bearer, strlen(bearer), identity, reason);
    return IDENTIFY_NOBODY;
}
