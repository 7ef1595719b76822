/* Streams as a part of the connections that are handed over to the next program (docs/upgrade.md). */
#ifndef ESN_SAVED_STREAMS_H
#define ESN_SAVED_STREAMS_H

#include "saved_state.h"

#include <stdbool.h>

struct connection;
struct service;
struct stream;

void saved_stream_put(const struct stream *stream, struct saved_writer *writer);
/* Makes a stream of the connection. False when something is not as it should be, or without memory. */
bool saved_stream_take(struct service *service, struct connection *connection,
                       struct saved_reader *reader);

#endif
