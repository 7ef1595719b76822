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

static void write_name(char out[POINT_MEMBER_SIZE], const char *name)
{
    size_t length = 0;
    for (; name[length] != '\0' && length < POINT_MEMBER_SIZE - 1; length++) {
        char c = name[length];
        out[length] = c > ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?';
    }
    out[length] = '\0';
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
            write_name(unknown, name);
            return false;
        }
    }
    return true;
}

static bool is_flag(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_boolean(value);
}

bool point_members_read_bound(const json_t *point, bool *bound)
{
    const json_t *first = json_object_get(point, "binded");
    const json_t *second = json_object_get(point, "bound");
    *bound = json_is_true(first) || json_is_true(second);
    return is_flag(first) && is_flag(second) &&
           !(*bound && (json_is_false(first) || json_is_false(second)));
}
