#include "net/tls_output.h"

#include <string.h>

enum {
    RANGES = 64,
    OVERHEAD = 512 /* what a record, and an answer of the library's own before it, add at most */
};

bool tls_output_seal(struct output *output, struct tls_session *session)
{
    char *gathered = tls_context_gathered(session->context);
    struct iovec vectors[RANGES];
    int count = output_gather(output, vectors, RANGES);
    const char *bytes = vectors[0].iov_base;
    size_t length = 0;

    for (int i = 0; count > 1 && i < count && length < TLS_RECORD; i++) {
        size_t room = TLS_RECORD - length;
        size_t part = vectors[i].iov_len < room ? vectors[i].iov_len : room;
        memcpy(gathered + length, vectors[i].iov_base, part);
        length += part;
        bytes = gathered;
    }
    if (count == 1)
        length = vectors[0].iov_len < TLS_RECORD ? vectors[0].iov_len : TLS_RECORD;
    if (!tls_session_write(session, bytes, length))
        return false;
    output_consume(output, length);
    return true;
}

bool tls_output_fits_batch(const struct output *output, const struct tls_session *session)
{
    const struct tls_batch *batch = tls_context_batch(session->context);
    bool is_short = output->rest == NULL || output->rest->count < RANGES;

    return is_short && output->length <= TLS_RECORD &&
           output->length + OVERHEAD <= sizeof batch->bytes - batch->used;
}

bool tls_output_seal_for_batch(struct output *output, struct tls_session *session,
                               struct iovec *sealed)
{
    struct tls_batch *batch = tls_context_batch(session->context);
    size_t before = batch->used;

    session->destination = TLS_TO_BATCH;
    bool is_sealed = tls_output_seal(output, session);
    session->destination = TLS_TO_SOCKET;
    *sealed = (struct iovec){batch->bytes + before, batch->used - before};
    return is_sealed;
}
