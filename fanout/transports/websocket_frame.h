/* The frames that the server sends on a WebSocket (RFC 6455, section 5.2), and the words of the
 * protocol. Pure: bytes out. */
#ifndef ESN_WEBSOCKET_FRAME_H
#define ESN_WEBSOCKET_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa
};

/* Why a connection ends (RFC 6455, section 7.4.1, and IANA's list). */
enum websocket_code {
    WEBSOCKET_CODE_NONE = 0, /* the close frame says nothing */
    WEBSOCKET_CODE_NORMAL = 1000,
    WEBSOCKET_CODE_GOING_AWAY = 1001,
    WEBSOCKET_CODE_PROTOCOL = 1002,
    WEBSOCKET_CODE_UNSUPPORTED = 1003,
    WEBSOCKET_CODE_INVALID_TEXT = 1007,
    WEBSOCKET_CODE_POLICY = 1008,
    WEBSOCKET_CODE_TOO_BIG = 1009,
    WEBSOCKET_CODE_INTERNAL = 1011,
    WEBSOCKET_CODE_TRY_LATER = 1013,
    WEBSOCKET_CODE_DROPPED = 4001 /* our own (RFC 6455, section 7.4.2) */
};

enum {
    WEBSOCKET_HEAD_SIZE = 10,     /* at most, of a frame without a mask */
    WEBSOCKET_CONTROL_MOST = 125, /* bytes in a control frame */
    WEBSOCKET_CONTROL_SIZE = 2 + WEBSOCKET_CONTROL_MOST
};

/* Writes the head of a whole, unmasked frame; returns its size. */
size_t websocket_frame_head(char head[WEBSOCKET_HEAD_SIZE], enum websocket_opcode opcode,
                            uint64_t length);
/* Writes a control frame; returns its size. length is at most WEBSOCKET_CONTROL_MOST. */
size_t websocket_frame_control(char frame[WEBSOCKET_CONTROL_SIZE], enum websocket_opcode opcode,
                               const char *payload, size_t length);
/* Writes a close frame; returns its size. The reason, ASCII, is cut where there is no room; without
 * a code it is left out. */
size_t websocket_frame_close(char frame[WEBSOCKET_CONTROL_SIZE], enum websocket_code code,
                             const char *reason);

#endif
