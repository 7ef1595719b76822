/* The request that opens a WebSocket (RFC 6455, section 4.2). Pure: request in, verdict out. */
#ifndef ESN_WEBSOCKET_HANDSHAKE_H
#define ESN_WEBSOCKET_HANDSHAKE_H

#include "http/http_request.h"

enum { WEBSOCKET_ACCEPT_SIZE = 29 };

struct websocket_handshake {
    int status;         /* 101, or that of a refusal */
    const char *reason; /* of the refusal */
    const char *header; /* lines that go with the refusal, without the last line's end; "": none */
    char accept[WEBSOCKET_ACCEPT_SIZE]; /* with 101: the value of Sec-WebSocket-Accept */
};

/* Of a GET request. */
void websocket_handshake_check(const struct http_request *request,
                               struct websocket_handshake *handshake);

#endif
