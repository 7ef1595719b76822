#include "token_desk.h"

#include "clock.h"
#include "cors.h"
#include "family_drops.h"
#include "handler_reply.h"
#include "hex.h"
#include "messages.h"
#include "refresh_token.h"
#include "retry_after.h"
#include "sealed_text.h"
#include "secret.h"
#include "sessions/session_id.h"
#include "ticket.h"
#include "token_families.h"
#include "token_request.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

enum { FAMILY_BYTES = 16, COOKIE_SIZE = 256, DIGEST_SIZE = TICKET_DIGEST_SIZE };

struct token_desk_common {
    struct family_drops *drops;
    struct token_families_common *families;
};

struct token_desk {
    const struct subscribe_settings *settings;
    struct identify *identify;
    struct token_desk_common *common;
    struct token_families *families;
    unsigned char key[JWS_SIGNER_KEY_SIZE];         /* of refresh tokens */
    unsigned char session_key[JWS_SIGNER_KEY_SIZE]; /* of the names of sessions that are kept */
};

/* ---- opening ---- */

struct token_desk_common *token_desk_common_open(const struct subscribe_settings *settings)
{
    struct token_desk_common *common = calloc(1, sizeof *common);
    if (common == NULL)
        return NULL;
    common->drops = family_drops_open(settings);
    common->families = token_families_common_open(&settings->config);
    if (common->drops == NULL || common->families == NULL)
        token_desk_common_close(&common);
    return common;
}

void token_desk_common_close(struct token_desk_common **common)
{
    if (*common == NULL)
        return;
    family_drops_close(&(*common)->drops);
    token_families_common_close(&(*common)->families);
    free(*common);
    *common = NULL;
}

struct token_desk *token_desk_open(const struct subscribe_settings *settings,
                                   struct identify *identify, struct token_desk_common *common,
                                   char *error)
{
    struct token_desk *desk = calloc(1, sizeof *desk);
    (void)snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
    if (desk == NULL)
        return NULL;
    desk->settings = settings;
    desk->identify = identify;
    desk->common = common;
    desk->families = token_families_open(&settings->config, &settings->redis, common->families);
    if (desk->families == NULL ||
        (settings->signer != NULL &&
         (!jws_signer_derive(settings->signer, "es-web-notify refresh tokens", desk->key) ||
          !jws_signer_derive(settings->signer, "es-web-notify sessions", desk->session_key))))
        token_desk_close(&desk);
    return desk;
}

void token_desk_close(struct token_desk **desk)
{
    if (*desk == NULL)
        return;
    token_families_close(&(*desk)->families);
    explicit_bzero(*desk, sizeof **desk);
    free(*desk);
    *desk = NULL;
}

/* ---- answers ---- */

static void refuse(struct handler_request *request, int status, const char *reason,
                   const char *detail, const char *headers)
{
    (void)handler_reply_send_error(request, status, reason, detail,
                                   status == 503 ? retry_header : headers);
}

static void refuse_for_store(struct handler_request *request)
{
    refuse(request, 503, "Refresh tokens cannot be checked now", NULL, NULL);
}

/* Attributes: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis, section 4.1.3.2.
 */
static void write_cookie(char out[COOKIE_SIZE], const char *token, uint64_t life_s)
{
    (void)snprintf(out, COOKIE_SIZE,
                   "Set-Cookie: " TOKEN_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict; "
                   "Max-Age=%" PRIu64 "\r\n",
                   token, life_s);
}

static const char *forget_cookie(const struct token_desk *desk, char out[COOKIE_SIZE])
{
    if (!desk->settings->config.token_cookie)
        return NULL;
    write_cookie(out, "", 0);
    return out;
}

/* ---- whose session it is ---- */

/* What the `sid` of a family's access tokens is: the session in Redis of which it came, so that its
 * end is theirs, else the family itself. */
static void write_sid(const struct token_desk *desk, const struct refresh_family *family,
                      char sid[SESSION_SID_SIZE])
{
    char session[SEALED_TEXT_MAX + 1];
    if (family->session == NULL || !sealed_text_open(session, family->session, desk->session_key) ||
        !session_id_hash(sid, session, strlen(session)))
        (void)snprintf(sid, SESSION_SID_SIZE, "%s", family->id);
}

/* KNOWN: the session of which the family came, if it came of one, is there and still of the same
 * user. */
static enum identify_result look_at_session(struct token_desk *desk,
                                            const struct refresh_family *family)
{
    char session[SEALED_TEXT_MAX + 1];
    struct identity identity;
    if (family->session == NULL)
        return IDENTIFY_KNOWN;
    if (!sealed_text_open(session, family->session, desk->session_key))
        return IDENTIFY_REFUSED;
    enum identify_result result = identify_session(desk->identify, session, &identity);
    if (result == IDENTIFY_KNOWN && strcmp(identity.user, family->user) != 0)
        result = IDENTIFY_REFUSED;
    identity_free(&identity);
    return result;
}

/* ---- access tokens ---- */

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        (void)json_object_set_new(object, name, json_string(text));
}

/* The caller frees; NULL without memory. `expires_s` is when it ends. */
static char *make_access_token(const struct token_desk *desk, const struct refresh_family *family,
                               uint64_t *expires_s)
{
    const struct config *config = &desk->settings->config;
    uint64_t until_ms = family->used_ms + config->token_access_time;
    char sid[SESSION_SID_SIZE];
    write_sid(desk, family, sid);
    *expires_s = (until_ms < family->expires_ms ? until_ms : family->expires_ms) / 1000;
    json_t *claims = json_pack("{sI sI ss}", "iat", (json_int_t)(family->used_ms / 1000), "exp",
                               (json_int_t)*expires_s, "sid", sid);
    if (claims == NULL)
        return NULL;
    set_text(claims, "sub", strcmp(family->user, USER_ID_NO_USER) == 0 ? NULL : family->user);
    set_text(claims, "iss", config->token_issuer);
    set_text(claims, "aud", config->token_audience);
    if (family->claims != NULL)
        (void)json_object_set_new(claims, "esn", json_loads(family->claims, 0, NULL));
    char *payload = json_dumps(claims, JSON_COMPACT);
    char *token = payload != NULL ? jws_signer_sign(desk->settings->signer, payload) : NULL;
    free(payload);
    json_decref(claims);
    return token;
}

/* ---- pairs ---- */

static uint64_t seconds_left(uint64_t end_ms, uint64_t now_ms)
{
    return end_ms > now_ms ? (end_ms - now_ms) / 1000 : 0;
}

static void send_pair(const struct token_desk *desk, struct handler_request *request,
                      const struct refresh_family *family, const char *refresh_token)
{
    uint64_t now_ms = clock_wall_ms(), expires_s;
    uint64_t refresh_s = seconds_left(family->expires_ms, now_ms);
    char cookie[COOKIE_SIZE];
    struct bytes body = BYTES_EMPTY;
    char *access_token = make_access_token(desk, family, &expires_s);
    if (access_token == NULL) {
        refuse(request, 500, "Out of memory", NULL, NULL);
        return;
    }
    bytes_append_format(
        &body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%" PRIu64,
        access_token, seconds_left(expires_s * 1000, now_ms));
    if (!desk->settings->config.token_cookie)
        bytes_append_format(&body, ",\"refresh_token\":\"%s\"", refresh_token);
    bytes_append_format(&body, ",\"refresh_expires_in\":%" PRIu64 "}\n", refresh_s);
    write_cookie(cookie, refresh_token, refresh_s);
    const struct handler_reply reply = {.status = 200,
                                        .reason = "OK",
                                        .headers =
                                            desk->settings->config.token_cookie ? cookie : NULL,
                                        .body = &body};
    if (body.failed)
        refuse(request, 500, "Out of memory", NULL, NULL);
    else
        (void)handler_reply_send(request, &reply);
    bytes_free(&body);
    free(access_token);
}

/* ---- a new family ---- */

/* What "esn" of its access tokens is to be. False without memory. */
static bool keep_claims(struct refresh_family *family, const struct identity *identity)
{
    json_t *claims = json_object();
    if (identity->info != NULL)
        (void)json_object_set_new(claims, "info",
                                  json_loads(identity->info, JSON_DECODE_ANY, NULL));
    if (identity->sub != NULL)
        (void)json_object_set_new(claims, "sub", json_deep_copy(identity->sub));
    if (identity->pub != NULL)
        (void)json_object_set_new(claims, "pub", json_deep_copy(identity->pub));
    bool empty = json_object_size(claims) == 0;
    family->claims = empty ? NULL : json_dumps(claims, JSON_COMPACT);
    json_decref(claims);
    return empty || family->claims != NULL;
}

/* False without memory. */
static bool keep_session(const struct token_desk *desk, struct refresh_family *family,
                         const struct identity *identity)
{
    const char *session = identify_session_of(desk->identify, identity);
    if (session == NULL)
        return true;
    family->session = sealed_text_make(session, desk->session_key);
    return family->session != NULL;
}

static bool make_family(const struct token_desk *desk, struct refresh_family *family,
                        const struct identity *identity)
{
    unsigned char bytes[FAMILY_BYTES];
    uint64_t now_ms = clock_wall_ms();
    uint64_t until_ms = now_ms + desk->settings->config.token_refresh_time;
    *family = (struct refresh_family){
        .used_ms = now_ms,
        .expires_ms = until_ms < identity->until_ms ? until_ms : identity->until_ms};
    memcpy(family->user, identity->user, sizeof family->user);
    if (!secret_random(bytes, sizeof bytes))
        return false;
    hex_write(family->id, bytes, sizeof bytes);
    return keep_claims(family, identity) && keep_session(desk, family, identity);
}

static void begin_family(struct token_desk *desk, struct handler_request *request,
                         const struct identity *identity)
{
    struct refresh_family family;
    struct refresh_token token = {.number = 1};
    char text[REFRESH_TOKEN_SIZE], hash[DIGEST_SIZE];
    bool made = make_family(desk, &family, identity);
    memcpy(token.family, family.id, sizeof token.family);
    if (!made || !refresh_token_write(text, &token, desk->key) ||
        !ticket_digest(hash, text, strlen(text)))
        refuse(request, 500, "Out of memory", NULL, NULL);
    else if (!token_families_begin(desk->families, &family, hash))
        refuse_for_store(request);
    else
        send_pair(desk, request, &family, text);
    refresh_family_free(&family);
}

static void take_bind_key(struct token_desk *desk, struct handler_request *request,
                          const struct token_request *asked)
{
    struct identity identity;
    const char *reason;
    switch (identify_bind_key(desk->identify, request, asked->bind_key, asked->bind_key_length,
                              &identity, &reason)) {
    case IDENTIFY_KNOWN:
        begin_family(desk, request, &identity);
        identity_free(&identity);
        break;
    case IDENTIFY_UNAVAILABLE:
        refuse(request, 503, reason, NULL, NULL);
        break;
    default:
        refuse(request, 400, "invalid_grant", reason, NULL);
    }
}

/* ---- a used token ---- */

/* What the store has to know of a token that somebody brings. */
struct brought {
    struct refresh_token token;
    char hash[DIGEST_SIZE], next[REFRESH_TOKEN_SIZE], next_hash[DIGEST_SIZE], proof[DIGEST_SIZE];
    struct refresh_use use;
};

/* False when it is no token, or OpenSSL failed. */
static bool read_brought(const struct token_desk *desk, const struct token_request *asked,
                         struct brought *brought)
{
    *brought = (struct brought){.use = {.now_ms = clock_wall_ms()}};
    if (!refresh_token_read(&brought->token, asked->refresh_token, asked->refresh_token_length,
                            desk->key, &brought->use.was_ours))
        return false;
    struct refresh_token next = brought->token;
    next.number++;
    brought->use.family = brought->token.family;
    brought->use.hash = brought->hash;
    brought->use.next_hash = brought->next_hash;
    brought->use.proof = brought->proof;
    return ticket_digest(brought->hash, asked->refresh_token, asked->refresh_token_length) &&
           refresh_token_write(brought->next, &next, desk->key) &&
           ticket_digest(brought->next_hash, brought->next, strlen(brought->next)) &&
           (asked->proof == NULL ||
            ticket_digest(brought->proof, asked->proof, strlen(asked->proof)));
}

static void refuse_token(struct token_desk *desk, struct handler_request *request,
                         const char *detail)
{
    char cookie[COOKIE_SIZE];
    refuse(request, 400, "invalid_grant", detail, forget_cookie(desk, cookie));
}

static void drop_streams(struct token_desk *desk, const struct refresh_family *family)
{
    char sid[SESSION_SID_SIZE];
    write_sid(desk, family, sid);
    family_drops_send(desk->common->drops, sid);
}

static void exchange(struct token_desk *desk, struct handler_request *request,
                     const struct refresh_family *family, const struct brought *brought)
{
    struct refresh_family ended;
    switch (look_at_session(desk, family)) {
    case IDENTIFY_KNOWN:
        send_pair(desk, request, family, brought->next);
        return;
    case IDENTIFY_UNAVAILABLE:
        refuse_for_store(request);
        return;
    default: /* the session has ended: so has the family */
        (void)token_families_revoke(desk->families, &brought->use, &ended);
        refresh_family_free(&ended);
        refuse_token(desk, request, NULL);
    }
}

static void take_refresh_token(struct token_desk *desk, struct handler_request *request,
                               const struct token_request *asked)
{
    struct brought brought;
    struct refresh_family family = {0};
    if (!read_brought(desk, asked, &brought)) {
        refuse_token(desk, request, NULL);
        return;
    }
    switch (token_families_use(desk->families, &brought.use, &family)) {
    case REFRESH_DONE:
    case REFRESH_REPEATED:
        exchange(desk, request, &family, &brought);
        break;
    case REFRESH_REUSED:
        message_warning("a refresh token was used twice: its family ends",
                        message_text("family", brought.token.family),
                        message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
        drop_streams(desk, &family);
        refuse_token(desk, request, NULL);
        break;
    case REFRESH_UNKNOWN:
        refuse_token(desk, request, NULL);
        break;
    default:
        refuse_for_store(request);
    }
    refresh_family_free(&family);
}

/* As RFC 7009, section 2.2: one that is not known is gone already. */
static void answer_revocation(struct token_desk *desk, struct handler_request *request,
                              const struct token_request *asked)
{
    struct brought brought;
    char cookie[COOKIE_SIZE];
    if (asked->refresh_token == NULL) {
        refuse(request, 400, "invalid_request", "refresh_token missing", NULL);
        return;
    }
    if (read_brought(desk, asked, &brought)) {
        struct refresh_family family;
        enum refresh_result result = token_families_revoke(desk->families, &brought.use, &family);
        if (result == REFRESH_DONE)
            drop_streams(desk, &family);
        refresh_family_free(&family);
        if (result == REFRESH_UNAVAILABLE) {
            refuse_for_store(request);
            return;
        }
    }
    const struct handler_reply reply = {
        .status = 204, .reason = "No Content", .headers = forget_cookie(desk, cookie)};
    (void)handler_reply_send(request, &reply);
}

/* ---- requests ---- */

static void handle_body(struct token_desk *desk, struct handler_request *request, bool revokes,
                        const struct bytes *body)
{
    struct token_request asked;
    const char *cookies = NULL;
    if (desk->settings->config.token_cookie) {
        cookies = handler_request_variable(request, "HTTP_COOKIE");
        cookies = cookies != NULL ? cookies : "";
    }
    const char *fault =
        token_request_read(&asked, body->data != NULL ? body->data : "", body->length, cookies);
    if (fault != NULL)
        refuse(request, 400, "invalid_request", fault, NULL);
    else if (revokes)
        answer_revocation(desk, request, &asked);
    else if (asked.bind_key != NULL)
        take_bind_key(desk, request, &asked);
    else
        take_refresh_token(desk, request, &asked);
    token_request_free(&asked);
}

/* A cookie comes along with what any page asks for: only pages of the site itself may, and those of
 * a list of origins. */
static bool is_from_elsewhere(const struct token_desk *desk, const struct handler_request *request)
{
    const struct config *config = &desk->settings->config;
    const char *origin = handler_request_variable(request, "HTTP_ORIGIN");
    const char *host = handler_request_variable(request, "HTTP_HOST");
    const char *port = handler_request_variable(request, "SERVER_PORT");
    bool is_listed = origin != NULL && !cors_is_public(config->web_origins) &&
                     cors_allows(config->web_origins, origin);
    if (!config->token_cookie || is_listed || token_request_is_of_site(origin, host, port))
        return false;
    message_info("a page of another site asked for tokens", message_text("origin", origin),
                 message_text("host", host));
    return true;
}

void token_desk_handle(struct token_desk *desk, struct handler_request *request)
{
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    bool posts = method != NULL && strcmp(method, "POST") == 0;
    bool deletes = method != NULL && strcmp(method, "DELETE") == 0;
    struct bytes body = BYTES_EMPTY;
    if (desk->settings->signer == NULL) {
        refuse(request, 404, "Not found", "[token] sign_file is not set", NULL);
        return;
    }
    if (!posts && !deletes) {
        refuse(request, 405, "Method Not Allowed", NULL, "Allow: POST, DELETE, OPTIONS\r\n");
        return;
    }
    if (is_from_elsewhere(desk, request)) {
        refuse(request, 403, "Origin not allowed", "with [token] cookie, pages of the site alone",
               NULL);
        return;
    }
    enum handler_body verdict =
        handler_request_read_body(request, (size_t)desk->settings->config.max_body, &body);
    if (deletes && verdict == HANDLER_BODY_NO_LENGTH)
        verdict = HANDLER_BODY_WHOLE;
    if (!handler_reply_refuse_body(request, verdict))
        handle_body(desk, request, deletes, &body);
    bytes_free(&body);
}
