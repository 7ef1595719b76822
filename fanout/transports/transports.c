#include "transports/transports.h"

const struct transport *const transports[FRAME_ENCODINGS] = {
    [FRAME_CHUNKED] = &transport_frames_chunked,
    [FRAME_PLAIN] = &transport_frames_plain,
    [FRAME_SSE_CHUNKED] = &transport_sse_chunked,
    [FRAME_SSE_PLAIN] = &transport_sse_plain,
    [FRAME_POLL] = &transport_poll,
    [FRAME_WEBSOCKET] = &transport_websocket,
    [FRAME_LINES] = &transport_lines,
};
