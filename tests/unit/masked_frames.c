#include "masked_frames.h"

static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

void masked_frame_add(struct bytes *out, unsigned first, const char *payload, size_t length)
{
    char head[WEBSOCKET_HEAD_SIZE];
    size_t size = websocket_frame_head(head, WEBSOCKET_TEXT, length);

    head[0] = (char)first;
    head[1] = (char)((unsigned char)head[1] | 0x80);
    bytes_append(out, head, size);
    bytes_append(out, mask, sizeof mask);
    for (size_t i = 0; i < length; i++) {
        char byte = (char)((unsigned char)payload[i] ^ mask[i % 4]);
        bytes_append(out, &byte, 1);
    }
}
