/* Each transport as a page uses it: does it begin, is it held back, does an event come at once, does it
 * last? */
#include "doctor.h"

#include "clock.h"
#include "secret.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOPIC_SIZE = 64, BODY_SIZE = 512 };

enum way { WAY_FRAMES, WAY_SSE, WAY_POLL, WAY_WEBSOCKET, WAY_HTTP2, WAYS };

static const char *const way_names[WAYS] = {"a POST with frames", "Server-Sent Events", "long-poll",
                                            "a WebSocket", "Server-Sent Events over HTTP/2"};

/* One transport that is looked at; the texts are those of its request. */
struct trial {
    struct doctor *doctor;
    enum way way;
    char topic[TOPIC_SIZE];
    char url[DOCTOR_URL_SIZE], origin[DOCTOR_URL_SIZE], body[BODY_SIZE + DOCTOR_URL_SIZE];
    struct probe_request request;
    struct probe probe;
    uint64_t began_ms;
    struct delay delay;
};

/* ---- requests ---- */

static void write_handshake(struct trial *trial)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *path = NULL;
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, trial->url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
        bool has_port = curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        (void)snprintf(trial->body, sizeof trial->body,
                       "GET %s?ep=%s HTTP/1.1\r\nHost: %s%s%s\r\n%s%sUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       path, trial->topic, host, has_port ? ":" : "", has_port ? port : "",
                       trial->doctor->origin != NULL ? trial->origin : "",
                       trial->doctor->origin != NULL ? "\r\n" : "");
    }
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(parts);
}

static void begin(struct trial *trial, struct doctor *doctor, enum way way)
{
    static const char *const paths[WAYS] = {"", "sse?ep=", "poll?wait=0&ep=", "ws", "sse?ep="};
    unsigned char random[8];
    trial->doctor = doctor;
    trial->way = way;
    uint64_t number = clock_wall_ms();
    if (secret_random(random, sizeof random))
        memcpy(&number, random, sizeof number);
    (void)snprintf(trial->topic, sizeof trial->topic, "esnctl-doctor/%llx",
                   (unsigned long long)number);
    bool in_query = way == WAY_SSE || way == WAY_POLL || way == WAY_HTTP2;
    (void)snprintf(trial->url, sizeof trial->url, "%s%s%s", doctor->url, paths[way],
                   in_query ? trial->topic : "");
    trial->request = doctor_request(doctor, trial->url, trial->origin);
    trial->request.wants_http2 = trial->request.stays = way == WAY_HTTP2;
    trial->delay = (struct delay){-1, -1, -1};
    trial->began_ms = clock_monotonic_ms();
    if (way == WAY_FRAMES)
        (void)snprintf(trial->body, sizeof trial->body, "{\"ep\":[\"%s\"]}", trial->topic);
    if (way == WAY_WEBSOCKET)
        write_handshake(trial);
    if (way == WAY_FRAMES || way == WAY_WEBSOCKET)
        trial->request.body = trial->body;
    if (way == WAY_WEBSOCKET)
        probe_open_raw(&trial->probe, &trial->request);
    else
        probe_open(&trial->probe, &trial->request);
}

static bool wait_for(struct trial *trial, const char *text)
{
    return trial->way == WAY_WEBSOCKET
               ? probe_until_raw(&trial->probe, text, trial->doctor->wait_ms)
               : probe_until(&trial->probe, text, trial->doctor->wait_ms);
}

/* ---- what is wrong with an answer ---- */

static const char *place_of_proxy(struct doctor *doctor, const char *nginx)
{
    return doctor_place_of(doctor, nginx, "ProxyPass");
}

/* A subscription that esn-subscribe answered and nobody handed on. */
static bool judge_hand_off(struct trial *trial)
{
    struct doctor *doctor = trial->doctor;
    const char *accel = probe_header(&trial->probe, "X-Accel-Redirect");
    bool is_accel = accel != NULL;
    const char *location = probe_header(&trial->probe, "Location");
    if (!is_accel && (location == NULL || trial->probe.status != 200))
        return false;
    findings_add(
        &doctor->findings, "handoff", NULL, NULL,
        "a subscription is answered %ld with %s, which the web server should have followed",
        trial->probe.status, is_accel ? "X-Accel-Redirect" : "a local Location");
    return true;
}

static void judge_status(struct trial *trial)
{
    struct doctor *doctor = trial->doctor;
    const char *body = bytes_terminate(&trial->probe.body);
    long status = trial->probe.status;
    const char *name = "not-subscribed";
    const char *file = NULL;
    if (judge_hand_off(trial))
        return;
    if (body != NULL && strstr(body, "Invalid ticket") != NULL) {
        name = "ticket-secret";
    } else if (trial->way == WAY_WEBSOCKET) {
        name = "websocket";
        file = place_of_proxy(doctor, "proxy_set_header");
    } else if (trial->way == WAY_FRAMES && status >= 500) {
        name = "subscribe-away";
        file = place_of_proxy(doctor, "fastcgi_pass");
    } else if (trial->way == WAY_FRAMES && status == 404) {
        name = "handoff-prefix";
    }
    findings_add(&doctor->findings, name, file, NULL, "%s is answered %ld%s%.100s",
                 way_names[trial->way], status, body != NULL && *body != '\0' ? ": " : "",
                 body != NULL && strncmp(body, "HTTP/", 5) != 0 ? body : "");
}

static void judge_nothing(struct trial *trial)
{
    struct doctor *doctor = trial->doctor;
    const char *encoding = probe_header(&trial->probe, "Content-Encoding");
    if (encoding != NULL)
        findings_add(&doctor->findings, "compressed", place_of_proxy(doctor, "gzip"), NULL,
                     "%s: comes as %s, and nothing of it in %u ms", way_names[trial->way], encoding,
                     doctor->wait_ms);
    else
        findings_add(&doctor->findings, "buffered", place_of_proxy(doctor, "proxy_buffering"), NULL,
                     "%s: the stream has begun, and its first frame did not come in %u ms",
                     way_names[trial->way], doctor->wait_ms);
}

static long ms_since(uint64_t began_ms)
{
    return (long)(clock_monotonic_ms() - began_ms);
}

static void judge_delay(struct trial *trial, const char *what, long ms)
{
    struct doctor *doctor = trial->doctor;
    if (doctor->late_ms != 0 && ms > (long)doctor->late_ms)
        findings_add(&doctor->findings, "buffered", place_of_proxy(doctor, "proxy_buffering"), NULL,
                     "%s: %s came after %ld ms", way_names[trial->way], what, ms);
}

/* False: it is not spoken, or all that is to be seen was seen. */
static bool speaks_http2(const struct trial *trial)
{
    struct doctor *doctor = trial->doctor;
    if (trial->probe.http_version == 20)
        return trial->probe.status < 300 || trial->probe.status >= 400; /* handed on: elsewhere */
    if (trial->probe.http_version != 0)
        findings_add(&doctor->findings, "http2", doctor_place_of(doctor, "listen", "Protocols"),
                     NULL, "%s is answered by HTTP/1.1, though HTTP/2 was offered", trial->url);
    return trial->probe.http_version == 0;
}

/* True when it has begun. */
static bool has_begun(struct trial *trial)
{
    long good = trial->way == WAY_WEBSOCKET ? 101 : 200;
    bool has_frame = wait_for(trial, "\"connected\"");
    if (trial->way == WAY_HTTP2 && !speaks_http2(trial))
        return false;
    if (has_frame) {
        trial->delay.first_byte_ms = (long)(trial->probe.answered_ms - trial->began_ms);
        trial->delay.first_frame_ms = ms_since(trial->began_ms);
        judge_delay(trial, "the first frame", trial->delay.first_frame_ms);
        return true;
    }
    if (trial->probe.status != 0 && trial->probe.status != good)
        judge_status(trial);
    else if (!judge_hand_off(trial) && trial->probe.fault == PROBE_GOOD)
        judge_nothing(trial);
    else if (trial->probe.fault != PROBE_GOOD)
        findings_add(&trial->doctor->findings,
                     trial->way == WAY_WEBSOCKET ? "websocket" : "not-subscribed", NULL, NULL,
                     "%s: %s", way_names[trial->way], trial->probe.error);
    return false;
}

/* ---- an event ---- */

static void judge_post(struct doctor *doctor, struct probe *probe)
{
    const char *body = bytes_terminate(&probe->body);
    if (probe->status == 404)
        findings_add(&doctor->findings, "publish-token", doctor->settings.config.path, NULL,
                     "a post with the token of %s is answered 404",
                     doctor->settings.config.publish_token_file);
    else if (probe->status == 0 || probe->status == 502 || probe->status == 504 ||
             (probe->status == 503 && (body == NULL || strstr(body, "daemon") == NULL)))
        findings_add(&doctor->findings, "event-away",
                     doctor_place_of(doctor, "fastcgi_pass", "ProxyPassMatch"), NULL,
                     "%sevent is answered %ld %s", doctor->url, probe->status, probe->error);
    else
        findings_add(&doctor->findings, "publish-failed", NULL, NULL,
                     "%sevent is answered %ld: %.200s", doctor->url, probe->status,
                     body != NULL ? body : "");
}

/* True when it was taken. */
static bool publish(struct doctor *doctor, const char *topic, const char *type)
{
    char url[DOCTOR_URL_SIZE], body[BODY_SIZE], bearer[DOCTOR_URL_SIZE];
    struct probe probe;
    (void)snprintf(url, sizeof url, "%sevent", doctor->url);
    (void)snprintf(body, sizeof body, "{\"ep\":[\"%s\"],\"e\":{\"type\":\"%s\"}}", topic, type);
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s",
                   doctor->settings.tokens.values[0]);
    const struct probe_request request = {.url = url,
                                          .body = body,
                                          .headers = {bearer, "Content-Type: application/json"},
                                          .ca_file = doctor->ca_file,
                                          .trusting = doctor->trusting};
    probe_open(&probe, &request);
    (void)probe_until(&probe, "", doctor->wait_ms);
    bool taken = probe.status == 200;
    if (!taken)
        judge_post(doctor, &probe);
    probe_close(&probe);
    explicit_bzero(bearer, sizeof bearer);
    return taken;
}

static bool can_publish(const struct doctor *doctor)
{
    return doctor->settings.tokens.count > 0 &&
           !findings_have(&doctor->findings, "publish-token") &&
           !findings_have(&doctor->findings, "event-away") &&
           !findings_have(&doctor->findings, "publish-failed");
}

static void look_at_event(struct trial *trial)
{
    static const char type[] = "esnctl-doctor-event";
    struct doctor *doctor = trial->doctor;
    uint64_t posted_ms = clock_monotonic_ms();
    if (trial->way == WAY_POLL || !can_publish(doctor) || !publish(doctor, trial->topic, type))
        return;
    if (wait_for(trial, type)) {
        trial->delay.event_ms = ms_since(posted_ms);
        judge_delay(trial, "an event", trial->delay.event_ms);
    } else {
        findings_add(&doctor->findings, "buffered", place_of_proxy(doctor, "proxy_buffering"), NULL,
                     "%s: an event that was taken did not come in %u ms", way_names[trial->way],
                     doctor->wait_ms);
    }
}

/* ---- lasting ---- */

static void look_at_patience(struct trial *trial)
{
    struct doctor *doctor = trial->doctor;
    uint64_t from = clock_monotonic_ms();
    if (doctor->patience_ms == 0)
        return;
    (void)probe_until(&trial->probe, "", doctor->patience_ms);
    uint64_t lasted = clock_monotonic_ms() - from;
    if (trial->probe.ended)
        findings_add(&doctor->findings, "idle-timeout",
                     place_of_proxy(doctor, "proxy_read_timeout"), NULL,
                     "a stream on which nothing happened was cut after %llu.%llu s",
                     (unsigned long long)(lasted / 1000), (unsigned long long)(lasted / 100 % 10));
}

/* As a browser asks, which takes compressed answers. */
static void look_at_compression(struct doctor *doctor)
{
    struct trial trial = {0};
    begin(&trial, doctor, WAY_SSE);
    probe_close(&trial.probe);
    trial.request.headers[doctor->origin != NULL ? 1 : 0] = "Accept-Encoding: gzip, deflate, br";
    probe_open(&trial.probe, &trial.request);
    (void)probe_until(&trial.probe, NULL, doctor->wait_ms);
    const char *encoding = probe_header(&trial.probe, "Content-Encoding");
    if (encoding != NULL && !findings_have(&doctor->findings, "compressed"))
        findings_add(&doctor->findings, "compressed", place_of_proxy(doctor, "gzip"), NULL,
                     "Server-Sent Events come as %s", encoding);
    probe_close(&trial.probe);
}

/* Browsers speak it over TLS alone. */
static bool is_there_for(const struct doctor *doctor, enum way way)
{
    return way != WAY_HTTP2 ||
           (strncmp(doctor->url, "https://", 8) == 0 &&
            (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0);
}

void doctor_look_at_transports(struct doctor *doctor)
{
    for (enum way way = WAY_FRAMES; way < WAYS; way++) {
        struct trial trial = {0};
        if (!is_there_for(doctor, way))
            continue;
        begin(&trial, doctor, way);
        if (has_begun(&trial)) {
            look_at_event(&trial);
            findings_note_delay(&doctor->findings, way_names[way], &trial.delay);
            if (way == WAY_SSE)
                look_at_patience(&trial);
        }
        probe_close(&trial.probe);
    }
    look_at_compression(doctor);
}
