/* One look through a web server, as a page would have it: an exchange whose answer may go on, with what
 * came when. */
#ifndef ESN_PROBE_H
#define ESN_PROBE_H

#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROBE_HEADERS = 6, PROBE_ERROR_SIZE = 300 };

/* Texts live as long as the probe. */
struct probe_request {
    const char *url;
    const char *body;                   /* posted; NULL: GET */
    const char *headers[PROBE_HEADERS]; /* lines; NULL: no more */
    const char *ca_file;                /* NULL: the system's authorities */
    bool trusting;                      /* whatever the certificate is */
    bool wants_http2;
    bool stays; /* does not follow a redirection */
};

enum probe_fault {
    PROBE_GOOD, /* so far */
    PROBE_DNS,
    PROBE_CONNECT,
    PROBE_EXPIRED,
    PROBE_NAME,
    PROBE_UNTRUSTED,
    PROBE_BROKEN /* in the middle, or before an answer */
};

struct probe {
    const struct probe_request *request;
    long status, http_version; /* 10, 11, 20; 0: no answer yet */
    struct bytes head, body;   /* of the last answer, where redirections were followed */
    uint64_t answered_ms;      /* monotonic clock, when its first byte came; 0: none has */
    bool ended;                /* the answer, or the connection */
    enum probe_fault fault;
    char error[PROBE_ERROR_SIZE];
    int64_t expires_in_s; /* of the certificate; 0: none was seen */
    struct probe_exchange *exchange;
};

/* Begins. To be closed either way. */
void probe_open(struct probe *probe, const struct probe_request *request);
/* Goes on until the body has this text (NULL: until the head is there; "": never mind) or the answer
 * has ended, for so long at most. True: it is there. */
bool probe_until(struct probe *probe, const char *text, unsigned limit_ms);
/* The value of a header line of the answer, up to its end; NULL: there is none. Good until the next
 * call for this probe. */
const char *probe_header(struct probe *probe, const char *name);
void probe_close(struct probe *probe);

/* The head of a WebSocket's answer and the text that comes behind it: asked for by these bytes. */
void probe_open_raw(struct probe *probe, const struct probe_request *request);
bool probe_until_raw(struct probe *probe, const char *text, unsigned limit_ms);

#endif
