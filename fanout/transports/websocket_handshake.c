#include "transports/websocket_handshake.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_LENGTH = 24, DIGEST_SIZE = 20 };

static const char upgrade_lines[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                    "Sec-WebSocket-Version: 13";

static bool list_has(const char *list, const char *token)
{
    size_t length;

    for (; *list; list += length) {
        list += strspn(list, ", \t");
        length = strcspn(list, ", \t");
        if (length == strlen(token) && strncasecmp(list, token, length) == 0)
            return true;
    }
    return false;
}

/* A list may be written in one header or in several (RFC 9110, section 5.3). */
static bool header_has(const struct http_request *request, enum http_header header,
                       const char *token)
{
    const char *value = http_request_header(request, header);

    while (value != NULL && !list_has(value, token))
        value = http_request_next_header(request, header, value);
    return value != NULL;
}

/* The value of a header that is there once, or NULL. */
static const char *only_header(const struct http_request *request, enum http_header header)
{
    const char *value = http_request_header(request, header);

    return value != NULL && http_request_next_header(request, header, value) != NULL ? NULL : value;
}

/* 16 bytes in base64. */
static bool is_key(const char *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return strlen(key) == KEY_LENGTH && strspn(key, digits) == KEY_LENGTH - 2 &&
           strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

static void refuse_handshake(struct websocket_handshake *handshake, int status, const char *reason,
                             const char *header)
{
    handshake->status = status;
    handshake->reason = reason;
    handshake->header = header;
}

static bool write_accept(char accept[WEBSOCKET_ACCEPT_SIZE], const char *key)
{
    char text[KEY_LENGTH + 36 + 1];
    int length = snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);

    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;
    if (EVP_Digest(text, (size_t)length, digest, &size, EVP_sha1(), NULL) != 1)
        return false;
    return EVP_EncodeBlock((unsigned char *)accept, digest, DIGEST_SIZE) ==
           WEBSOCKET_ACCEPT_SIZE - 1;
}

void websocket_handshake_check(const struct http_request *request,
                               struct websocket_handshake *handshake)
{
    const char *version = only_header(request, HTTP_HEADER_SEC_WEBSOCKET_VERSION);
    const char *key = only_header(request, HTTP_HEADER_SEC_WEBSOCKET_KEY);

    *handshake = (struct websocket_handshake){.status = 101, .reason = "", .header = ""};
    if (!http_request_is_1_1(request))
        refuse_handshake(handshake, 400, "WebSocket needs HTTP/1.1", "");
    else if (!header_has(request, HTTP_HEADER_UPGRADE, "websocket"))
        refuse_handshake(handshake, 426, "This is a WebSocket", upgrade_lines);
    else if (!header_has(request, HTTP_HEADER_CONNECTION, "Upgrade"))
        refuse_handshake(handshake, 400, "Connection should say Upgrade", "");
    else if (version == NULL || strcmp(version, "13") != 0)
        refuse_handshake(handshake, 426, "Sec-WebSocket-Version should be 13", upgrade_lines);
    else if (key == NULL || !is_key(key))
        refuse_handshake(handshake, 400, "Sec-WebSocket-Key should be 16 bytes in base64", "");
    else if (!write_accept(handshake->accept, key))
        refuse_handshake(handshake, 503, "No SHA-1", "");
}
