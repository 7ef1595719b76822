#include "publisher_gate.h"

#include "credentials.h"
#include "query.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIELD_NAME_SIZE = STRUCTURED_FIELD_KEY_SIZE + 8, AUTHORITY_SIZE = 256, AHEAD_S = 5 };

/* ---- bare secrets ---- */

static const struct publisher *find_by_secret(const struct publishers *publishers,
                                              const struct handler_request *request)
{
    const struct publisher *found = NULL;
    struct bytes value = BYTES_EMPTY;
    const char *bearer =
        credentials_bearer(handler_request_variable(request, "HTTP_AUTHORIZATION"));
    if (query_find_secret(handler_request_query(request), "token", &value))
        found = publishers_find_secret(publishers, value.data, value.length);
    if (found == NULL && bearer != NULL)
        found = publishers_find_secret(publishers, bearer, strlen(bearer));
    bytes_free(&value);
    return found;
}

/* ---- signatures ---- */

/* A header of the request as CGI has it (RFC 3875, section 4.1.18). */
static const char *find_header(const void *context, const char *name)
{
    char variable[FIELD_NAME_SIZE] = "HTTP_";
    size_t length = strlen(name), at = 5;
    if (strcmp(name, "content-type") == 0 || strcmp(name, "content-length") == 0)
        at = 0;
    if (at + length >= sizeof variable)
        return NULL;
    for (size_t i = 0; i <= length; i++)
        variable[at + i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    return handler_request_variable(context, variable);
}

static const char *variable_or_empty(const struct handler_request *request, const char *name)
{
    const char *value = handler_request_variable(request, name);
    return value != NULL ? value : "";
}

static const char *scheme_of(const struct handler_request *request)
{
    const char *https = variable_or_empty(request, "HTTPS");
    return strcasecmp(https, "on") == 0 || strcmp(https, "1") == 0 ||
                   strcmp(variable_or_empty(request, "REQUEST_SCHEME"), "https") == 0
               ? "https"
               : "http";
}

/* The Host header in lower case, without the scheme's own port (RFC 9421, section 2.2.3). */
static void write_authority(char out[AUTHORITY_SIZE], const struct handler_request *request,
                            const char *scheme)
{
    const char *port = strcmp(scheme, "https") == 0 ? ":443" : ":80";
    int length = snprintf(out, AUTHORITY_SIZE, "%s", variable_or_empty(request, "HTTP_HOST"));
    if (length < 0 || length >= AUTHORITY_SIZE)
        length = out[0] = '\0';
    for (char *at = out; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    size_t ending = strlen(port);
    if ((size_t)length > ending && strcmp(out + length - ending, port) == 0)
        out[(size_t)length - ending] = '\0';
}

static bool append_port(char authority[AUTHORITY_SIZE], const struct handler_request *request)
{
    const char *port = variable_or_empty(request, "SERVER_PORT");
    size_t length = strlen(authority);
    int added = snprintf(authority + length, AUTHORITY_SIZE - length, ":%s", port);
    return *port != '\0' && added > 0 && (size_t)added < AUTHORITY_SIZE - length;
}

/* What an attacker could exchange has to be signed: whereto, what with, and the body. */
static const char *check_cover(const struct http_signature *signature, const char *target)
{
    bool whole = http_signature_covers(signature, "@target-uri") ||
                 http_signature_covers(signature, "@request-target");
    if (!http_signature_covers(signature, "@method"))
        return "the signature does not cover @method";
    if (!whole && !http_signature_covers(signature, "@path"))
        return "the signature covers neither @path nor @target-uri";
    if (!whole && strchr(target, '?') != NULL && !http_signature_covers(signature, "@query"))
        return "the signature does not cover the query";
    if (!http_signature_covers(signature, "content-digest"))
        return "the signature does not cover content-digest";
    return NULL;
}

static const char *check_age(const struct http_signature *signature, const struct config *config,
                             uint64_t now_ms)
{
    int64_t now_s = (int64_t)(now_ms / 1000);
    if (signature->created_s < 0)
        return "the signature does not say when it was created";
    if (signature->created_s > now_s + AHEAD_S)
        return "the signature is from the future";
    if (signature->created_s < now_s - (int64_t)(config->signature_age / 1000))
        return "the signature is too old";
    if (signature->expires_s >= 0 && signature->expires_s < now_s)
        return "the signature has expired";
    return NULL;
}

static const char *verify_as(const struct publisher_visit *visit, const struct publisher *publisher,
                             const struct http_signature_request *as)
{
    struct bytes base = BYTES_EMPTY;
    const char *fault = http_signature_write_base(&base, &visit->signature, as);
    if (fault == NULL && !publisher_has_signed(publisher, &visit->signature, &base))
        fault = "the signature is not the publisher's";
    bytes_free(&base);
    return fault;
}

static const char *verify(const struct publisher_visit *visit, const struct publisher *publisher,
                          const struct handler_request *request)
{
    char authority[AUTHORITY_SIZE];
    const char *scheme = scheme_of(request);
    write_authority(authority, request, scheme);
    const struct http_signature_request as = {.method =
                                                  variable_or_empty(request, "REQUEST_METHOD"),
                                              .scheme = scheme,
                                              .authority = authority,
                                              .target = variable_or_empty(request, "REQUEST_URI"),
                                              .header = find_header,
                                              .context = request};
    const char *fault = verify_as(visit, publisher, &as);
    /* Debian's nginx gives the host without the port that the client named. */
    if (fault != NULL && strchr(authority, ':') == NULL && append_port(authority, request))
        fault = verify_as(visit, publisher, &as);
    return fault;
}

static const char *begin_signed(struct publisher_visit *visit, const struct publishers *publishers,
                                const struct config *config, const struct handler_request *request,
                                uint64_t now_ms)
{
    const struct http_signature *signature = &visit->signature;
    const char *fault =
        http_signature_read(&visit->signature, variable_or_empty(request, "HTTP_SIGNATURE_INPUT"),
                            variable_or_empty(request, "HTTP_SIGNATURE"));
    if (fault != NULL)
        return fault;
    visit->is_signed = true;
    const struct publisher *publisher = publishers_find_name(publishers, signature->keyid);
    if (publisher == NULL)
        return "keyid names no publisher";
    if ((fault = check_cover(signature, variable_or_empty(request, "REQUEST_URI"))) != NULL ||
        (fault = check_age(signature, config, now_ms)) != NULL ||
        (fault = verify(visit, publisher, request)) != NULL)
        return fault;
    visit->publisher = publisher;
    return NULL;
}

/* ---- both ---- */

void publisher_gate_begin(struct publisher_visit *visit, const struct publishers *publishers,
                          const struct config *config, const struct handler_request *request,
                          uint64_t now_ms)
{
    *visit = (struct publisher_visit){0};
    if (handler_request_variable(request, "HTTP_SIGNATURE_INPUT") != NULL) {
        visit->why = begin_signed(visit, publishers, config, request, now_ms);
    } else {
        visit->publisher = find_by_secret(publishers, request);
        if (visit->publisher == NULL)
            visit->why = "no token that is known";
        else if (visit->publisher->is_signed)
            visit->why = "the publisher has to sign its posts";
    }
    if (visit->why == NULL &&
        !publisher_is_at(visit->publisher, variable_or_empty(request, "REMOTE_ADDR")))
        visit->why = "from an address that is not the publisher's";
    if (visit->why != NULL)
        visit->publisher = NULL;
}

bool publisher_gate_takes_body(const struct publisher_visit *visit,
                               const struct handler_request *request, const struct bytes *body)
{
    return !visit->is_signed ||
           http_signature_digest_matches(variable_or_empty(request, "HTTP_CONTENT_DIGEST"),
                                         body->data != NULL ? body->data : "", body->length);
}

void publisher_gate_write_id(struct bytes *out, const struct publisher_visit *visit)
{
    bytes_append_text(out, "signature:");
    for (size_t i = 0; i < visit->signature.value_length; i++)
        bytes_append_format(out, "%02x", visit->signature.value[i]);
}

void publisher_gate_end(struct publisher_visit *visit)
{
    http_signature_free(&visit->signature);
    *visit = (struct publisher_visit){0};
}
