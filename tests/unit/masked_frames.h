/* WebSocket frames as clients send them. */
#ifndef ESN_TEST_MASKED_FRAMES_H
#define ESN_TEST_MASKED_FRAMES_H

#include "bytes.h"
#include "transports/websocket_frame.h"

#include <stddef.h>

enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };

/* Appends a masked frame; `first` is its first byte, FIN | opcode. */
void masked_frame_add(struct bytes *out, unsigned first, const char *payload, size_t length);

#endif
