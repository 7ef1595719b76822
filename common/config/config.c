#include "config/config.h"

#include "blank.h"
#include "config/config_check.h"
#include "config/config_value.h"

#include <errno.h>
#include <ini.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FAULT_LINE_SIZE = 1024, MORE_SIZE = 32, SUGGESTION_SIZE = 64 };

/* One reading of a file. inih splits lines into name and value; what else there is to a line is
 * seen to before it gets them: numbers, length, comments, sections (it is silent about empty ones)
 * and which lines continue a list. */
struct config_reading {
    struct config *config;
    const char *path;
    char *folder;
    FILE *file;
    char *line;
    size_t line_capacity;
    unsigned line_number;
    unsigned *key_lines;                /* by index in config_keys: where it was set, 0: nowhere */
    const struct config_key *open_list; /* the list that an indented line continues */
    bool in_unknown_section;
    bool expects_pair; /* inih has a line that should come back as name and value */
    bool continues;    /* that line continues open_list */
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
        add_fault(reading, reading->line_number, "unknown section [%s]; did you mean [%s]?", name,
                  nearest);
    else
        add_fault(reading, reading->line_number, "unknown section [%s]", name);
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
        add_fault(reading, reading->line_number, "unknown key \"%s\" in [%s]", name, section);
    else if (strcmp(section, nearest->section) == 0)
        add_fault(reading, reading->line_number, "unknown key \"%s\" in [%s]; did you mean %s?",
                  name, section, nearest->name);
    else
        add_fault(reading, reading->line_number,
                  "unknown key \"%s\" in [%s]; did you mean %s of [%s]?", name, section,
                  nearest->name, nearest->section);
}

static void set_key(struct config_reading *reading, const struct config_key *key, const char *value)
{
    char fault[CONFIG_FAULT_SIZE];
    unsigned *line = &reading->key_lines[key - config_keys];
    if (*line != 0) {
        add_fault(reading, reading->line_number, "%s was set before, on line %u; keep one of them",
                  key->name, *line);
        return;
    }
    *line = reading->line_number;
    if (!config_value_set(reading->config, key, value, reading->folder, fault))
        add_fault(reading, reading->line_number, "%s: %s", key->name, fault);
    else if (key->type == CONFIG_LIST)
        reading->open_list = key;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    struct config_reading *reading = user;
    reading->expects_pair = false;
    if (reading->in_unknown_section)
        return 1;
    if (reading->continues) {
        if (!config_value_append(reading->config, reading->open_list, value))
            add_fault(reading, reading->line_number, "out of memory");
        return 1;
    }
    const struct config_key *key = config_key_find(section, name);
    if (key != NULL)
        set_key(reading, key, value);
    else if (*section == '\0')
        add_fault(reading, reading->line_number,
                  "\"%s\" stands before the first section; put such as [%s] above it", name,
                  config_keys->section);
    else
        report_unknown_key(reading, section, name);
    return 1;
}

static char *skip_blanks(char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Cuts off a comment that begins behind a blank, then blanks. False when there is what looks like
 * one and is none. */
static bool cut_comment(char *text)
{
    bool clean = true;
    for (char *at = text; *at != '\0'; at++) {
        bool behind_blank = at > text && is_blank(at[-1]);
        if (behind_blank && *at == '#')
            clean = false;
        if (behind_blank && *at == ';') {
            *at = '\0';
            break;
        }
    }
    size_t length = strlen(text);
    while (length > 0 && is_blank(text[length - 1]))
        text[--length] = '\0';
    return clean;
}

static void enter_section(struct config_reading *reading, char *line)
{
    reading->open_list = NULL;
    reading->in_unknown_section = true;
    char *end = strchr(line, ']');
    if (end == NULL || end[1] != '\0') {
        add_fault(reading, reading->line_number,
                  "a section should be its name in brackets alone: [%s]", config_keys->section);
        return;
    }
    *end = '\0';
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        if (strcmp(section->name, line + 1) == 0)
            reading->in_unknown_section = false;
    }
    if (reading->in_unknown_section)
        report_unknown_section(reading, line + 1);
    *end = ']';
}

/* Prepares the line for inih; NULL when it has nothing for it. */
static char *prepare_line(struct config_reading *reading, char *line, size_t room)
{
    char *text = skip_blanks(line);
    if (*text == '\0' || *text == '#' || *text == ';')
        return NULL;
    bool clean = cut_comment(text);
    if (strlen(line) > room) {
        add_fault(reading, reading->line_number,
                  "the line has more than %zu characters; a list can go on in indented lines",
                  room);
    } else if (!clean) {
        add_fault(reading, reading->line_number,
                  "\"#\" begins a comment only where a line begins; write \";\" behind a value");
    } else if (*text == '[' && (text == line || text[strlen(text) - 1] == ']')) {
        enter_section(reading, text);
        return text;
    } else if (text > line && reading->open_list != NULL && strchr(text, '=') == NULL) {
        reading->continues = true;
        reading->expects_pair = true;
        return line;
    } else {
        reading->open_list = NULL;
        reading->expects_pair = true;
        return text;
    }
    return NULL;
}

static void finish_line(struct config_reading *reading)
{
    if (reading->expects_pair)
        add_fault(reading, reading->line_number,
                  "should be \"key = value\", [section] or a comment");
    reading->expects_pair = false;
    reading->continues = false;
}

static char *read_line(char *out, int size, void *stream)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct config_reading *reading = stream;
    finish_line(reading);
    ssize_t length = getline(&reading->line, &reading->line_capacity, reading->file);
    if (length < 0 || size < 3)
        return NULL;
    reading->line_number++;
    char *line = reading->line;
    char *prepared = NULL;
    if (strlen(line) != (size_t)length) {
        add_fault(reading, reading->line_number, "holds a NUL byte; the file should be text");
    } else {
        if (reading->line_number == 1 && strncmp(line, byte_order_mark, 3) == 0)
            line += 3;
        prepared = prepare_line(reading, line, (size_t)size - 2);
    }
    (void)snprintf(out, (size_t)size, "%s\n", prepared != NULL ? prepared : "");
    return out;
}

static void report_check(void *context, const struct config_key *key, const char *sentence)
{
    struct config_reading *reading = context;
    add_fault(reading, reading->key_lines[key - config_keys], "[%s] %s: %s", key->section,
              key->name, sentence);
}

static void read_lines(struct config_reading *reading)
{
    int result = ini_parse_stream(read_line, reading, take_pair, reading);
    finish_line(reading);
    if (ferror(reading->file))
        add_fault(reading, 0, "%s", strerror(errno));
    else if (result < 0)
        add_fault(reading, 0, "out of memory");
    else if (result > 0 && reading->faults == 0)
        add_fault(reading, (unsigned)result, "should be \"key = value\", [section] or a comment");
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
    reading->file = fopen(reading->path, "re");
    if (reading->file == NULL) {
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
    (void)fclose(reading->file);
}

bool config_load(struct config *config, const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct config_reading reading = {.config = config, .path = path, .error = error};
    error[0] = '\0';
    if (config_set_defaults(config))
        read_file(&reading);
    else
        add_fault(&reading, 0, "out of memory");
    free(reading.line);
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
