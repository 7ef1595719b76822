#include "probe.h"

#include "clock.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_BYTES = 4 << 20, CONNECT_SECONDS = 10, TURN_MS = 50, VALUE_SIZE = 1024 };

struct probe_exchange {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    char value[VALUE_SIZE]; /* what probe_header() gave */
};

static void note_answered(struct probe *probe)
{
    if (probe->answered_ms == 0)
        probe->answered_ms = clock_monotonic_ms();
}

static size_t take_head(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    note_answered(probe);
    if (strncmp(data, "HTTP/", size * count < 5 ? size * count : 5) == 0)
        bytes_clear(&probe->head); /* one behind a redirection */
    bytes_append(&probe->head, data, size * count);
    return probe->head.length < MOST_BYTES ? size * count : 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct probe *probe = context;
    bytes_append(&probe->body, data, size * count);
    return probe->body.length < MOST_BYTES && !probe->body.failed ? size * count : 0;
}

static void fail(struct probe *probe, enum probe_fault fault, const char *words)
{
    probe->ended = true;
    probe->fault = fault;
    (void)snprintf(probe->error, sizeof probe->error, "%s", words);
}

/* As libcurl words it, whichever library did the look. */
static bool is_about_name(const char *reason)
{
    return strstr(reason, "subject name") != NULL || strstr(reason, "host name") != NULL;
}

static enum probe_fault fault_of(CURL *easy, CURLcode code, const char *reason)
{
    long verified = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return PROBE_DNS;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT)
        return PROBE_CONNECT;
    if (code != CURLE_PEER_FAILED_VERIFICATION)
        return PROBE_BROKEN;
    if (verified == 0 || is_about_name(reason))
        return PROBE_NAME;
    return verified == 10 ? PROBE_EXPIRED : PROBE_UNTRUSTED; /* X509_V_ERR_CERT_HAS_EXPIRED */
}

static void judge(struct probe *probe, CURLcode code)
{
    struct probe_exchange *exchange = probe->exchange;
    probe->ended = true;
    if (code == CURLE_OK)
        return;
    fail(probe, fault_of(exchange->easy, code, exchange->reason),
         exchange->reason[0] != '\0' ? exchange->reason : curl_easy_strerror(code));
}

static bool set_headers(struct probe_exchange *exchange, const struct probe_request *request)
{
    for (size_t i = 0; i < PROBE_HEADERS && request->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(exchange->headers, request->headers[i]);
        if (longer == NULL)
            return false;
        exchange->headers = longer;
    }
    struct curl_slist *longer = curl_slist_append(exchange->headers, "Expect:");
    if (longer == NULL)
        return false;
    exchange->headers = longer;
    return curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

static bool set_options(struct probe *probe)
{
    const struct probe_request *request = probe->request;
    CURL *easy = probe->exchange->easy;
    long version = request->wants_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    bool good =
        curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->exchange->reason) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "esnctl/" PACKAGE_VERSION) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request->stays ? 0L : 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, probe) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe) == CURLE_OK;
    if (good && request->ca_file != NULL)
        good = curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
    if (good && request->trusting)
        good = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    if (good && request->body != NULL)
        good = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body) == CURLE_OK;
    return good && set_headers(probe->exchange, request);
}

static bool open_exchange(struct probe *probe, const struct probe_request *request)
{
    *probe = (struct probe){.request = request, .exchange = calloc(1, sizeof *probe->exchange)};
    if (probe->exchange == NULL) {
        fail(probe, PROBE_BROKEN, "out of memory");
        return false;
    }
    probe->exchange->easy = curl_easy_init();
    probe->exchange->multi = curl_multi_init();
    if (probe->exchange->easy != NULL && probe->exchange->multi != NULL && set_options(probe))
        return true;
    fail(probe, PROBE_BROKEN, "libcurl cannot be set up");
    return false;
}

void probe_open(struct probe *probe, const struct probe_request *request)
{
    if (open_exchange(probe, request) &&
        curl_multi_add_handle(probe->exchange->multi, probe->exchange->easy) != CURLM_OK)
        fail(probe, PROBE_BROKEN, "libcurl cannot be set up");
}

void probe_close(struct probe *probe)
{
    struct probe_exchange *exchange = probe->exchange;
    if (exchange != NULL) {
        if (exchange->multi != NULL && exchange->easy != NULL)
            (void)curl_multi_remove_handle(exchange->multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
        (void)curl_multi_cleanup(exchange->multi);
        curl_slist_free_all(exchange->headers);
    }
    free(exchange);
    bytes_free(&probe->head);
    bytes_free(&probe->body);
    *probe = (struct probe){0};
}

/* ---- going on ---- */

static bool has_text(const struct bytes *bytes, const char *text)
{
    return bytes->length > 0 && memmem(bytes->data, bytes->length, text, strlen(text)) != NULL;
}

/* "Expire date:Nov 26 19:00:00 2027 GMT" among what libcurl tells of the server's own certificate. */
static void note_certificate(struct probe *probe)
{
    static const char name[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(probe->exchange->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK ||
        chain == NULL || chain->num_of_certs < 1)
        return;
    for (struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next) {
        if (strncmp(line->data, name, sizeof name - 1) == 0)
            probe->expires_in_s = (int64_t)curl_getdate(line->data + sizeof name - 1, NULL) -
                                  (int64_t)(clock_wall_ms() / 1000);
    }
}

static void note_answer(struct probe *probe)
{
    long version = 0;
    (void)curl_easy_getinfo(probe->exchange->easy, CURLINFO_RESPONSE_CODE, &probe->status);
    (void)curl_easy_getinfo(probe->exchange->easy, CURLINFO_HTTP_VERSION, &version);
    probe->http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                          : version == CURL_HTTP_VERSION_1_1 ? 11
                          : version == CURL_HTTP_VERSION_2_0 ? 20
                                                             : 0;
    if (probe->expires_in_s == 0)
        note_certificate(probe);
}

/* Waits before it reads: what is waited for may be in what was read. */
static void turn(struct probe *probe)
{
    int running = 0, left;
    CURLMsg *message;
    (void)curl_multi_poll(probe->exchange->multi, NULL, 0, TURN_MS, NULL);
    if (curl_multi_perform(probe->exchange->multi, &running) != CURLM_OK) {
        fail(probe, PROBE_BROKEN, "libcurl failed");
        return;
    }
    while ((message = curl_multi_info_read(probe->exchange->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            judge(probe, message->data.result);
    }
    note_answer(probe);
}

static bool is_head_there(const struct probe *probe)
{
    return probe->head.length > 3 && has_text(&probe->head, "\r\n\r\n");
}

bool probe_until(struct probe *probe, const char *text, unsigned limit_ms)
{
    uint64_t until = clock_monotonic_ms() + limit_ms;
    for (;;) {
        if (text == NULL ? is_head_there(probe) : (*text != '\0' && has_text(&probe->body, text)))
            return true;
        if (probe->ended || clock_monotonic_ms() >= until)
            return false;
        turn(probe);
    }
}

const char *probe_header(struct probe *probe, const char *name)
{
    size_t length = strlen(name);
    const char *head = bytes_terminate(&probe->head);
    for (const char *line = head; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            const char *value = line + length + 1 + strspn(line + length + 1, " \t");
            (void)snprintf(probe->exchange->value, VALUE_SIZE, "%.*s", (int)strcspn(value, "\r\n"),
                           value);
            return probe->exchange->value;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return NULL;
}

/* ---- bytes by hand ---- */

void probe_open_raw(struct probe *probe, const struct probe_request *request)
{
    size_t sent = 0;
    if (!open_exchange(probe, request))
        return;
    CURL *easy = probe->exchange->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POST, 0L);
    if (code == CURLE_OK)
        code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        code = curl_easy_send(easy, request->body, strlen(request->body), &sent);
    if (code != CURLE_OK || sent < strlen(request->body))
        judge(probe, code != CURLE_OK ? code : CURLE_SEND_ERROR);
}

/* Head and body are one run of bytes. */
static void read_raw(struct probe *probe, unsigned limit_ms)
{
    curl_socket_t descriptor = CURL_SOCKET_BAD;
    char bytes[4096];
    size_t got = 0;
    CURLcode code = curl_easy_recv(probe->exchange->easy, bytes, sizeof bytes, &got);
    if (code == CURLE_AGAIN &&
        curl_easy_getinfo(probe->exchange->easy, CURLINFO_ACTIVESOCKET, &descriptor) == CURLE_OK) {
        struct pollfd wait = {.fd = descriptor, .events = POLLIN};
        (void)poll(&wait, 1, (int)limit_ms);
        return;
    }
    if (code != CURLE_OK || got == 0) {
        judge(probe, code);
        return;
    }
    note_answered(probe);
    bytes_append(&probe->head, bytes, got);
    bytes_append(&probe->body, bytes, got);
    const char *head = bytes_terminate(&probe->head);
    if (head != NULL && strncmp(head, "HTTP/1.", 7) == 0 && probe->head.length > 12)
        probe->status = strtol(head + 9, NULL, 10);
}

bool probe_until_raw(struct probe *probe, const char *text, unsigned limit_ms)
{
    uint64_t until = clock_monotonic_ms() + limit_ms;
    for (;;) {
        if (text == NULL ? is_head_there(probe) : has_text(&probe->body, text))
            return true;
        if (probe->ended || clock_monotonic_ms() >= until || probe->body.length >= MOST_BYTES)
            return false;
        read_raw(probe, TURN_MS);
    }
}
