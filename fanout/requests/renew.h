/* A stream's time starts anew, for who knows its secret: POST /alive (docs/protocol.md section 5),
 * or a message on the stream itself. */
#ifndef ESN_RENEW_H
#define ESN_RENEW_H

#include <stddef.h>

struct connection;
struct http_request;
struct stream;

enum { RENEW_ANSWER_SIZE = 160 };

/* The reason that is no fault of the client: compare pointers. */
extern const char RENEW_NO_RANDOM[];

/* NULL, and {"connid", "secret": the new one, "timeout"}; or the static reason why nothing was
 * changed. */
const char *renew_stream(struct stream *stream, const char *secret, size_t length,
                         char answer[RENEW_ANSWER_SIZE]);

void renew_answer(struct connection *connection, const struct http_request *request);

#endif
