#include "http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_LIMIT = 256 * 1024 * 1024, CONNECT_SECONDS = 10, EXCHANGE_SECONDS = 30 };

struct http_exchange {
    CURL *curl;
    struct curl_slist *headers;
    const struct http_client_request *request;
    struct http_client_answer *answer;
    char reason[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_exchange *exchange = context;
    struct http_client_answer *answer = exchange->answer;
    size_t length = size * count;
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (exchange->request->take != NULL && answer->status == 200) {
        answer->ended_by_taker = !exchange->request->take(exchange->request->context, data, length);
        return answer->ended_by_taker ? 0 : length;
    }
    if (answer->body.length + length <= BODY_LIMIT)
        bytes_append(&answer->body, data, length);
    else
        answer->body.failed = true;
    return answer->body.failed ? 0 : length;
}

static bool add_header(struct http_exchange *exchange, const char *header)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, header);
    if (longer == NULL)
        return false;
    exchange->headers = longer;
    return true;
}

static bool add_value(struct http_exchange *exchange, const char *name, const char *value)
{
    char *header = NULL;
    if (asprintf(&header, "%s%s", name, value) < 0)
        return false;
    bool added = add_header(exchange, header);
    free(header);
    return added;
}

static bool set_headers(struct http_exchange *exchange)
{
    const char *token = exchange->request->token, *type = exchange->request->content_type;
    /* "Expect:" without a value: libcurl should not wait for 100 Continue before it posts. */
    if (!add_value(exchange, "Content-Type: ", type != NULL ? type : "application/json") ||
        !add_header(exchange, "Expect:"))
        return false;
    if (token != NULL && !add_value(exchange, "Authorization: Bearer ", token))
        return false;
    return curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool set_options(struct http_exchange *exchange)
{
    CURL *curl = exchange->curl;
    const struct http_client_request *request = exchange->request;
    bool good = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->reason) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                /* What an operator looks at is this host, never the proxy of the environment. */
                curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_USERAGENT, "esnctl/" PACKAGE_VERSION) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange) == CURLE_OK;
    if (good && request->socket_path != NULL)
        good = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->socket_path) == CURLE_OK;
    if (good && request->take == NULL)
        good = curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)EXCHANGE_SECONDS) == CURLE_OK;
    if (good && request->body != NULL)
        good = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)request->body_length) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
    return good && set_headers(exchange);
}

static void explain(struct http_exchange *exchange, CURLcode code)
{
    const struct http_client_request *request = exchange->request;
    struct http_client_answer *answer = exchange->answer;
    long os_error = 0;
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_OS_ERRNO, &os_error);
    if (answer->body.failed)
        (void)snprintf(answer->error, sizeof answer->error, "%s: the answer is too large",
                       request->url);
    else if (code == CURLE_COULDNT_CONNECT && os_error != 0)
        (void)snprintf(answer->error, sizeof answer->error, "%s: %s",
                       request->socket_path != NULL ? request->socket_path : request->url,
                       strerror((int)os_error));
    else
        (void)snprintf(answer->error, sizeof answer->error, "%s: %s", request->url,
                       exchange->reason[0] != '\0' ? exchange->reason : curl_easy_strerror(code));
}

static bool perform(struct http_exchange *exchange)
{
    struct http_client_answer *answer = exchange->answer;
    if (!set_options(exchange)) {
        (void)snprintf(answer->error, sizeof answer->error, "%s: libcurl cannot be set up: %s",
                       exchange->request->url, exchange->reason);
        return false;
    }
    CURLcode code = curl_easy_perform(exchange->curl);
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (code == CURLE_OK || answer->ended_by_taker)
        return true;
    explain(exchange, code);
    return false;
}

bool http_client_perform(const struct http_client_request *request,
                         struct http_client_answer *answer)
{
    *answer = (struct http_client_answer){0};
    if (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0) {
        (void)snprintf(answer->error, sizeof answer->error,
                       "%s: should begin with http:// or https://", request->url);
        return false;
    }
    struct http_exchange exchange = {.request = request, .answer = answer};
    exchange.curl = curl_easy_init();
    if (exchange.curl == NULL) {
        (void)snprintf(answer->error, sizeof answer->error, "libcurl cannot be started");
        return false;
    }
    bool good = perform(&exchange);
    curl_easy_cleanup(exchange.curl);
    curl_slist_free_all(exchange.headers);
    return good;
}

void http_client_answer_free(struct http_client_answer *answer)
{
    bytes_free(&answer->body);
    *answer = (struct http_client_answer){0};
}

char *http_client_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = escaped != NULL ? strdup(escaped) : NULL;
    curl_free(escaped);
    return copy;
}
