/* What `esnctl doctor` finds: what was seen, why it matters, the line to change and in which file. */
#ifndef ESN_FINDINGS_H
#define ESN_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum web_server_kind { WEB_SERVER_UNKNOWN, WEB_SERVER_NGINX, WEB_SERVER_APACHE };

struct finding {
    const struct finding_advice *advice;
    char *seen;
    char *line; /* NULL: that of the advice */
    char *file; /* NULL: where the advice says */
};

/* How long it took; -1: it was not seen, or not looked for. */
struct delay {
    long first_byte_ms, first_frame_ms; /* since it was asked for */
    long event_ms;                      /* since it was posted */
};

enum { FINDINGS_DELAYS = 8 };

struct findings {
    struct finding *list;
    size_t count, capacity;
    enum web_server_kind web;          /* whose lines are advised; set by who finds out */
    const char *ways[FINDINGS_DELAYS]; /* static: by which way the delays below were */
    struct delay delays[FINDINGS_DELAYS];
    size_t delay_count;
    bool failed; /* no memory */
};

/* Adds one of the findings that findings.c knows by this name. file, line: NULL where the usual ones
 * hold. */
void findings_add(struct findings *findings, const char *name, const char *file, const char *line,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What was measured, for who reads the findings; beyond FINDINGS_DELAYS nothing is noted. */
void findings_note_delay(struct findings *findings, const char *way, const struct delay *delay);
bool findings_have(const struct findings *findings, const char *name);
/* Whether there is such a finding at all. */
bool findings_know(const char *name);
/* As if all of this name had not been found. */
void findings_forget(struct findings *findings, const char *name);
/* As sentences, or as JSON. False when standard output cannot be written. */
bool findings_print(const struct findings *findings, bool json);
void findings_free(struct findings *findings);

#endif
