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

struct findings {
    struct finding *list;
    size_t count, capacity;
    enum web_server_kind web; /* whose lines are advised; set by who finds out */
    bool failed;              /* no memory */
};

/* Adds one of the findings that findings.c knows by this name. file, line: NULL where the usual ones
 * hold. */
void findings_add(struct findings *findings, const char *name, const char *file, const char *line,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
bool findings_have(const struct findings *findings, const char *name);
/* As sentences, or as JSON. False when standard output cannot be written. */
bool findings_print(const struct findings *findings, bool json);
void findings_free(struct findings *findings);

#endif
