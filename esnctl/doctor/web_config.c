#include "web_config.h"

#include "bytes.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILES_DEEP = 8, FILE_MOST = 1 << 20, PATH_SIZE = 4096 };

static bool read_file(struct web_config *config, const char *path, const char *folder,
                      size_t *block, int depth);

/* ---- statements ---- */

/* NULL without memory. */
static char *copy_text(const struct bytes *text)
{
    char *copy = malloc(text->length + 1);

    if (copy == NULL)
        return NULL;
    if (text->length > 0)
        memcpy(copy, text->data, text->length);
    copy[text->length] = '\0';
    return copy;
}

static bool add_statement(struct web_config *config, const struct bytes *text, const char *file,
                          unsigned line, size_t block)
{
    if (config->count == config->capacity) {
        size_t capacity = config->capacity * 2 + 64;
        struct web_statement *more = reallocarray(config->list, capacity, sizeof *more);
        if (more == NULL)
            return false;
        config->list = more;
        config->capacity = capacity;
    }
    struct web_statement *statement = &config->list[config->count];
    *statement = (struct web_statement){
        .text = copy_text(text), .file = strdup(file), .line = line, .block = block};
    config->count++;
    return statement->text != NULL && statement->file != NULL;
}

const char *web_statement_value(const struct web_statement *statement)
{
    const char *blank = strchr(statement->text, ' ');
    return blank != NULL ? blank + 1 : "";
}

static bool has_name(const struct web_statement *statement, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(statement->text, name, length) == 0 &&
           (statement->text[length] == ' ' || statement->text[length] == '\0');
}

const struct web_statement *web_config_next(const struct web_config *config, const char *name,
                                            const struct web_statement *last)
{
    size_t from = last != NULL ? (size_t)(last - config->list) + 1 : 0;
    for (size_t i = from; i < config->count; i++) {
        if (has_name(&config->list[i], name))
            return &config->list[i];
    }
    return NULL;
}

const struct web_statement *web_config_find(const struct web_config *config, const char *name,
                                            size_t block)
{
    for (;;) {
        for (size_t i = 0; i < config->count; i++) {
            if (config->list[i].block == block && has_name(&config->list[i], name))
                return &config->list[i];
        }
        if (block == 0)
            return NULL;
        block = config->list[block - 1].block;
    }
}

/* ---- included files ---- */

/* The value of an include, without quotes, of which relative ones begin in the folder. */
static bool read_included(struct web_config *config, const char *value, const char *folder,
                          size_t *block, int depth)
{
    char pattern[PATH_SIZE];
    glob_t found;
    size_t length = strlen(value);
    if (length >= 2 && (*value == '"' || *value == '\''))
        (void)snprintf(pattern, sizeof pattern, "%s%s%.*s", value[1] == '/' ? "" : folder,
                       value[1] == '/' ? "" : "/", (int)(length - 2), value + 1);
    else
        (void)snprintf(pattern, sizeof pattern, "%s%s%s", *value == '/' ? "" : folder,
                       *value == '/' ? "" : "/", value);
    if (depth >= FILES_DEEP || glob(pattern, 0, NULL, &found) != 0)
        return true;
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)read_file(config, found.gl_pathv[i], folder, block, depth + 1);
    globfree(&found);
    return true;
}

static bool take_statement(struct web_config *config, struct bytes *text, const char *file,
                           unsigned line, const char *folder, size_t *block, int depth)
{
    static const char *const includes[] = {"include", "IncludeOptional"};
    while (text->length > 0 && text->data[text->length - 1] == ' ')
        text->length--;
    if (text->length == 0)
        return true;
    if (!add_statement(config, text, file, line, *block))
        return false;
    bytes_clear(text);
    struct web_statement statement = config->list[config->count - 1];
    for (size_t i = 0; i < sizeof includes / sizeof *includes; i++) {
        if (has_name(&statement, includes[i]))
            return read_included(config, web_statement_value(&statement), folder, block, depth);
    }
    return true;
}

/* ---- nginx ---- */

static void take_letter(struct bytes *text, char letter)
{
    bool blank = strchr(" \t\r\n", letter) != NULL;
    if (!blank)
        bytes_append(text, &letter, 1);
    else if (text->length > 0 && text->data[text->length - 1] != ' ')
        bytes_append(text, " ", 1);
}

static void leave_block(const struct web_config *config, size_t *block)
{
    *block = *block > 0 ? config->list[*block - 1].block : 0;
}

static bool parse_nginx(struct web_config *config, const char *content, const char *file,
                        const char *folder, size_t *block, int depth)
{
    struct bytes text = BYTES_EMPTY;
    unsigned line = 1, first = 1;
    char quote = '\0';
    bool good = true;
    for (const char *at = content; good && *at != '\0'; at++) {
        line += *at == '\n';
        if (text.length == 0)
            first = line;
        if (quote == '\0' && *at == '#' && (at == content || strchr(" \t\n;{}", at[-1]) != NULL)) {
            at += strcspn(at, "\n") - 1;
        } else if (quote == '\0' && (*at == ';' || *at == '{')) {
            good = take_statement(config, &text, file, first, folder, block, depth);
            if (*at == '{')
                *block = config->count;
        } else if (quote == '\0' && *at == '}') {
            leave_block(config, block);
        } else {
            if ((*at == '"' || *at == '\'') && (quote == '\0' || quote == *at))
                quote = quote == '\0' ? *at : '\0';
            take_letter(&text, *at);
        }
    }
    bytes_free(&text);
    return good;
}

/* ---- Apache ---- */

static bool parse_apache_line(struct web_config *config, const char *content, size_t length,
                              const char *file, unsigned line, const char *folder, size_t *block,
                              int depth)
{
    struct bytes text = BYTES_EMPTY;
    for (size_t i = 0; i < length; i++)
        take_letter(&text, content[i]);
    bool opens = text.length > 0 && text.data[0] == '<';
    bool closes = text.length > 1 && opens && text.data[1] == '/';
    bool good = true;
    if (closes)
        leave_block(config, block);
    else if (text.length > 0 && text.data[0] != '#')
        good = take_statement(config, &text, file, line, folder, block, depth);
    if (opens && !closes)
        *block = config->count;
    bytes_free(&text);
    return good;
}

static bool parse_apache(struct web_config *config, const char *content, const char *file,
                         const char *folder, size_t *block, int depth)
{
    unsigned line = 1;
    bool good = true;
    while (good && *content != '\0') {
        size_t length = strcspn(content, "\n");
        good = parse_apache_line(config, content, length, file, line, folder, block, depth);
        content += length + (content[length] == '\n');
        line++;
    }
    return good;
}

/* ---- files ---- */

static bool read_file(struct web_config *config, const char *path, const char *folder,
                      size_t *block, int depth)
{
    FILE *in = fopen(path, "r");
    char *content = in != NULL ? malloc(FILE_MOST + 1) : NULL;
    bool good = false;
    if (content != NULL) {
        size_t length = fread(content, 1, FILE_MOST, in);
        content[length] = '\0';
        good = config->kind == WEB_SERVER_APACHE
                   ? parse_apache(config, content, path, folder, block, depth)
                   : parse_nginx(config, content, path, folder, block, depth);
    }
    free(content);
    if (in != NULL)
        (void)fclose(in);
    return good;
}

bool web_config_load(struct web_config *config, enum web_server_kind kind, const char *path)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    size_t block = 0;
    *config = (struct web_config){.kind = kind};
    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path),
                   slash == NULL ? "." : path);
    return read_file(config, path, folder, &block, 0);
}

void web_config_free(struct web_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        free(config->list[i].text);
        free(config->list[i].file);
    }
    free(config->list);
    *config = (struct web_config){0};
}
