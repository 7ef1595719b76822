#include "web_request.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { HEADERS_MAX = 65536 };

struct web_request {
    struct web_request_options options; /* of its texts, too_large alone is good */
    CURL *curl;
    struct curl_slist *headers;
    struct bytes answer;
    size_t header_bytes;
    char reason[CURL_ERROR_SIZE];
};

bool web_request_open_library(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void web_request_close_library(void)
{
    curl_global_cleanup();
}

/* ---- bounded reading: a result other than what came ends the request ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct web_request *request = context;
    size_t length = size * count;
    if (length > request->options.max_answer - request->answer.length)
        return 0;
    bytes_append(&request->answer, data, length);
    return request->answer.failed ? 0 : length;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    (void)data;
    struct web_request *request = context;
    request->header_bytes += size * count;
    return request->header_bytes > HEADERS_MAX ? 0 : size * count;
}

/* ---- opening ---- */

static bool add_header(struct web_request *request, const char *header)
{
    struct curl_slist *longer = curl_slist_append(request->headers, header);
    if (longer != NULL)
        request->headers = longer;
    return longer != NULL;
}

static bool set_method(struct web_request *request, const char *method)
{
    CURL *curl = request->curl;
    return method == NULL || (curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
                              curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK);
}

static bool set_transfer(struct web_request *request, const struct web_request_options *options)
{
    CURL *curl = request->curl;
    return curl_easy_setopt(curl, CURLOPT_URL, options->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           set_method(request, options->method) &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* Not to wait for the thread that asks a silent name server, either. */
           curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->limit_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           (options->ca_file == NULL ||
            curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file) == CURLE_OK);
}

static bool set_callbacks(struct web_request *request)
{
    CURL *curl = request->curl;
    return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, request) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, request) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, request->reason) == CURLE_OK;
}

struct web_request *web_request_open(const struct web_request_options *options)
{
    struct web_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->options = *options;
    request->curl = curl_easy_init();
    /* "Expect:" without a value: not to wait for 100 Continue before the body is sent. */
    if (request->curl == NULL || !add_header(request, "Expect:") ||
        (options->header != NULL && !add_header(request, options->header)) ||
        !set_transfer(request, options) || !set_callbacks(request))
        web_request_close(&request);
    return request;
}

void web_request_close(struct web_request **request)
{
    struct web_request *old = *request;
    if (old == NULL)
        return;
    *request = NULL;
    curl_easy_cleanup(old->curl);
    curl_slist_free_all(old->headers);
    bytes_free(&old->answer);
    free(old);
}

/* ---- asking ---- */

static CURLcode perform(struct web_request *request, const char *body, size_t length)
{
    CURL *curl = request->curl;
    CURLcode result = CURLE_OK;
    if (body != NULL)
        result = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    if (result == CURLE_OK && body != NULL)
        result = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    return result == CURLE_OK ? curl_easy_perform(curl) : result;
}

static const char *reason_of(const struct web_request *request, CURLcode result)
{
    if (result == CURLE_WRITE_ERROR)
        return request->options.too_large;
    return request->reason[0] != '\0' ? request->reason : curl_easy_strerror(result);
}

bool web_request_send(struct web_request *request, const char *body, size_t length,
                      const struct bytes **answer, const char **reason, long *status)
{
    bytes_clear(&request->answer);
    request->header_bytes = 0;
    request->reason[0] = '\0';
    *status = 0;
    *answer = &request->answer;
    CURLcode result = perform(request, body, length);
    (void)curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, status);
    *reason = result != CURLE_OK ? reason_of(request, result) : "only the status 200 is an answer";
    return result == CURLE_OK && *status == 200;
}
