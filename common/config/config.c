#include "config/config.h"

#include "config/config_check.h"
#include "config/config_environment.h"
#include "config/config_value.h"
#include "config/ini_lines.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULT_LINE_SIZE = 1024, MORE_SIZE = 32, SUGGESTION_SIZE = 96 };
static const unsigned by_environment = UINT_MAX; /* in key_lines */

/* One reading of a file. */
struct config_reading {
    struct config *config;
    const char *path;
    char *folder;
    struct ini_lines lines;
    const char *section;                /* of config_sections; "": none yet */
    unsigned *key_lines;                /* by index in config_keys: where it was set, 0: nowhere */
    const struct config_key *open_list; /* the list that was named last */
    bool in_unknown_section;
    char *error;
    size_t error_length;
    unsigned faults, faults_left_out;
};

static void __attribute__((format(printf, 3, 4)))
add_fault(struct config_reading *reading, unsigned line, const char *format, ...)
{
    char text[FAULT_LINE_SIZE];
    int used = line == 0 ? snprintf(text, sizeof text, "%s: ", reading->path)
                         : snprintf(text, sizeof text, "%s:%u: ", reading->path, line);
    if (used < 0 || (size_t)used >= sizeof text)
        used = 0;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
    va_end(arguments);

    reading->faults++;
    size_t length = strlen(text);
    if (reading->error_length + 1 + length + MORE_SIZE > CONFIG_ERROR_SIZE) {
        reading->faults_left_out++;
        return;
    }
    if (reading->error_length > 0)
        reading->error[reading->error_length++] = '\n';
    memcpy(reading->error + reading->error_length, text, length + 1);
    reading->error_length += length;
}

/* Number of letters to insert, remove or change to get from one word to the other (Levenshtein). */
static size_t edit_distance(const char *from, const char *to)
{
    size_t row[SUGGESTION_SIZE + 1];
    size_t to_length = strnlen(to, SUGGESTION_SIZE);
    for (size_t j = 0; j <= to_length; j++)
        row[j] = j;
    for (size_t i = 0; from[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < to_length; j++) {
            size_t best = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (diagonal + 1 < best)
                best = diagonal + 1;
            row[j + 1] = best;
        }
    }
    return row[to_length];
}

static size_t tolerated_distance(const char *word)
{
    size_t third = strlen(word) / 3;
    return third > 4 ? 4 : third < 2 ? 2 : third;
}

static void report_unknown_section(struct config_reading *reading, const char *name)
{
    const char *nearest = NULL;
    size_t distance = tolerated_distance(name) + 1;
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        size_t now = edit_distance(name, section->name);
        if (now < distance) {
            distance = now;
            nearest = section->name;
        }
    }
    if (nearest != NULL)
        add_fault(reading, reading->lines.number, "unknown section [%s]; did you mean [%s]?", name,
                  nearest);
    else
        add_fault(reading, reading->lines.number, "unknown section [%s]", name);
}

static void report_unknown_key(struct config_reading *reading, const char *section,
                               const char *name)
{
    const struct config_key *nearest = NULL;
    size_t distance = tolerated_distance(name) + 1;
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        /* The same name elsewhere is as near as one letter. */
        size_t now = strcmp(section, key->section) == 0 ? edit_distance(name, key->name)
                     : strcmp(name, key->name) == 0     ? 1
                                                        : distance;
        if (now < distance) {
            distance = now;
            nearest = key;
        }
    }
    if (nearest == NULL)
        add_fault(reading, reading->lines.number, "unknown key \"%s\" in [%s]", name, section);
    else if (strcmp(section, nearest->section) == 0)
        add_fault(reading, reading->lines.number, "unknown key \"%s\" in [%s]; did you mean %s?",
                  name, section, nearest->name);
    else
        add_fault(reading, reading->lines.number,
                  "unknown key \"%s\" in [%s]; did you mean %s of [%s]?", name, section,
                  nearest->name, nearest->section);
}

static void set_key(struct config_reading *reading, const struct config_key *key, const char *value)
{
    char fault[CONFIG_FAULT_SIZE];
    unsigned *line = &reading->key_lines[key - config_keys];
    if (*line != 0) {
        add_fault(reading, reading->lines.number, "%s was set before, on line %u; keep one of them",
                  key->name, *line);
        return;
    }
    *line = reading->lines.number;
    if (!config_value_set(reading->config, key, value, reading->folder, fault))
        add_fault(reading, reading->lines.number, "%s: %s", key->name, fault);
    else if (key->type == CONFIG_LIST) {
        reading->open_list = key;
        reading->lines.in_list = true;
    }
}

static void take_pair(struct config_reading *reading, const char *name, const char *value)
{
    const struct config_key *key = config_key_find(reading->section, name);
    if (reading->in_unknown_section)
        return;
    if (key != NULL)
        set_key(reading, key, value);
    else if (*reading->section == '\0')
        add_fault(reading, reading->lines.number,
                  "\"%s\" stands before the first section; put such as [%s] above it", name,
                  config_keys->section);
    else
        report_unknown_key(reading, reading->section, name);
}

static void enter_section(struct config_reading *reading, const char *name)
{
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        if (strcmp(section->name, name) == 0) {
            reading->section = section->name;
            reading->in_unknown_section = false;
            return;
        }
    }
    reading->in_unknown_section = true;
    report_unknown_section(reading, name);
}

static void take_line(struct config_reading *reading, enum ini_line kind)
{
    const struct ini_lines *lines = &reading->lines;
    if (lines->has_hash) {
        add_fault(reading, lines->number,
                  "\"#\" begins a comment only where a line begins; write \";\" behind a value");
    } else if (kind == INI_SECTION) {
        enter_section(reading, lines->name);
    } else if (kind == INI_PAIR) {
        take_pair(reading, lines->name, lines->value);
    } else if (kind == INI_MORE) {
        if (!config_value_append(reading->config, reading->open_list, lines->value))
            add_fault(reading, lines->number, "out of memory");
    } else if (kind == INI_BAD_SECTION) {
        reading->in_unknown_section = true;
        add_fault(reading, lines->number, "a section should be its name in brackets alone: [%s]",
                  config_keys->section);
    } else {
        add_fault(reading, lines->number, "%s", lines->fault);
    }
}

/* ---- the environment ---- */

/* `where`: the variable. */
static void add_variable_fault(struct config_reading *reading, const char *where,
                               const char *sentence)
{
    const char *file = reading->path;

    reading->path = where;
    add_fault(reading, 0, "%s", sentence);
    reading->path = file;
}

static void report_unknown_variable(struct config_reading *reading, const char *name)
{
    char own[CONFIG_VARIABLE_SIZE], sentence[FAULT_LINE_SIZE];
    const struct config_key *nearest = NULL;
    size_t distance = tolerated_distance(name) + 1;

    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        size_t now = edit_distance(name, config_variable_name(key, own));
        if (now < distance) {
            distance = now;
            nearest = key;
        }
    }
    (void)snprintf(sentence, sizeof sentence, "no setting has this variable%s%s%s",
                   nearest != NULL ? "; did you mean " : "",
                   nearest != NULL ? config_variable_name(nearest, own) : "",
                   nearest != NULL ? "?" : "");
    add_variable_fault(reading, name, sentence);
}

static void take_variable(struct config_reading *reading, const char *name,
                          const struct config_key *key, const char *value)
{
    char fault[CONFIG_FAULT_SIZE];

    reading->key_lines[key - config_keys] = by_environment;
    if (!config_value_set(reading->config, key, value, reading->folder, fault))
        add_variable_fault(reading, name, fault);
}

/* What stands there counts more than what the file says. */
static void read_environment(struct config_reading *reading)
{
    for (char *const *variable = environ; *variable != NULL; variable++) {
        char name[CONFIG_VARIABLE_SIZE];
        const char *equals = strchr(*variable, '=');
        if (equals == NULL)
            continue;
        size_t length = (size_t)(equals - *variable);
        const struct config_key *key = config_variable_key(*variable, length);
        if (key == NULL && !config_variable_claims(*variable, length))
            continue;
        size_t shown = length < sizeof name ? length : sizeof name - 1;
        memcpy(name, *variable, shown);
        name[shown] = '\0';
        if (key != NULL)
            take_variable(reading, name, key, equals + 1);
        else
            report_unknown_variable(reading, name);
    }
}

/* ---- all of it ---- */

static void report_check(void *context, const struct config_key *key, const char *sentence)
{
    struct config_reading *reading = context;
    char name[CONFIG_VARIABLE_SIZE];

    if (reading->key_lines[key - config_keys] == by_environment) {
        add_variable_fault(reading, config_variable_name(key, name), sentence);
        return;
    }
    add_fault(reading, reading->key_lines[key - config_keys], "[%s] %s: %s", key->section,
              key->name, sentence);
}

static void read_lines(struct config_reading *reading)
{
    enum ini_line kind = ini_lines_next(&reading->lines);
    for (; kind != INI_END && kind != INI_FAILED; kind = ini_lines_next(&reading->lines))
        take_line(reading, kind);
    if (kind == INI_FAILED)
        add_fault(reading, 0, "%s", strerror(errno));
    read_environment(reading);
    if (reading->faults == 0)
        config_check(reading->config, report_check, reading);
}

/* The absolute folder of the file; NULL without memory. */
static char *folder_of(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return NULL;
    const char *folder = dirname(copy);
    char *absolute = realpath(folder, NULL);
    if (absolute == NULL)
        absolute = strdup(folder);
    free(copy);
    return absolute;
}

static size_t count_keys(void)
{
    size_t count = 0;
    while (config_keys[count].section != NULL)
        count++;
    return count;
}

bool config_set_defaults(struct config *config)
{
    char fault[CONFIG_FAULT_SIZE];
    *config = (struct config){0};
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (!config_value_set(config, key, key->default_text, NULL, fault)) {
            config_free(config);
            return false;
        }
    }
    return true;
}

static void read_file(struct config_reading *reading)
{
    reading->lines.file = fopen(reading->path, "re");
    if (reading->lines.file == NULL) {
        add_fault(reading, 0, "%s", strerror(errno));
        return;
    }
    reading->folder = folder_of(reading->path);
    reading->key_lines = calloc(count_keys(), sizeof *reading->key_lines);
    reading->config->path = strdup(reading->path);
    if (reading->folder == NULL || reading->key_lines == NULL || reading->config->path == NULL)
        add_fault(reading, 0, "out of memory");
    else
        read_lines(reading);
    (void)fclose(reading->lines.file);
}

bool config_load(struct config *config, const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct config_reading reading = {.config = config, .path = path, .section = "", .error = error};
    error[0] = '\0';
    if (config_set_defaults(config))
        read_file(&reading);
    else
        add_fault(&reading, 0, "out of memory");
    ini_lines_free(&reading.lines);
    free(reading.folder);
    free(reading.key_lines);
    if (reading.faults_left_out > 0)
        (void)snprintf(error + reading.error_length, CONFIG_ERROR_SIZE - reading.error_length,
                       "%sand %u more", reading.error_length > 0 ? "\n" : "",
                       reading.faults_left_out);
    if (reading.faults > 0)
        config_free(config);
    return reading.faults == 0;
}

void config_free(struct config *config)
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++)
        config_value_free(config, key);
    free(config->path);
    *config = (struct config){0};
}

const char *config_path(const char *option)
{
    const char *variable = getenv("ESN_CONF");
    if (option != NULL)
        return option;
    return variable != NULL && *variable != '\0' ? variable : SYSCONFDIR "/es-web-notify.conf";
}

void config_apply_reload(struct config *running, struct config *fresh,
                         void (*told)(const struct config_key *key, void *context), void *context)
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (key->reloadable)
            config_value_swap(running, fresh, key);
        else if (!config_value_equal(running, fresh, key))
            told(key, context);
    }
}
