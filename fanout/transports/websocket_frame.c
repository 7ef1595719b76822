#include "transports/websocket_frame.h"

#include "big_endian.h"

#include <string.h>

static const unsigned char final_bit = 0x80;

size_t websocket_frame_head(char head[WEBSOCKET_HEAD_SIZE], enum websocket_opcode opcode,
                            uint64_t length)
{
    head[0] = (char)(final_bit | (unsigned char)opcode);
    if (length <= WEBSOCKET_CONTROL_MOST) {
        head[1] = (char)length;
        return 2;
    }
    if (length <= UINT16_MAX) {
        head[1] = 126;
        big_endian_write(head + 2, 2, length);
        return 4;
    }
    head[1] = 127;
    big_endian_write(head + 2, 8, length);
    return 10;
}

size_t websocket_frame_control(char frame[WEBSOCKET_CONTROL_SIZE], enum websocket_opcode opcode,
                               const char *payload, size_t length)
{
    frame[0] = (char)(final_bit | (unsigned char)opcode);
    frame[1] = (char)length;
    memcpy(frame + 2, payload, length);
    return 2 + length;
}

size_t websocket_frame_close(char frame[WEBSOCKET_CONTROL_SIZE], enum websocket_code code,
                             const char *reason)
{
    char payload[WEBSOCKET_CONTROL_MOST];
    size_t length = strnlen(reason, sizeof payload - 2);

    if (code == WEBSOCKET_CODE_NONE)
        return websocket_frame_control(frame, WEBSOCKET_CLOSE, "", 0);
    big_endian_write(payload, 2, code);
    memcpy(payload + 2, reason, length);
    return websocket_frame_control(frame, WEBSOCKET_CLOSE, payload, 2 + length);
}
