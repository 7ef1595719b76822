#include "token_request.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

static const char *take_text(const json_t *root, const char *name, const char **out, size_t *length,
                             const char *fault)
{
    const json_t *value = json_object_get(root, name);
    *out = NULL;
    if (value == NULL || json_is_null(value))
        return NULL;
    *out = json_string_value(value);
    if (*out == NULL)
        return fault;
    *length = json_string_length(value);
    return NULL;
}

static const char *take_proof(struct token_request *request)
{
    static const char fault[] = "proof should be a text of 16 to 256 characters";
    size_t length = 0;
    const char *wrong = take_text(request->json, "proof", &request->proof, &length, fault);
    if (wrong != NULL || request->proof == NULL)
        return wrong;
    return length < TOKEN_PROOF_MIN || length > TOKEN_PROOF_MAX || strlen(request->proof) != length
               ? fault
               : NULL;
}

static const char *take_members(struct token_request *request)
{
    const char *fault = take_text(request->json, "bind_key", &request->bind_key,
                                  &request->bind_key_length, "bind_key should be a text");
    if (fault == NULL)
        fault = take_text(request->json, "refresh_token", &request->refresh_token,
                          &request->refresh_token_length, "refresh_token should be a text");
    if (fault == NULL)
        fault = take_proof(request);
    if (fault == NULL && request->bind_key != NULL && request->refresh_token != NULL)
        fault = "either bind_key or refresh_token, not both";
    return fault;
}

/* RFC 6265, section 5.4: NAME=VALUE; NAME=VALUE. */
static void take_cookie(struct token_request *request, const char *cookies)
{
    static const char name[] = TOKEN_COOKIE "=";
    for (const char *at = cookies; *at != '\0';) {
        at += strspn(at, "; \t");
        size_t length = strcspn(at, ";");
        size_t value = sizeof name - 1;
        if (length > value && length - value < sizeof request->cookie &&
            memcmp(at, name, value) == 0) {
            memcpy(request->cookie, at + value, length - value);
            request->cookie[length - value] = '\0';
            request->refresh_token = request->cookie;
            request->refresh_token_length = length - value;
            return;
        }
        at += length;
    }
}

const char *token_request_read(struct token_request *request, const char *body, size_t length,
                               const char *cookies)
{
    *request = (struct token_request){0};
    if (length > 0 || cookies == NULL) {
        request->json = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(request->json))
            return "the body should be a JSON object";
    }
    const char *fault = take_members(request);
    if (fault == NULL && cookies != NULL && request->bind_key == NULL &&
        request->refresh_token == NULL)
        take_cookie(request, cookies);
    if (fault == NULL && request->bind_key == NULL && request->refresh_token == NULL)
        fault = "bind_key or refresh_token missing";
    return fault;
}

void token_request_free(struct token_request *request)
{
    json_decref(request->json);
    explicit_bzero(request->cookie, sizeof request->cookie);
    request->json = NULL;
}

static bool has_port(const char *host)
{
    const char *colon = strrchr(host, ':');
    return colon != NULL && strchr(colon, ']') == NULL;
}

bool token_request_is_of_site(const char *origin, const char *host, const char *port)
{
    size_t scheme = origin == NULL                        ? 0
                    : strncmp(origin, "https://", 8) == 0 ? 8
                    : strncmp(origin, "http://", 7) == 0  ? 7
                                                          : 0;
    if (scheme == 0 || host == NULL || *host == '\0')
        return false;
    const char *name = origin + scheme;
    size_t length = strlen(host);
    if (strcasecmp(name, host) == 0)
        return true;
    return port != NULL && !has_port(host) && strncasecmp(name, host, length) == 0 &&
           name[length] == ':' && strcmp(name + length + 1, port) == 0;
}
