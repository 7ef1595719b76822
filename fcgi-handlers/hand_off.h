/* The answer that sends a subscriber on to the daemon with a ticket: bytes out, no I/O. */
#ifndef ESN_HAND_OFF_H
#define ESN_HAND_OFF_H

#include "bytes.h"
#include "config.h"

#include <stdint.h>

struct hand_off {
    const char *ticket; /* base64url and dots: needs no escaping */
    size_t ticket_length;
    uint64_t connid;    /* of a client that comes back; 0: none */
    const char *secret; /* that proves it */
};

/* Appends a whole CGI response (RFC 3875 section 6) as [handoff] mode wants it. */
void hand_off_write(struct bytes *out, const struct hand_off *hand_off,
                    const struct config *config);

/* Appends the CGI response that sends `POST .../alive` to the daemon's public address, where the
 * client posts again. Only when [handoff] mode is redirect. */
void hand_off_write_alive(struct bytes *out, const struct config *config);

#endif
