#include "subscribe_route.h"

#include <stddef.h>
#include <string.h>

static const struct subscribe_route frames = {SUBSCRIBE_STREAM, "", true, false, true};

static const struct subscribe_route routes[] = {
    {SUBSCRIBE_STREAM, "sse", false, true, true},  {SUBSCRIBE_STREAM, "poll", true, true, true},
    {SUBSCRIBE_STREAM, "ws", false, true, false},  {SUBSCRIBE_TICKET, "ticket", true, false, true},
    {SUBSCRIBE_TOKEN, "token", true, false, true}, {SUBSCRIBE_ALIVE, "alive", true, false, true},
};

static bool ends_with(const char *path, size_t length, const char *name)
{
    size_t name_length = strlen(name);

    return length > name_length && path[length - name_length - 1] == '/' &&
           memcmp(path + length - name_length, name, name_length) == 0;
}

const struct subscribe_route *subscribe_route_of(const char *uri)
{
    size_t length = uri == NULL ? 0 : strcspn(uri, "?");

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (length > 0 && ends_with(uri, length, routes[i].path))
            return &routes[i];
    return &frames;
}
