/* The configuration of nginx or Apache as statements with file and line, as far as it can be read: to
 * name the line that is to be changed. */
#ifndef ESN_WEB_CONFIG_H
#define ESN_WEB_CONFIG_H

#include "findings.h"

#include <stdbool.h>
#include <stddef.h>

struct web_statement {
    char *text; /* without its end; words with one blank between them */
    char *file;
    unsigned line;
    size_t block; /* statement that opened the block in which it stands, plus 1; 0: none */
};

struct web_config {
    enum web_server_kind kind;
    struct web_statement *list;
    size_t count, capacity;
};

/* Reads the file and what it includes. False: nothing could be read. */
bool web_config_load(struct web_config *config, enum web_server_kind kind, const char *path);
void web_config_free(struct web_config *config);
/* The statement of this name that holds in a block (a statement's number plus 1), there or in those
 * around it; NULL: there is none. */
const struct web_statement *web_config_find(const struct web_config *config, const char *name,
                                            size_t block);
/* The first one of this name, wherever it stands, after `last` (NULL: from the beginning). */
const struct web_statement *web_config_next(const struct web_config *config, const char *name,
                                            const struct web_statement *last);
/* What stands behind its name. */
const char *web_statement_value(const struct web_statement *statement);

#endif
