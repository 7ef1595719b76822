/* A stream's time starts anew, for who knows its secret: POST /alive (docs/protocol.md section 5),
 * or a message on the stream itself. */
#ifndef ESN_RENEW_H
#define ESN_RENEW_H

#include "requested_topics.h"

#include <stddef.h>
#include <stdint.h>

struct connection;
struct http_request;
struct stream;

enum { RENEW_ANSWER_SIZE = 200, RENEW_BEAT_LEAST = 1000, RENEW_BEAT_MOST = 24 * 60 * 60 * 1000 };

/* What a client shows for a renewal. */
struct renewal {
    const char *secret; /* may have NUL inside, as the next */
    size_t secret_length;
    const char *ticket; /* of a newer proof of the same user; NULL: none */
    size_t ticket_length;
    /* The client promises to say this again within so many ms, from RENEW_BEAT_LEAST to
     * RENEW_BEAT_MOST; then the stream's time begins anew only when half of it is over, and until
     * then the secret stays. 0: it promises nothing. */
    uint64_t beat_ms;
    /* Id of the newest event that it had, of those sent to this stream; then likewise. NULL: it does
     * not say. */
    const char *had;
    size_t had_length;
};

/* The reason that is no fault of the client: compare pointers. */
extern const char RENEW_NO_RANDOM[];

/* NULL, and {"connid", "secret": the new one, "timeout", "until"?}; or the reason why nothing was
 * changed but that the ticket is used, static or in `fault`. */
const char *renew_stream(struct stream *stream, const struct renewal *renewal,
                         char answer[RENEW_ANSWER_SIZE], char fault[REQUESTED_TOPICS_FAULT_SIZE]);

/* The client says that it had everything up to this id; harmless when it is none of this log's. */
void renew_take_had(struct stream *stream, const char *id, size_t length);

void renew_answer(struct connection *connection, const struct http_request *request);

#endif
