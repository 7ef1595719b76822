/* A ticket that comes in a message on an open stream (docs/protocol.md section 8): it brings topics
 * that not everybody may hear, and says as whom they are heard. */
#ifndef ESN_MESSAGE_TICKET_H
#define ESN_MESSAGE_TICKET_H

#include "subscription_body.h"
#include "ticket.h"

#include <stdbool.h>
#include <stddef.h>

struct stream;

struct message_ticket {
    struct ticket ticket;
    struct subscription_body body; /* what it says; zeroed: there is no ticket */
};

/* NULL: *brought is filled; else the reason why not, static or of *brought. To be freed either way.
 * Whose ticket it is has to be whose stream it is, when that is heard as somebody; the ticket is
 * used then. */
const char *message_ticket_read(struct message_ticket *brought, struct stream *stream,
                                const char *text, size_t length);
void message_ticket_free(struct message_ticket *brought);

/* From now on the stream is heard as the ticket's user, and no longer than each of its proofs lasts.
 * False without memory. */
bool message_ticket_take_identity(const struct message_ticket *brought, struct stream *stream);

/* NULL: the ticket stands for all that the stream's own proofs did, and the stream lives as long as
 * the new one does, if that is longer. Else the static reason why not, and nothing is changed. */
const char *message_ticket_renew(const struct message_ticket *brought, struct stream *stream);

#endif
