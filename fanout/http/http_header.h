/* The headers that mean something here, so that each is recognised once, as it comes in. Pure. */
#ifndef ESN_HTTP_HEADER_H
#define ESN_HTTP_HEADER_H

#include <stddef.h>

enum http_header {
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS,
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_CONNECTION,
    HTTP_HEADER_EXPECT,
    HTTP_HEADER_FORWARDED,
    HTTP_HEADER_HOST,
    HTTP_HEADER_LAST_EVENT_ID,
    HTTP_HEADER_ORIGIN,
    HTTP_HEADER_SEC_WEBSOCKET_KEY,
    HTTP_HEADER_SEC_WEBSOCKET_VERSION,
    HTTP_HEADER_TRANSFER_ENCODING,
    HTTP_HEADER_UPGRADE,
    HTTP_HEADER_X_FORWARDED_FOR,
    HTTP_HEADER_X_FORWARDED_SERVER,
    HTTP_HEADER_OTHER, /* any other: how many there are, too */
};

/* Whose name it is, in any case (RFC 9110, section 5.1). */
enum http_header http_header_find(const char *name, size_t length);

#endif
