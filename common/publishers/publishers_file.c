#include "publishers/publishers_file.h"

#include "config/ini_lines.h"
#include "topic.h"

#include <errno.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOPICS_MAX = 1000, RATE_MAX = 1000000, PATTERN_MAX = 4096 };

/* One reading of a file. */
struct publishers_reading {
    const char *path;
    char *folder;
    struct ini_lines lines;
    const char *list; /* the key that indented lines add to */
    struct publisher_entry *entries;
    struct publisher_entry *entry; /* of the section; NULL before the first */
    size_t count;
    char *error;
    bool failed;
    bool names_only; /* secrets are the business of others */
};

static bool publishers_fault(struct publishers_reading *reading, unsigned line, const char *fault,
                             const char *value)
{
    if (!reading->failed)
        snprintf(reading->error, PUBLISHERS_ERROR_SIZE, "%.200s:%u: %s%s%.120s", reading->path,
                 line, fault, value != NULL ? ": " : "", value != NULL ? value : "");
    reading->failed = true;
    return false;
}

static bool here(struct publishers_reading *reading, const char *fault, const char *value)
{
    return publishers_fault(reading, reading->lines.number, fault, value);
}

/* ---- values ---- */

/* Each word of a list, until one is refused. */
static bool each_word(struct publishers_reading *reading, struct publisher_entry *entry,
                      const char *value,
                      bool (*take)(struct publishers_reading *, struct publisher_entry *, char *))
{
    char *copy = strdup(value), *state = NULL;
    bool good = copy != NULL;
    if (!good)
        return here(reading, "out of memory", NULL);
    for (char *word = strtok_r(copy, " \t,\n", &state); good && word != NULL;
         word = strtok_r(NULL, " \t,\n", &state))
        good = take(reading, entry, word);
    free(copy);
    return good;
}

static bool take_topic(struct publishers_reading *reading, struct publisher_entry *entry,
                       char *word)
{
    const char *fault = topic_fault(word, strlen(word), PATTERN_MAX, 256);
    if (fault != NULL)
        return here(reading, fault, word);
    if (entry->topic_count == TOPICS_MAX)
        return here(reading, "more than 1000 topics", NULL);
    char **larger = realloc(entry->topics, (entry->topic_count + 1) * sizeof *larger);
    if (larger == NULL)
        return here(reading, "out of memory", NULL);
    entry->topics = larger;
    larger[entry->topic_count] = strdup(word);
    if (larger[entry->topic_count] == NULL)
        return here(reading, "out of memory", NULL);
    entry->topic_count++;
    return true;
}

static bool take_right(struct publishers_reading *reading, struct publisher_entry *entry,
                       char *word)
{
    static const struct {
        const char *word;
        unsigned right;
    } rights[] = {{"bound", PUBLISHER_MAY_BOUND},
                  {"whisper", PUBLISHER_MAY_WHISPER},
                  {"private", PUBLISHER_MAY_PRIVATE},
                  {"users", PUBLISHER_MAY_USERS},
                  {"drop", PUBLISHER_MAY_DROP},
                  {"report", PUBLISHER_MAY_REPORT},
                  {"none", 0}};
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        if (strcmp(rights[i].word, word) == 0) {
            entry->publisher.may |= rights[i].right;
            return true;
        }
    }
    return here(reading, "`may` takes bound, whisper, private, users, drop, report, none", word);
}

static bool take_range(struct publishers_reading *reading, struct publisher_entry *entry,
                       char *word)
{
    struct address_range *larger =
        realloc(entry->ranges, (entry->range_count + 1) * sizeof *larger);
    if (larger == NULL)
        return here(reading, "out of memory", NULL);
    entry->ranges = larger;
    if (!address_range_read(&larger[entry->range_count], word))
        return here(reading, "no address or range of addresses (10.0.0.0/8)", word);
    entry->range_count++;
    return true;
}

/* A public key of Ed25519 in PEM; anything else is read as secrets. */
static bool read_ed25519(struct publisher_entry *entry, const char *path)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file != NULL ? PEM_read_PUBKEY(file, NULL, NULL, NULL) : NULL;
    size_t length = sizeof entry->ed25519;
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
        entry->has_ed25519 =
            EVP_PKEY_get_raw_public_key(key, entry->ed25519, &length) == 1 && length == 32;
    EVP_PKEY_free(key);
    if (file != NULL)
        (void)fclose(file);
    return entry->has_ed25519;
}

static bool take_secret_file(struct publishers_reading *reading, struct publisher_entry *entry,
                             const char *value)
{
    char path[4096], error[SECRET_ERROR_SIZE];
    int length = *value == '/' ? snprintf(path, sizeof path, "%s", value)
                               : snprintf(path, sizeof path, "%s/%s", reading->folder, value);
    if (length < 0 || (size_t)length >= sizeof path)
        return here(reading, "the path is too long", NULL);
    if (reading->names_only)
        return true;
    secret_list_free(&entry->secrets);
    if (read_ed25519(entry, path))
        return true;
    if (!secret_list_load(&entry->secrets, path, error))
        return here(reading, error, NULL);
    if (entry->secrets.count == 0)
        return here(reading, "no secret in the file", path);
    for (size_t i = 0; i < entry->secrets.count; i++)
        if (strlen(entry->secrets.values[i]) < 32)
            return here(reading, "a secret has fewer than 32 characters", path);
    return true;
}

static bool take_rate(struct publishers_reading *reading, struct publisher_entry *entry,
                      const char *value)
{
    char *end;
    errno = 0;
    unsigned long rate = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || rate > RATE_MAX)
        return here(reading, "`rate` takes events a second, up to 1000000", value);
    entry->publisher.rate = (unsigned)rate;
    return true;
}

static bool take_signed(struct publishers_reading *reading, struct publisher_entry *entry,
                        const char *value)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return here(reading, "`signed` takes yes or no", value);
    entry->publisher.is_signed = *value == 'y';
    return true;
}

/* ---- sections ---- */

static bool is_name(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strspn(name, letters);
    return length > 0 && length <= PUBLISHER_NAME_MAX && name[length] == '\0';
}

static struct publisher_entry *section(struct publishers_reading *reading, const char *name)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->entries[i].publisher.name, name) == 0)
            return &reading->entries[i];
    if (!is_name(name)) {
        (void)here(reading, "a publisher's name has letters, digits, '.', '_' and '-'", name);
        return NULL;
    }
    struct publisher_entry *larger =
        realloc(reading->entries, (reading->count + 1) * sizeof *larger);
    if (larger == NULL || reading->count == PUBLISHERS_MAX) {
        (void)here(reading, larger == NULL ? "out of memory" : "more than 1000 publishers", NULL);
        reading->entries = larger != NULL ? larger : reading->entries;
        return NULL;
    }
    reading->entries = larger;
    struct publisher_entry *entry = &larger[reading->count++];
    *entry = (struct publisher_entry){.publisher.id = secret_id(name, strlen(name))};
    memcpy(entry->publisher.name, name, strlen(name) + 1);
    return entry;
}

static bool take_words(struct publishers_reading *reading, const char *key, const char *value)
{
    if (strcmp(key, "topics") == 0)
        return each_word(reading, reading->entry, value, take_topic);
    if (strcmp(key, "may") == 0)
        return each_word(reading, reading->entry, value, take_right);
    return each_word(reading, reading->entry, value, take_range);
}

static bool take_pair(struct publishers_reading *reading, const char *key, const char *value)
{
    static const char *const lists[] = {"topics", "may", "addresses"};
    if (reading->entry == NULL)
        return here(reading, "stands before the first [name]", key);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(lists[i], key) == 0) {
            reading->list = lists[i];
            reading->lines.in_list = true;
            return take_words(reading, key, value);
        }
    }
    if (strcmp(key, "secret_file") == 0)
        return take_secret_file(reading, reading->entry, value);
    if (strcmp(key, "signed") == 0)
        return take_signed(reading, reading->entry, value);
    if (strcmp(key, "rate") == 0)
        return take_rate(reading, reading->entry, value);
    return here(reading, "unknown key", key);
}

static bool take_line(struct publishers_reading *reading, enum ini_line kind)
{
    const struct ini_lines *lines = &reading->lines;
    if (kind == INI_SECTION) {
        reading->entry = section(reading, lines->name);
        return reading->entry != NULL;
    }
    if (kind == INI_PAIR)
        return take_pair(reading, lines->name, lines->value);
    if (kind == INI_MORE)
        return take_words(reading, reading->list, lines->value);
    if (kind == INI_BAD_SECTION)
        return here(reading, "a section should be its name in brackets alone", NULL);
    return here(reading, lines->fault, NULL);
}

static void read_lines(struct publishers_reading *reading)
{
    enum ini_line kind;
    do
        kind = ini_lines_next(&reading->lines);
    while (kind != INI_END && kind != INI_FAILED && take_line(reading, kind));
    if (kind == INI_FAILED)
        (void)here(reading, strerror(errno), NULL);
}

/* ---- the file ---- */

static void check_entries(struct publishers_reading *reading)
{
    for (size_t i = 0; i < reading->count && !reading->failed; i++) {
        struct publisher_entry *entry = &reading->entries[i];
        if (entry->secrets.count == 0 && !entry->has_ed25519 && !reading->names_only)
            (void)here(reading, "no secret_file is given for", entry->publisher.name);
        else if (entry->topic_count == 0)
            (void)here(reading, "what it may publish on has to be said (topics = #: everything)",
                       entry->publisher.name);
        if (entry->has_ed25519)
            entry->publisher.is_signed = true; /* there is no secret to show */
    }
    if (reading->count == 0 && !reading->failed)
        (void)here(reading, "no publisher in the file", NULL);
}

static bool load_file(const char *path, bool names_only, struct publisher_entry **entries,
                      size_t *count, char error[PUBLISHERS_ERROR_SIZE])
{
    char *copy = strdup(path);
    struct publishers_reading reading = {.path = path, .error = error, .names_only = names_only};
    reading.folder = copy != NULL ? dirname(copy) : NULL;
    reading.lines.file = copy != NULL ? fopen(path, "re") : NULL;
    if (reading.lines.file == NULL) {
        snprintf(error, PUBLISHERS_ERROR_SIZE, "cannot open %s: %s", path, strerror(errno));
        reading.failed = true;
    } else {
        read_lines(&reading);
        check_entries(&reading);
        (void)fclose(reading.lines.file);
    }
    ini_lines_free(&reading.lines);
    free(copy);
    *entries = reading.entries;
    *count = reading.count;
    return !reading.failed;
}

bool publishers_file_load(const char *path, struct publisher_entry **entries, size_t *count,
                          char error[PUBLISHERS_ERROR_SIZE])
{
    return load_file(path, false, entries, count, error);
}

bool publishers_file_load_names(const char *path, struct publisher_entry **entries, size_t *count,
                                char error[PUBLISHERS_ERROR_SIZE])
{
    return load_file(path, true, entries, count, error);
}

void publishers_file_free(struct publisher_entry **entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct publisher_entry *entry = &(*entries)[i];
        secret_list_free(&entry->secrets);
        for (size_t k = 0; k < entry->topic_count; k++)
            free(entry->topics[k]);
        free(entry->topics);
        free(entry->ranges);
    }
    free(*entries);
    *entries = NULL;
}
