#include "http/http_header.h"

#include <string.h>
#include <strings.h>

static const char *const names[HTTP_HEADER_OTHER] = {
    [HTTP_HEADER_ACCEPT] = "Accept",
    [HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS] = "Access-Control-Request-Headers",
    [HTTP_HEADER_AUTHORIZATION] = "Authorization",
    [HTTP_HEADER_CONNECTION] = "Connection",
    [HTTP_HEADER_EXPECT] = "Expect",
    [HTTP_HEADER_FORWARDED] = "Forwarded",
    [HTTP_HEADER_HOST] = "Host",
    [HTTP_HEADER_LAST_EVENT_ID] = "Last-Event-ID",
    [HTTP_HEADER_ORIGIN] = "Origin",
    [HTTP_HEADER_SEC_WEBSOCKET_KEY] = "Sec-WebSocket-Key",
    [HTTP_HEADER_SEC_WEBSOCKET_VERSION] = "Sec-WebSocket-Version",
    [HTTP_HEADER_TRANSFER_ENCODING] = "Transfer-Encoding",
    [HTTP_HEADER_UPGRADE] = "Upgrade",
    [HTTP_HEADER_X_FORWARDED_FOR] = "X-Forwarded-For",
    [HTTP_HEADER_X_FORWARDED_SERVER] = "X-Forwarded-Server",
};

/* No two of them share length and first letter: a new one that did would not compile. */
#define LOOK(length, letter) ((length) << 8 | (letter))

/* The only one that looks like this from outside. */
static enum http_header candidate(size_t length, char first)
{
    switch (LOOK(length, first | 0x20)) { /* a letter's case is one bit */
    case LOOK(4, 'h'):
        return HTTP_HEADER_HOST;
    case LOOK(6, 'a'):
        return HTTP_HEADER_ACCEPT;
    case LOOK(6, 'e'):
        return HTTP_HEADER_EXPECT;
    case LOOK(6, 'o'):
        return HTTP_HEADER_ORIGIN;
    case LOOK(7, 'u'):
        return HTTP_HEADER_UPGRADE;
    case LOOK(9, 'f'):
        return HTTP_HEADER_FORWARDED;
    case LOOK(10, 'c'):
        return HTTP_HEADER_CONNECTION;
    case LOOK(13, 'a'):
        return HTTP_HEADER_AUTHORIZATION;
    case LOOK(13, 'l'):
        return HTTP_HEADER_LAST_EVENT_ID;
    case LOOK(15, 'x'):
        return HTTP_HEADER_X_FORWARDED_FOR;
    case LOOK(17, 's'):
        return HTTP_HEADER_SEC_WEBSOCKET_KEY;
    case LOOK(17, 't'):
        return HTTP_HEADER_TRANSFER_ENCODING;
    case LOOK(18, 'x'):
        return HTTP_HEADER_X_FORWARDED_SERVER;
    case LOOK(21, 's'):
        return HTTP_HEADER_SEC_WEBSOCKET_VERSION;
    case LOOK(30, 'a'):
        return HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS;
    default:
        return HTTP_HEADER_OTHER;
    }
}

enum http_header http_header_find(const char *name, size_t length)
{
    enum http_header header = length > 0 ? candidate(length, *name) : HTTP_HEADER_OTHER;

    return header != HTTP_HEADER_OTHER && strncasecmp(name, names[header], length) == 0
               ? header
               : HTTP_HEADER_OTHER;
}
