#include "point_members.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

const char POINT_MEMBERS_BOUND_FAULT[] = "binded should be true or false";

static bool is_among(const char *name, const char *const *known)
{
    while (*known != NULL && strcmp(*known, name) != 0)
        known++;
    return *known != NULL;
}

void point_members_write_name(char *out, size_t size, const char *name, size_t length)
{
    size_t written = 0;
    for (; written < length && written < size - 1; written++) {
        char c = name[written];
        out[written] = c > ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?';
    }
    out[written] = '\0';
}

bool point_members_are_known(const json_t *point, const char *const *known,
                             char unknown[POINT_MEMBER_SIZE])
{
    /* jansson's functions to walk over an object take no const; this one does not change it. */
    json_t *object = (json_t *)(uintptr_t)point;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (!is_among(name, known)) {
            point_members_write_name(unknown, POINT_MEMBER_SIZE, name, strlen(name));
            return false;
        }
    }
    return true;
}

static bool is_flag(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_boolean(value);
}

bool point_members_read_flag(bool *flag, const json_t *value)
{
    *flag = json_is_true(value);
    return is_flag(value);
}

bool point_members_read_bound(const json_t *point, bool *bound)
{
    const json_t *first = json_object_get(point, "binded");
    const json_t *second = json_object_get(point, "bound");
    *bound = json_is_true(first) || json_is_true(second);
    return is_flag(first) && is_flag(second) &&
           !(*bound && (json_is_false(first) || json_is_false(second)));
}
