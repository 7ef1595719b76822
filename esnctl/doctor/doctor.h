/* What the looks of `esnctl doctor` share. */
#ifndef ESN_DOCTOR_H
#define ESN_DOCTOR_H

#include "../settings.h"
#include "findings.h"
#include "probe.h"
#include "web_config.h"
#include "web_server.h"

enum { DOCTOR_URL_SIZE = 2048, DOCTOR_PLACE_SIZE = 4200, DOCTOR_IGNORED = 32 };

struct doctor {
    struct settings settings;
    struct findings findings;
    const char *url;                     /* of the broker's prefix, ends with a slash */
    const char *origin;                  /* of pages; NULL: not said */
    const char *ca_file, *web_config;    /* NULL likewise */
    unsigned wait_ms;                    /* for what should come at once */
    unsigned late_ms;                    /* what comes after that comes late; 0: whenever */
    const char *ignored[DOCTOR_IGNORED]; /* names of findings that are known */
    size_t ignored_count;
    unsigned patience_ms; /* in which an idle stream should live */
    bool trusting;        /* the certificate is bad, and that was said */
    unsigned port;
    struct web_server server;
    struct web_config web; /* empty: not readable */
    char place[DOCTOR_PLACE_SIZE];
};

/* Through the web server. False when it could not be reached at all. */
bool doctor_look_at_door(struct doctor *doctor);
void doctor_look_at_transports(struct doctor *doctor);
void doctor_look_at_edges(struct doctor *doctor);
/* On this machine: the web server's configuration and processes, the broker's own settings. */
void doctor_look_at_web_server(struct doctor *doctor);
void doctor_look_at_host(struct doctor *doctor);

/* "FILE:LINE" of the directive that holds where the web server passes on to the daemon, else of that
 * place; NULL: its configuration is not known. Good until the next call. */
const char *doctor_place_of(struct doctor *doctor, const char *nginx, const char *apache);
/* "FILE:LINE" of the first directive of this name that has this text; NULL: there is none. Likewise. */
const char *doctor_place_with(struct doctor *doctor, const char *name, const char *text);
/* A request through the door, with the Origin where one was said; `url` lives as long as it. */
struct probe_request doctor_request(const struct doctor *doctor, const char *url, char *origin);

#endif
