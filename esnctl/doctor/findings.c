#include "findings.h"

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finding_advice {
    const char *name, *why;
    const char *nginx, *apache; /* the line to change, of each; the same for both: apache is NULL */
    const char *where;          /* the file, where it is not known better */
};

#define SITE "the web server's site, where it passes the broker on"
#define CONF "es-web-notify.conf"
#define MAIN "the web server's main configuration"

/* clang-format off */
static const struct finding_advice advices[] = {
    {"dns", "no page can find the broker",
     "a record of the name, or another name in the address", NULL, "DNS"},
    {"unreachable", "no page can reach the broker",
     "listen on this address and port; open it in the firewall", NULL, MAIN},
    {"certificate-expired", "browsers refuse the connection, and pages only see that it failed",
     "ssl_certificate: a new one", "SSLCertificateFile: a new one", SITE},
    {"certificate-soon", "when it has expired, browsers refuse the connection",
     "ssl_certificate: a new one", "SSLCertificateFile: a new one", SITE},
    {"certificate-name", "browsers refuse a certificate of another name",
     "ssl_certificate: one with this name", "SSLCertificateFile: one with this name", SITE},
    {"certificate-untrusted", "browsers refuse a certificate whose issuer they do not know, or whose chain is not sent whole",
     "ssl_certificate: the whole chain, of a known issuer (or --ca FILE here)", "SSLCertificateFile: the whole chain, of a known issuer (or --ca FILE here)", SITE},
    {"mixed-content", "a browser lets a page of https reach nothing by http",
     "an address of https: listen 443 ssl", "an address of https: SSLEngine on", SITE},
    {"token-in-url", "web servers, proxies and browsers keep addresses in logs and histories",
     "the token in a header: Authorization: Bearer", NULL, "whatever posts"},
    {"prefix", "pages ask for it there and are answered by somebody else",
     "location /notify/ { ... } as in deploy/nginx/es-web-notify.conf, or this command with the prefix that it has",
     "ProxyPass \"/notify/\" ... as in deploy/apache, or this command with the prefix that it has", SITE},
    {"daemon-away", "no page can subscribe, and no event arrives",
     "systemctl start esn-fanout; proxy_pass to an address of [fanout] listen", "systemctl start esn-fanout; ProxyPass to an address of [fanout] listen", SITE},
    {"not-ready", "events are refused for the time being", "see the journal of esn-fanout", NULL, "journalctl -u esn-fanout"},
    {"clock", "tickets, access tokens, bind keys and signed posts are dated: with clocks apart they are refused",
     "systemctl enable --now systemd-timesyncd (or chrony)", NULL, "the machine whose clock is off"},
    {"subscribe-away", "who has to prove who he is cannot subscribe",
     "systemctl start esn-subscribe.socket; fastcgi_pass to its socket", "systemctl start esn-subscribe.socket; ProxyPassMatch to its socket", SITE},
    {"event-away", "no backend can publish",
     "systemctl start esn-event.socket; fastcgi_pass to its socket", "systemctl start esn-event.socket; ProxyPassMatch to its socket", SITE},
    {"handoff", "the web server does not hand subscribers on: they get an empty answer",
     "[handoff] mode = accel", "[handoff] mode = redirect (with mod_proxy_fcgi), or local (with mod_fcgid)", CONF},
    {"handoff-prefix", "subscribers are handed on to a place that is not there",
     "location ^~ /_fanout/ { internal; ... }, or [handoff] prefix as the location has it", "ProxyPass \"/_fanout/\" ..., or [handoff] prefix as it is there", SITE},
    {"ticket-secret", "the daemon refuses what esn-subscribe signs: nobody can subscribe with a proof",
     "[ticket] secret_file: the same for both", NULL, CONF " of esn-subscribe and of esn-fanout"},
    {"publish-token", "posts with it are answered 404",
     "[publish] token_file: the token that backends have; then systemctl reload esn-event", NULL, CONF},
    {"publish-failed", "no backend can publish", "see the journal of esn-event", NULL, "journalctl -u esn-event"},
    {"not-subscribed", "pages that use this transport get nothing",
     "the locations of deploy/nginx/es-web-notify.conf, all of them", "the lines of deploy/apache, all of them", SITE},
    {"buffered", "a proxy holds the stream back, so that pages get events late, in heaps, or never",
     "proxy_buffering off;", "ProxyPass ... flushpackets=on", SITE},
    {"compressed", "what is compressed is gathered first: events come late, and each stream takes memory",
     "gzip off;", "SetEnv no-gzip 1", SITE},
    {"http-1.0", "without chunks and kept connections a stream ends only with its connection, and WebSockets do not work",
     "proxy_http_version 1.1;", "SetEnv force-proxy-request-1.0: without it", SITE},
    {"websocket", "pages fall back to other transports, or have none",
     "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;", "ProxyPass ... upgrade=websocket", SITE},
    {"http2", "a browser opens six connections to a server of HTTP/1.1: pages that hold a stream each, in as many tabs, leave none for anything else",
     "listen 443 ssl http2; (from nginx 1.25.1 on: http2 on;)", "Protocols h2 http/1.1 (a2enmod http2)", SITE},
    {"idle-timeout", "silent streams are cut, and pages come back again and again",
     "proxy_read_timeout 1d;", "ProxyPass ... timeout=86400", SITE},
    {"cors", "the browser does not let the page read the answer",
     "[web] origins: with this origin", NULL, CONF},
    {"fanout-open", "whoever reaches it goes past what the web server decides, and can speak to the daemon itself",
     "internal;", "Require env REDIRECT_STATUS", "the web server's site, location /_fanout/"},
    {"admin-open", "strangers read who is connected",
     "proxy_set_header Authorization: without the admin token", "RequestHeader set Authorization: without the admin token", SITE},
    {"worker-connections", "each stream takes two of nginx's connections: when they are used up, nobody gets in",
     "worker_connections 8192;", "MaxRequestWorkers 8192", MAIN},
    {"mutex-file", "several threads of a process wait for such a lock, which the kernel takes for a deadlock: mod_fcgid then ends the whole of Apache, with all streams that it holds",
     "Mutex default", NULL, MAIN},
    {"worker-files", "each connection is an open file of the worker",
     "worker_rlimit_nofile 16384;", "ulimit -n 16384", MAIN},
    {"logged-query", "queries can hold tickets and bind keys, which the access log then has",
     "access_log off;", "CustomLog ... env=!es-web-notify", SITE},
    {"socket-missing", "the web server answers 502", "fastcgi_pass to the socket that the handler listens on (systemctl status esn-event.socket esn-subscribe.socket)", "ProxyPassMatch to the socket that the handler listens on", SITE},
    {"socket-group", "the web server may not open the handlers' socket and answers 502 or 503",
     "adduser www-data esn-web; systemctl restart nginx", "adduser www-data esn-web; systemctl restart apache2", "/etc/group"},
    {"body-limit", "larger events are refused by the web server: 413", "client_max_body_size 16m;", "LimitRequestBody 16777216", SITE},
    {"open-files", "the daemon takes fewer connections than it is configured for",
     "LimitNOFILE=", NULL, "esn-fanout.service"},
    {"binding-server", "nobody can subscribe with a bind key: they are answered 503",
     "[binding] url: an address that answers", NULL, CONF},
    {"kernel-backlog", "when many pages come back at once their connections are refused",
     "net.core.somaxconn = 4096", NULL, "/etc/sysctl.d/"},
    {"kernel-ports", "each stream takes a port between the proxy and the daemon",
     "net.ipv4.ip_local_port_range = 1024 65535, or [fanout] listen = unix:/...", NULL, "/etc/sysctl.d/"},
    {"check-config", "the programs cannot work with it as they should", "as it says", NULL, CONF},
    {"units", "it is not there after the next start of the machine, or not now", "systemctl enable --now", NULL, "systemd"},
};
/* clang-format on */

static const struct finding_advice *find_advice(const char *name)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        if (strcmp(advices[i].name, name) == 0)
            return &advices[i];
    }
    return NULL;
}

bool findings_have(const struct findings *findings, const char *name)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->list[i].advice->name, name) == 0)
            return true;
    }
    return false;
}

static struct finding *make_room(struct findings *findings)
{
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity * 2 + 8;
        struct finding *more = reallocarray(findings->list, capacity, sizeof *more);
        if (more == NULL)
            return NULL;
        findings->list = more;
        findings->capacity = capacity;
    }
    return &findings->list[findings->count];
}

void findings_add(struct findings *findings, const char *name, const char *file, const char *line,
                  const char *format, ...)
{
    const struct finding_advice *advice = find_advice(name);
    struct finding *finding = advice != NULL ? make_room(findings) : NULL;
    va_list arguments;
    if (finding == NULL) {
        findings->failed = true;
        return;
    }
    *finding = (struct finding){.advice = advice,
                                .file = file != NULL ? strdup(file) : NULL,
                                .line = line != NULL ? strdup(line) : NULL};
    va_start(arguments, format);
    if (vasprintf(&finding->seen, format, arguments) < 0)
        finding->seen = NULL;
    va_end(arguments);
    findings->count++;
    if (finding->seen == NULL || (file != NULL && finding->file == NULL) ||
        (line != NULL && finding->line == NULL))
        findings->failed = true;
}

bool findings_know(const char *name)
{
    return find_advice(name) != NULL;
}

static void free_finding(struct finding *finding)
{
    free(finding->seen);
    free(finding->file);
    free(finding->line);
}

void findings_forget(struct findings *findings, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->list[i].advice->name, name) == 0)
            free_finding(&findings->list[i]);
        else
            findings->list[kept++] = findings->list[i];
    }
    findings->count = kept;
}

void findings_note_delay(struct findings *findings, const char *way, const struct delay *delay)
{
    if (findings->delay_count == FINDINGS_DELAYS)
        return;
    findings->ways[findings->delay_count] = way;
    findings->delays[findings->delay_count++] = *delay;
}

/* ---- printing ---- */

static const char *line_of(const struct findings *findings, const struct finding *finding)
{
    const struct finding_advice *advice = finding->advice;
    if (finding->line != NULL)
        return finding->line;
    return findings->web == WEB_SERVER_APACHE && advice->apache != NULL ? advice->apache
                                                                        : advice->nginx;
}

static const char *file_of(const struct finding *finding)
{
    return finding->file != NULL ? finding->file : finding->advice->where;
}

static void print_member(const char *name, const char *text, const char *end)
{
    struct bytes value = BYTES_EMPTY;
    bytes_append_json_string(&value, text, strlen(text));
    (void)printf("\"%s\": %.*s%s", name, (int)value.length, value.data != NULL ? value.data : "",
                 end);
    bytes_free(&value);
}

static void print_json(const struct findings *findings)
{
    (void)printf("{\"findings\": [");
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        (void)printf("%s\n  {", i > 0 ? "," : "");
        print_member("name", finding->advice->name, ", ");
        print_member("seen", finding->seen != NULL ? finding->seen : "", ", ");
        print_member("why", finding->advice->why, ", ");
        print_member("line", line_of(findings, finding), ", ");
        print_member("file", file_of(finding), "}");
    }
    (void)printf("],\n \"delays\": [");
    for (size_t i = 0; i < findings->delay_count; i++) {
        const struct delay *delay = &findings->delays[i];
        (void)printf("%s\n  {", i > 0 ? "," : "");
        print_member("way", findings->ways[i], ", ");
        (void)printf("\"first_byte_ms\": %ld, \"first_frame_ms\": %ld, \"event_ms\": %ld}",
                     delay->first_byte_ms, delay->first_frame_ms, delay->event_ms);
    }
    (void)printf("]}\n");
}

static void print_delay(const char *what, long ms, const char *end)
{
    if (ms >= 0)
        (void)printf("%s after %ld ms%s", what, ms, end);
    else
        (void)printf("%s not seen%s", what, end);
}

/* What was measured, whether anything is wrong or not. */
static void print_delays(const struct findings *findings)
{
    for (size_t i = 0; i < findings->delay_count; i++) {
        (void)printf("%s: ", findings->ways[i]);
        print_delay("first byte", findings->delays[i].first_byte_ms, ", ");
        print_delay("first frame", findings->delays[i].first_frame_ms, ", ");
        print_delay("an event", findings->delays[i].event_ms, "\n");
    }
}

static void print_text(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        (void)printf("%s: %s\n  why: %s\n  change: %s\n  in: %s\n\n", finding->advice->name,
                     finding->seen != NULL ? finding->seen : "", finding->advice->why,
                     line_of(findings, finding), file_of(finding));
    }
    if (findings->count == 0)
        (void)printf("Nothing is wrong, as far as it was looked at.\n");
    else
        (void)printf("%zu %s\n", findings->count, findings->count == 1 ? "finding" : "findings");
    print_delays(findings);
}

bool findings_print(const struct findings *findings, bool json)
{
    if (json)
        print_json(findings);
    else
        print_text(findings);
    return fflush(stdout) == 0;
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free_finding(&findings->list[i]);
    free(findings->list);
    *findings = (struct findings){0};
}
