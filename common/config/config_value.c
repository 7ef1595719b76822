#include "config/config_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that a value is printed in the largest that divides it. */
static const struct unit size_units[] = {
    {"G", 1u << 30}, {"M", 1u << 20}, {"k", 1u << 10}, {"", 1}};
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum {
    SIZE_UNITS = sizeof size_units / sizeof *size_units,
    DURATION_UNITS = sizeof duration_units / sizeof *duration_units
};

static const char blanks[] = " \t";

static void *member_of(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static const void *member_in(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

/* Reads digits of the given base; NULL when there are none or the number does not fit. */
static const char *read_digits(const char *text, unsigned base, uint64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at < (char)('0' + base); at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (*number > (UINT64_MAX - digit) / base)
            return NULL;
        *number = *number * base + digit;
    }
    return at > text ? at : NULL;
}

static bool read_with_unit(const char *text, const struct unit *units, size_t count,
                           uint64_t *number)
{
    const char *rest = read_digits(text, 10, number);
    if (rest == NULL)
        return false;
    while (*rest == ' ')
        rest++;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rest, units[i].name) != 0)
            continue;
        if (*number > UINT64_MAX / units[i].factor)
            return false;
        *number *= units[i].factor;
        return true;
    }
    return false;
}

static bool read_number(enum config_type type, const char *text, uint64_t *number)
{
    const char *rest;
    switch (type) {
    case CONFIG_SIZE:
        return read_with_unit(text, size_units, SIZE_UNITS, number);
    case CONFIG_DURATION:
        return read_with_unit(text, duration_units, DURATION_UNITS, number) ||
               ((rest = read_digits(text, 10, number)) != NULL && *rest == '\0' && *number == 0);
    case CONFIG_MODE:
        rest = read_digits(text, 8, number);
        return rest != NULL && *rest == '\0' && text[0] == '0';
    default:
        rest = read_digits(text, 10, number);
        return rest != NULL && *rest == '\0';
    }
}

static const char *number_words(enum config_type type)
{
    switch (type) {
    case CONFIG_SIZE:
        return "a size in bytes: digits, then nothing, k, M or G";
    case CONFIG_DURATION:
        return "a duration: digits, then ms, s, m, h or d";
    case CONFIG_MODE:
        return "an octal file mode that begins with 0";
    default:
        return "a number: digits alone";
    }
}

void config_number_format(char *out, size_t size, enum config_type type, uint64_t number)
{
    const struct unit *units = type == CONFIG_SIZE ? size_units : duration_units;
    if (type == CONFIG_MODE) {
        (void)snprintf(out, size, "%04" PRIo64, number);
    } else if ((type != CONFIG_SIZE && type != CONFIG_DURATION) || number == 0) {
        (void)snprintf(out, size, "%" PRIu64, number);
    } else {
        while (number % units->factor != 0)
            units++;
        (void)snprintf(out, size, "%" PRIu64 "%s", number / units->factor, units->name);
    }
}

void config_number_print(FILE *out, enum config_type type, uint64_t number)
{
    char text[32];
    config_number_format(text, sizeof text, type, number);
    (void)fputs(text, out);
}

static bool set_number(uint64_t *member, const struct config_key *key, const char *text,
                       char fault[CONFIG_FAULT_SIZE])
{
    uint64_t number;
    if (!read_number(key->type, text, &number)) {
        (void)snprintf(fault, CONFIG_FAULT_SIZE, "\"%s\" should be %s, such as %s", text,
                       number_words(key->type), key->example);
        return false;
    }
    if ((key->minimum != 0 || key->maximum != 0) &&
        (number < key->minimum || number > key->maximum)) {
        char low[32], high[32];
        config_number_format(low, sizeof low, key->type, key->minimum);
        config_number_format(high, sizeof high, key->type, key->maximum);
        (void)snprintf(fault, CONFIG_FAULT_SIZE, "%s is out of bounds: from %s to %s are allowed",
                       text, low, high);
        return false;
    }
    *member = number;
    return true;
}

static bool set_bool(bool *member, const char *text, char fault[CONFIG_FAULT_SIZE])
{
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0) {
        (void)snprintf(fault, CONFIG_FAULT_SIZE, "\"%s\" should be yes or no", text);
        return false;
    }
    *member = yes;
    return true;
}

static bool set_choice(int *member, const struct config_key *key, const char *text,
                       char fault[CONFIG_FAULT_SIZE])
{
    for (int i = 0; key->choices[i] != NULL; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            *member = i;
            return true;
        }
    }
    size_t used = (size_t)snprintf(fault, CONFIG_FAULT_SIZE, "\"%s\" should be one of:", text);
    for (int i = 0; key->choices[i] != NULL && used < CONFIG_FAULT_SIZE; i++)
        used += (size_t)snprintf(fault + used, CONFIG_FAULT_SIZE - used, " %s", key->choices[i]);
    return false;
}

static bool set_text(char **member, const char *text, const char *folder)
{
    char *copy = NULL;
    if (*text != '\0' && folder != NULL && *text != '/') {
        if (asprintf(&copy, "%s/%s", folder, text) < 0)
            return false;
    } else if (*text != '\0') {
        copy = strdup(text);
        if (copy == NULL)
            return false;
    }
    free(*member);
    *member = copy;
    return true;
}

static void free_list(char **list)
{
    for (char **word = list; word != NULL && *word != NULL; word++)
        free(*word);
    free(list);
}

/* Adds text's words to a list that has *count of them; the list is NULL-ended after each step. */
static bool add_words(char ***list, size_t *count, const char *text)
{
    for (;;) {
        char **wider = realloc(*list, (*count + 2) * sizeof *wider);
        if (wider == NULL)
            return false;
        *list = wider;
        wider[*count] = NULL;
        wider[*count + 1] = NULL;
        text += strspn(text, blanks);
        size_t length = strcspn(text, blanks);
        if (length == 0)
            return true;
        wider[*count] = strndup(text, length);
        if (wider[*count] == NULL)
            return false;
        (*count)++;
        text += length;
    }
}

static bool set_list(char ***member, const char *text)
{
    char **list = NULL;
    size_t count = 0;
    if (!add_words(&list, &count, text)) {
        free_list(list);
        return false;
    }
    free_list(*member);
    *member = list;
    return true;
}

bool config_value_append(struct config *config, const struct config_key *key, const char *text)
{
    char ***member = member_of(config, key);
    size_t count = 0;
    while (*member != NULL && (*member)[count] != NULL)
        count++;
    return add_words(member, &count, text);
}

bool config_value_set(struct config *config, const struct config_key *key, const char *text,
                      const char *folder, char fault[CONFIG_FAULT_SIZE])
{
    void *member = member_of(config, key);
    (void)snprintf(fault, CONFIG_FAULT_SIZE, "out of memory");
    switch (key->type) {
    case CONFIG_TEXT:
        return set_text(member, text, NULL);
    case CONFIG_PATH:
        return set_text(member, text, folder);
    case CONFIG_LIST:
        return set_list(member, text);
    case CONFIG_BOOL:
        return set_bool(member, text, fault);
    case CONFIG_CHOICE:
        return set_choice(member, key, text, fault);
    default:
        return set_number(member, key, text, fault);
    }
}

static bool equal_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool equal_list(char *const *a, char *const *b)
{
    while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return *a == NULL && *b == NULL;
}

bool config_value_equal(const struct config *a, const struct config *b,
                        const struct config_key *key)
{
    const void *in_a = member_in(a, key), *in_b = member_in(b, key);
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return equal_text(*(char *const *)in_a, *(char *const *)in_b);
    case CONFIG_LIST:
        return equal_list(*(char **const *)in_a, *(char **const *)in_b);
    case CONFIG_BOOL:
        return *(const bool *)in_a == *(const bool *)in_b;
    case CONFIG_CHOICE:
        return *(const int *)in_a == *(const int *)in_b;
    default:
        return *(const uint64_t *)in_a == *(const uint64_t *)in_b;
    }
}

static size_t member_size(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        return sizeof(char *);
    case CONFIG_LIST:
        return sizeof(char **);
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_CHOICE:
        return sizeof(int);
    default:
        return sizeof(uint64_t);
    }
}

void config_value_swap(struct config *a, struct config *b, const struct config_key *key)
{
    size_t size = member_size(key->type);
    char kept[sizeof(uint64_t)];
    memcpy(kept, member_of(a, key), size);
    memcpy(member_of(a, key), member_of(b, key), size);
    memcpy(member_of(b, key), kept, size);
}

void config_value_free(struct config *config, const struct config_key *key)
{
    void *member = member_of(config, key);
    if (key->type == CONFIG_TEXT || key->type == CONFIG_PATH)
        free(*(char **)member);
    else if (key->type == CONFIG_LIST)
        free_list(*(char ***)member);
    memset(member, 0, member_size(key->type));
}

void config_print_value(FILE *out, const struct config *config, const struct config_key *key)
{
    const void *member = member_in(config, key);
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
        (void)fputs(*(char *const *)member != NULL ? *(char *const *)member : "", out);
        break;
    case CONFIG_LIST:
        for (char *const *word = *(char **const *)member; word != NULL && *word != NULL; word++)
            (void)fprintf(out, "%s%s", word == *(char **const *)member ? "" : " ", *word);
        break;
    case CONFIG_BOOL:
        (void)fputs(*(const bool *)member ? "yes" : "no", out);
        break;
    case CONFIG_CHOICE:
        (void)fputs(key->choices[*(const int *)member], out);
        break;
    default:
        config_number_print(out, key->type, *(const uint64_t *)member);
    }
}
