/* All transports, and what they answer to: a request shape each, or lines from the beginning. */
#ifndef ESN_TRANSPORTS_H
#define ESN_TRANSPORTS_H

#include "net/connection.h"
#include "net/frame.h"
#include "streams/transport.h"

struct http_request;

extern const struct transport transport_frames_chunked, transport_frames_plain;
extern const struct transport transport_sse_chunked, transport_sse_plain;
extern const struct transport transport_poll, transport_websocket, transport_lines;

/* By enum frame_encoding. */
extern const struct transport *const transports[FRAME_ENCODINGS];

/* They answer with the reason, or begin the stream. */
void transport_frames_answer(struct connection *connection, const struct http_request *request);
void transport_sse_answer(struct connection *connection, const struct http_request *request);
void transport_poll_answer(struct connection *connection, const struct http_request *request);
void transport_websocket_answer(struct connection *connection, const struct http_request *request);
/* Of a connection that speaks lines, until its stream begins. */
extern const struct connection_user transport_lines_user;

#endif
