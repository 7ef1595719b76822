#include "binding_server.h"

#include "bytes.h"
#include "clock.h"
#include "messages.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>

enum { HEADERS_MAX = 65536 };

struct binding_server {
    const struct config *config;
    struct binding_common *common;
    CURL *curl;
    struct curl_slist *headers;
    struct bytes answer;
    size_t header_bytes;
    char reason[CURL_ERROR_SIZE];
};

/* ---- bounded reading: a result other than what came ends the request ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct binding_server *server = context;
    size_t length = size * count;
    if (length > server->config->binding_max_answer - server->answer.length)
        return 0;
    bytes_append(&server->answer, data, length);
    return server->answer.failed ? 0 : length;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct binding_server *server = context;
    server->header_bytes += size * count;
    return server->header_bytes > HEADERS_MAX ? 0 : size * count;
}

/* ---- opening ---- */

static bool add_header(struct binding_server *server, const char *header)
{
    struct curl_slist *longer = curl_slist_append(server->headers, header);
    if (longer != NULL)
        server->headers = longer;
    return longer != NULL;
}

static bool set_transfer(struct binding_server *server)
{
    CURL *curl = server->curl;
    const struct config *config = server->config;
    return curl_easy_setopt(curl, CURLOPT_URL, config->binding_url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, config->binding_method) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, server->headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* Not to wait for the thread that asks a silent name server, either. */
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)config->binding_time) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           (config->binding_ca_file == NULL ||
            curl_easy_setopt(curl, CURLOPT_CAINFO, config->binding_ca_file) == CURLE_OK);
}

static bool set_callbacks(struct binding_server *server)
{
    CURL *curl = server->curl;
    return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, server) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, server) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, server->reason) == CURLE_OK;
}

bool binding_common_open(struct binding_common *common, const struct config *config)
{
    const struct backend_gate_options gate = {.threads = (unsigned)config->subscribe_threads,
                                              .time_limit_ms = config->binding_time,
                                              .down_ms = config->binding_down_time};
    common->trouble = (struct trouble){0};
    common->gate = backend_gate_open(&gate);
    if (common->gate != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return true;
    backend_gate_close(&common->gate);
    return false;
}

void binding_common_close(struct binding_common *common)
{
    backend_gate_close(&common->gate);
    curl_global_cleanup();
}

struct binding_server *binding_server_open(const struct config *config,
                                           struct binding_common *common)
{
    struct binding_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->config = config;
    server->common = common;
    server->curl = curl_easy_init();
    /* "Expect:" without a value: not to wait for 100 Continue before the key is sent. */
    if (server->curl == NULL || !add_header(server, "Content-Type: text/plain") ||
        !add_header(server, "Expect:") || !set_transfer(server) || !set_callbacks(server))
        binding_server_close(&server);
    return server;
}

void binding_server_close(struct binding_server **server)
{
    struct binding_server *old = *server;
    if (old == NULL)
        return;
    *server = NULL;
    curl_easy_cleanup(old->curl);
    curl_slist_free_all(old->headers);
    bytes_free(&old->answer);
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
static enum binding_answer read_answer(struct binding_server *server, struct identity *identity)
{
    json_t *json =
        json_loadb(server->answer.data != NULL ? server->answer.data : "", server->answer.length,
                   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return read_object(server, json, identity);
    enum binding_answer answer = json_is_string(json) ? BINDING_REFUSED : BINDING_UNAVAILABLE;
    if (user_id_from_json(identity->user, json) != USER_ID_INVALID)
        answer = BINDING_USER;
    json_decref(json);
    return tell(server, answer, "the answer is neither a user id nor an object in JSON", 200);
}

static const char *reason_of(const struct binding_server *server, CURLcode result)
{
    if (result == CURLE_WRITE_ERROR)
        return "the answer is larger than [binding] max_answer, or its headers are too large";
    return server->reason[0] != '\0' ? server->reason : curl_easy_strerror(result);
}

static enum binding_answer ask(struct binding_server *server, const char *key, size_t length,
                               struct identity *identity)
{
    long status = 0;
    bytes_clear(&server->answer);
    server->header_bytes = 0;
    server->reason[0] = '\0';
    CURLcode result =
        curl_easy_setopt(server->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    if (result == CURLE_OK)
        result = curl_easy_setopt(server->curl, CURLOPT_POSTFIELDS, key);
    if (result == CURLE_OK)
        result = curl_easy_perform(server->curl);
    (void)curl_easy_getinfo(server->curl, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK)
        return tell(server, BINDING_UNAVAILABLE, reason_of(server, result), status);
    if (status != 200)
        return tell(server, BINDING_UNAVAILABLE, "only the status 200 is an answer", status);
    return read_answer(server, identity);
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
