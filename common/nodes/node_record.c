#include "nodes/node_record.h"

#include "bus/bus_redis_message.h"

#include <stdio.h>
#include <string.h>

bool node_way_is_address(const char *way)
{
    return strncmp(way, "http://", 7) == 0 || strncmp(way, "https://", 8) == 0;
}

/* What stands in header lines and configurations of web servers as it is. */
static bool is_plain(const char *text)
{
    return text[strspn(text,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")] ==
           '\0';
}

const char *node_way_fault(const char *way)
{
    size_t length = strlen(way);
    if (length >= NODE_WAY_SIZE)
        return "shorter than 512 characters";
    if (length == 0 || way[length - 1] != '/')
        return "a path or an address that ends with \"/\"";
    if (node_way_is_address(way)) {
        const char *host = strchr(way, '/') + 2;
        bool printable = true;
        for (const char *at = way; *at != '\0'; at++)
            printable =
                printable && *at > ' ' && *at < 0x7f && strchr("\"<>\\^`{|}?#", *at) == NULL;
        return printable && *host != '/' ? NULL
                                         : "an address such as https://node3.example/notify/";
    }
    if (way[0] == '/' || strstr(way, "//") != NULL || strstr(way, "./") != NULL || !is_plain(way))
        return "a path below the web server's prefix such as \"node/3/\", of letters, digits, - . "
               "_ ~ and /";
    return NULL;
}

bool node_record_read(struct node_record *record, const char *text)
{
    struct redis_record read;
    if (!redis_record_read(&read, text) ||
        (read.url[0] != '\0' && node_way_fault(read.url) != NULL))
        return false;
    *record = (struct node_record){.boot = read.boot,
                                   .counter = read.counter,
                                   .streams = read.streams,
                                   .renewed_ms = read.renewed_ms};
    (void)snprintf(record->way, sizeof record->way, "%s", read.url);
    return true;
}

bool node_number_read(unsigned *node, const char *text)
{
    unsigned number = 0;
    for (const char *at = text; *at != '\0'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        number = number * 10 + digit;
        if (digit > 9 || number >= NODE_NUMBERS)
            return false;
    }
    *node = number;
    return text[0] != '\0';
}
