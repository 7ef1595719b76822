#include "redis/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DATABASE_MAX = 65535 };

static bool read_database(unsigned *out, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= DATABASE_MAX;
}

static const char *read_socket(struct redis_url *url, const char *path)
{
    size_t length = strcspn(path, "?");
    if (*path != '/')
        return "should have an absolute path behind unix:";
    if (length >= sizeof url->socket)
        return "is too long for a socket";
    memcpy(url->socket, path, length);
    url->socket[length] = '\0';
    if (path[length] == '?' && (strncmp(path + length, "?db=", 4) != 0 ||
                                !read_database(&url->database, path + length + 4)))
        return "may have ?db=NUMBER behind the path, and nothing else";
    return NULL;
}

static bool has_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon != NULL && strchr(colon, ']') == NULL;
}

static const char *read_address(struct redis_url *url, const char *text)
{
    static const char shape[] = "should be redis://host:port/database or unix:/path";
    char address[NET_ADDRESS_HOST_SIZE + NET_ADDRESS_PORT_SIZE + 4];
    size_t length = strcspn(text, "/");
    if (strchr(text, '@') != NULL)
        return "has no place for a name or a password: write [redis] user and password_file";
    if (length + sizeof ":6379" > sizeof address)
        return shape;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!has_port(address))
        strcat(address, ":6379");
    if (!net_address_read(&url->address, address))
        return shape;
    if (text[length] == '/' && text[length + 1] != '\0' &&
        !read_database(&url->database, text + length + 1))
        return "should have the database's number behind the last /";
    return NULL;
}

const char *redis_url_read(struct redis_url *url, const char *text)
{
    *url = (struct redis_url){0};
    if (strncmp(text, "unix:", 5) == 0)
        return read_socket(url, text + 5);
    if (strncmp(text, "redis://", 8) == 0)
        return read_address(url, text + 8);
    if (strncmp(text, "rediss://", 9) == 0)
        return "cannot be TLS: let stunnel or the like listen on this machine";
    return "should be redis://host:port/database or unix:/path";
}
