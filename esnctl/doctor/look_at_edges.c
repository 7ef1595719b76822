/* What strangers and other sites reach, and what they should not. */
#include "doctor.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_at_origin(struct doctor *doctor)
{
    char url[DOCTOR_URL_SIZE], origin[DOCTOR_URL_SIZE];
    struct probe probe;
    if (doctor->origin == NULL)
        return;
    (void)snprintf(url, sizeof url, "%shealthz", doctor->url);
    const struct probe_request request = doctor_request(doctor, url, origin);
    probe_open(&probe, &request);
    (void)probe_until(&probe, "", doctor->wait_ms);
    const char *allowed = probe_header(&probe, "Access-Control-Allow-Origin");
    if (probe.status == 200 &&
        (allowed == NULL || (strcmp(allowed, "*") != 0 && strcmp(allowed, doctor->origin) != 0)))
        findings_add(&doctor->findings, "cors", doctor->settings.config.path, NULL,
                     "a page of %s is not allowed to read the answer: Access-Control-Allow-Origin "
                     "is %s",
                     doctor->origin, allowed != NULL ? allowed : "missing");
    probe_close(&probe);
}

/* At the root of the same server, where [handoff] prefix is. */
static bool write_inner_url(const struct doctor *doctor, char out[DOCTOR_URL_SIZE])
{
    CURLU *parts = curl_url();
    char path[DOCTOR_URL_SIZE], *url = NULL;
    (void)snprintf(path, sizeof path, "%shealthz", doctor->settings.config.handoff_prefix);
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, doctor->url, 0) == CURLUE_OK &&
                curl_url_set(parts, CURLUPART_PATH, path, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_URL, &url, 0) == CURLUE_OK;
    if (good)
        (void)snprintf(out, DOCTOR_URL_SIZE, "%s", url);
    curl_free(url);
    curl_url_cleanup(parts);
    return good;
}

static const char *place_of_inner(struct doctor *doctor)
{
    const char *prefix = doctor->settings.config.handoff_prefix;
    const char *place = doctor_place_with(doctor, "location", prefix);
    return place != NULL ? place : doctor_place_with(doctor, "<Location", prefix);
}

static void look_at_inner(struct doctor *doctor)
{
    char url[DOCTOR_URL_SIZE];
    struct probe probe;
    if (doctor->settings.config.handoff_prefix == NULL || !write_inner_url(doctor, url))
        return;
    const struct probe_request request = {
        .url = url, .ca_file = doctor->ca_file, .trusting = doctor->trusting, .stays = true};
    probe_open(&probe, &request);
    (void)probe_until(&probe, "", doctor->wait_ms);
    const char *body = bytes_terminate(&probe.body);
    if (probe.status == 200 && body != NULL && strstr(body, "\"status\"") != NULL)
        findings_add(&doctor->findings, "fanout-open", place_of_inner(doctor), NULL,
                     "%s is answered by the daemon", url);
    probe_close(&probe);
}

/* Without [admin] token_file nobody is let in: it is the web server that says the token for all. */
static const char *place_of_admin(struct doctor *doctor)
{
    const char *place = doctor_place_with(doctor, "proxy_set_header", "Authorization");
    return place != NULL ? place : doctor_place_with(doctor, "RequestHeader", "Authorization");
}

static void look_at_admin(struct doctor *doctor)
{
    char url[DOCTOR_URL_SIZE];
    struct probe probe;
    (void)snprintf(url, sizeof url, "%sconnections", doctor->url);
    const struct probe_request request = {
        .url = url, .ca_file = doctor->ca_file, .trusting = doctor->trusting};
    probe_open(&probe, &request);
    (void)probe_until(&probe, "", doctor->wait_ms);
    if (probe.status == 200)
        findings_add(&doctor->findings, "admin-open", place_of_admin(doctor), NULL,
                     "%s is answered without a token", url);
    probe_close(&probe);
}

/* Larger than nginx's own limit of 1 MiB would be refused by [publish] max_body: what is posted is no
 * event, and is answered by esn-event, unless the web server does it. */
static void look_at_bodies(struct doctor *doctor)
{
    enum { SIZE = 200 * 1024 };
    char url[DOCTOR_URL_SIZE];
    struct probe probe;
    char *body = malloc(SIZE + 1);
    if (body == NULL)
        return;
    memset(body, ' ', SIZE);
    body[SIZE] = '\0';
    (void)snprintf(url, sizeof url, "%sevent", doctor->url);
    const struct probe_request request = {
        .url = url, .body = body, .ca_file = doctor->ca_file, .trusting = doctor->trusting};
    probe_open(&probe, &request);
    (void)probe_until(&probe, "", doctor->wait_ms);
    if (probe.status == 413)
        findings_add(&doctor->findings, "body-limit",
                     doctor_place_of(doctor, "client_max_body_size", "LimitRequestBody"), NULL,
                     "a post of 200 KiB is answered 413");
    probe_close(&probe);
    free(body);
}

void doctor_look_at_edges(struct doctor *doctor)
{
    look_at_origin(doctor);
    look_at_inner(doctor);
    look_at_admin(doctor);
    look_at_bodies(doctor);
}
