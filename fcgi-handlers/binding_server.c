#include "binding_server.h"

#include "bytes.h"
#include "clock.h"
#include "messages.h"
#include "web_request.h"

#include <jansson.h>
#include <stdlib.h>

struct binding_server {
    const struct config *config;
    struct binding_common *common;
    struct web_request *request;
};

/* ---- opening ---- */

bool binding_common_open(struct binding_common *common, const struct config *config)
{
    const struct backend_gate_options gate = {.threads = (unsigned)config->subscribe_threads,
                                              .time_limit_ms = config->binding_time,
                                              .down_ms = config->binding_down_time};
    common->trouble = (struct trouble){0};
    common->gate = backend_gate_open(&gate);
    if (common->gate != NULL && web_request_open_library())
        return true;
    backend_gate_close(&common->gate);
    return false;
}

void binding_common_close(struct binding_common *common)
{
    backend_gate_close(&common->gate);
    web_request_close_library();
}

struct binding_server *binding_server_open(const struct config *config,
                                           struct binding_common *common)
{
    struct binding_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->config = config;
    server->common = common;
    const struct web_request_options options = {
        .url = config->binding_url,
        .method = config->binding_method,
        .header = "Content-Type: text/plain",
        .ca_file = config->binding_ca_file,
        .limit_ms = config->binding_time,
        .max_answer = (size_t)config->binding_max_answer,
        .too_large =
            "the answer is larger than [binding] max_answer, or its headers are too large"};
    server->request = web_request_open(&options);
    if (server->request == NULL)
        binding_server_close(&server);
    return server;
}

void binding_server_close(struct binding_server **server)
{
    struct binding_server *old = *server;
    if (old == NULL)
        return;
    *server = NULL;
    web_request_close(&old->request);
    free(old);
}

/* ---- asking ---- */

static enum binding_answer tell(struct binding_server *server, enum binding_answer answer,
                                const char *reason, long status)
{
    enum trouble_change change =
        trouble_note(&server->common->trouble, answer == BINDING_UNAVAILABLE);
    if (change == TROUBLE_BEGINS)
        message_error("the binding server does not answer as it should",
                      message_text("reason", reason), message_number("status", status),
                      message_text("url", server->config->binding_url));
    else if (change == TROUBLE_ENDS)
        message_warning("the binding server answers again",
                        message_text("url", server->config->binding_url));
    return answer;
}

/* A session that has ended is refused like a key that nobody has. */
static enum binding_answer read_object(struct binding_server *server, json_t *answer,
                                       struct identity *identity)
{
    const char *fault = identity_from_answer(identity, answer, clock_wall_ms());
    if (fault == NULL)
        return tell(server, BINDING_USER, NULL, 200);
    if (fault == IDENTITY_IS_OVER)
        return tell(server, BINDING_REFUSED, NULL, 200);
    return tell(server, BINDING_UNAVAILABLE, fault, 200);
}

/* Words are answers, also those that are nobody's name; anything but a user id, a word or an object
 * is none. */
static enum binding_answer read_answer(struct binding_server *server, const struct bytes *text,
                                       struct identity *identity)
{
    json_t *json = json_loadb(text->data != NULL ? text->data : "", text->length,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return read_object(server, json, identity);
    enum binding_answer answer = json_is_string(json) ? BINDING_REFUSED : BINDING_UNAVAILABLE;
    if (user_id_from_json(identity->user, json) != USER_ID_INVALID)
        answer = BINDING_USER;
    json_decref(json);
    return tell(server, answer, "the answer is neither a user id nor an object in JSON", 200);
}

static enum binding_answer ask(struct binding_server *server, const char *key, size_t length,
                               struct identity *identity)
{
    const struct bytes *answer;
    const char *reason;
    long status;
    if (!web_request_send(server->request, key, length, &answer, &reason, &status))
        return tell(server, BINDING_UNAVAILABLE, reason, status);
    return read_answer(server, answer, identity);
}

enum binding_answer binding_server_ask(struct binding_server *server, const char *key,
                                       size_t length, struct identity *identity)
{
    *identity = (struct identity){.until_ms = UINT64_MAX};
    uint64_t entered = backend_gate_enter(server->common->gate);
    if (entered == 0)
        return BINDING_UNAVAILABLE;
    enum binding_answer answer = ask(server, key, length, identity);
    backend_gate_leave(server->common->gate, entered, answer != BINDING_UNAVAILABLE);
    return answer;
}
