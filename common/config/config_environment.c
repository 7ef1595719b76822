#include "config/config_environment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "ESN_";

/* What quickstart's `env` has for applications, and examples for their tokens: secrets themselves, while settings name
 * their files. */
static const char *const of_applications[] = {
    "ESN_ADMIN_TOKEN",   "ESN_FANOUT_PID",           "ESN_FANOUT_URL",
    "ESN_OUTBOX_DSN",    "ESN_PUBLISH_PUBLIC_KEY",   "ESN_PUBLISH_TOKEN",
    "ESN_REDIS_SOCKET",  "ESN_SUBSCRIBE_PUBLIC_KEY", "ESN_SUBSCRIBE_PRIVATE_KEY",
    "ESN_TICKET_SECRET", "ESN_TOKEN_KEYS",           NULL};

static void write_upper(char *out, const char *text)
{
    for (; *text != '\0'; text++)
        *out++ = (char)toupper((unsigned char)*text);
    *out = '\0';
}

const char *config_variable_name(const struct config_key *key, char out[CONFIG_VARIABLE_SIZE])
{
    char name[CONFIG_VARIABLE_SIZE];

    (void)snprintf(name, sizeof name, "%s%s_%s", prefix, key->section, key->name);
    write_upper(out, name);
    return out;
}

static bool is_text(const char *name, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(name, text, length) == 0;
}

static bool is_ours(const char *name, size_t length)
{
    return length > sizeof prefix - 1 && memcmp(name, prefix, sizeof prefix - 1) == 0;
}

const struct config_key *config_variable_key(const char *name, size_t length)
{
    char own[CONFIG_VARIABLE_SIZE];

    if (!is_ours(name, length))
        return NULL;
    for (const struct config_key *key = config_keys; key->section != NULL; key++)
        if (is_text(name, length, config_variable_name(key, own)))
            return key;
    return NULL;
}

static bool is_of_applications(const char *name, size_t length)
{
    for (const char *const *other = of_applications; *other != NULL; other++)
        if (is_text(name, length, *other))
            return true;
    return false;
}

bool config_variable_claims(const char *name, size_t length)
{
    char start[CONFIG_VARIABLE_SIZE], text[CONFIG_VARIABLE_SIZE];

    if (!is_ours(name, length) || is_of_applications(name, length))
        return false;
    for (const struct config_section *section = config_sections; section->name != NULL; section++) {
        int size = snprintf(text, sizeof text, "%s%s_", prefix, section->name);
        write_upper(start, text);
        if (length > (size_t)size && memcmp(name, start, (size_t)size) == 0)
            return true;
    }
    return false;
}
