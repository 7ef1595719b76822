/* Is it there, by which address, with which certificate, and what time is it there? */
#include "doctor.h"

#include "clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_SECONDS = 30, CERTIFICATE_DAYS = 14, DAY = 86400 };

struct probe_request doctor_request(const struct doctor *doctor, const char *url, char *origin)
{
    struct probe_request request = {
        .url = url, .ca_file = doctor->ca_file, .trusting = doctor->trusting};
    if (doctor->origin != NULL) {
        (void)snprintf(origin, DOCTOR_URL_SIZE, "Origin: %s", doctor->origin);
        request.headers[0] = origin;
    }
    return request;
}

static const char *name_fault(enum probe_fault fault)
{
    switch (fault) {
    case PROBE_DNS:
        return "dns";
    case PROBE_EXPIRED:
        return "certificate-expired";
    case PROBE_NAME:
        return "certificate-name";
    case PROBE_UNTRUSTED:
        return "certificate-untrusted";
    default:
        return "unreachable";
    }
}

static bool is_of_certificate(enum probe_fault fault)
{
    return fault == PROBE_EXPIRED || fault == PROBE_NAME || fault == PROBE_UNTRUSTED;
}

static void look_at_url(struct doctor *doctor)
{
    bool is_plain = strncmp(doctor->url, "http://", 7) == 0;
    if (is_plain && doctor->origin != NULL && strncmp(doctor->origin, "https://", 8) == 0)
        findings_add(&doctor->findings, "mixed-content", NULL, NULL,
                     "pages of %s would have to reach %s", doctor->origin, doctor->url);
}

static void look_at_clock(struct doctor *doctor, struct probe *probe)
{
    const char *date = probe_header(probe, "Date");
    time_t there = date != NULL ? curl_getdate(date, NULL) : -1;
    long long apart = (long long)there - (long long)(clock_wall_ms() / 1000);
    if (there != -1 && (apart > CLOCK_SECONDS || apart < -CLOCK_SECONDS))
        findings_add(&doctor->findings, "clock", NULL, NULL,
                     "the web server's clock is %lld s %s this machine's", llabs(apart),
                     apart > 0 ? "ahead of" : "behind");
}

static void look_at_certificate(struct doctor *doctor, const struct probe *probe)
{
    if (probe->expires_in_s > 0 && probe->expires_in_s < (int64_t)CERTIFICATE_DAYS * DAY)
        findings_add(&doctor->findings, "certificate-soon",
                     doctor_place_of(doctor, "ssl_certificate", "SSLCertificateFile"), NULL,
                     "the certificate expires in %lld days",
                     (long long)(probe->expires_in_s / DAY));
}

static void look_at_health(struct doctor *doctor, struct probe *probe)
{
    const char *body = bytes_terminate(&probe->body);
    if (body == NULL)
        body = "";
    if (probe->status >= 502)
        findings_add(&doctor->findings, "daemon-away",
                     doctor_place_of(doctor, "proxy_pass", "ProxyPass"), NULL,
                     "%shealthz is answered %ld", doctor->url, probe->status);
    else if (probe->status != 200 || strstr(body, "\"status\"") == NULL)
        findings_add(&doctor->findings, "prefix", NULL, NULL,
                     "%shealthz is answered %ld, and not by the broker", doctor->url,
                     probe->status);
}

static void open_door(struct doctor *doctor, struct probe *probe, struct probe_request *request,
                      const char *url, char *origin)
{
    *request = doctor_request(doctor, url, origin);
    probe_open(probe, request);
    (void)probe_until(probe, "", doctor->wait_ms);
}

/* It lives: does it take events? */
static void look_at_readiness(struct doctor *doctor)
{
    char url[DOCTOR_URL_SIZE], origin[DOCTOR_URL_SIZE];
    struct probe_request request;
    struct probe probe;
    (void)snprintf(url, sizeof url, "%sreadyz", doctor->url);
    open_door(doctor, &probe, &request, url, origin);
    const char *body = bytes_terminate(&probe.body);
    if (probe.status == 503)
        findings_add(&doctor->findings, "not-ready", NULL, NULL, "%s: %.200s", url,
                     body != NULL ? body : "");
    probe_close(&probe);
}

bool doctor_look_at_door(struct doctor *doctor)
{
    char url[DOCTOR_URL_SIZE], origin[DOCTOR_URL_SIZE];
    struct probe_request request;
    struct probe probe;
    look_at_url(doctor);
    (void)snprintf(url, sizeof url, "%shealthz", doctor->url);
    open_door(doctor, &probe, &request, url, origin);
    if (probe.fault != PROBE_GOOD || probe.status == 0) {
        findings_add(&doctor->findings, name_fault(probe.fault),
                     is_of_certificate(probe.fault)
                         ? doctor_place_of(doctor, "ssl_certificate", "SSLCertificateFile")
                         : NULL,
                     NULL, "%s: %s", url, probe.error[0] != '\0' ? probe.error : "no answer");
        bool goes_on = is_of_certificate(probe.fault);
        probe_close(&probe);
        if (!goes_on)
            return false;
        doctor->trusting = true;
        open_door(doctor, &probe, &request, url, origin);
    } else {
        look_at_certificate(doctor, &probe);
    }
    look_at_clock(doctor, &probe);
    look_at_health(doctor, &probe);
    bool reached = probe.status == 200 && !findings_have(&doctor->findings, "prefix");
    probe_close(&probe);
    if (reached)
        look_at_readiness(doctor);
    return reached;
}
