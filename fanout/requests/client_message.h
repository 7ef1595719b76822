/* What a client says while it holds a stream that goes both ways (docs/protocol.md section 8):
 * bytes in, request or reason out. Pure. */
#ifndef ESN_CLIENT_MESSAGE_H
#define ESN_CLIENT_MESSAGE_H

#include "config/config.h"
#include "requested_topics.h"

#include <stdbool.h>
#include <stddef.h>

enum client_message_kind {
    CLIENT_SUBSCRIBE,
    CLIENT_UNSUBSCRIBE, /* may name bound topics */
    CLIENT_ALIVE,
    CLIENT_HAD, /* nothing but what it had */
    CLIENT_PING
};

struct client_message {
    struct json_t *json;
    enum client_message_kind kind;
    struct requested_topics topics;
    const char *last_id; /* with CLIENT_SUBSCRIBE; NULL: it wants no past */
    size_t last_id_length;
    const char *had; /* id of the newest event that it had; NULL: it does not say */
    size_t had_length;
    const char *ticket; /* likewise; NULL: none */
    size_t ticket_length;
    const char *secret; /* with CLIENT_ALIVE; may have NUL characters inside */
    size_t secret_length;
};

/* NULL, or the reason why the message is refused, static or of *message
 * (REQUESTED_TOPICS_NO_MEMORY: no fault of the client). Free it either way. proven: the stream is
 * heard as a user. */
const char *client_message_read(struct client_message *message, const char *text, size_t length,
                                bool proven, const struct config *config);
void client_message_free(struct client_message *message);

#endif
