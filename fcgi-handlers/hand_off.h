/* The answer that sends a subscriber on to the daemon with a ticket: bytes out, no I/O. */
#ifndef ESN_HAND_OFF_H
#define ESN_HAND_OFF_H

#include "bytes.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct hand_off {
    const char *ticket; /* base64url and dots: needs no escaping */
    size_t ticket_length;
    uint64_t connid;    /* of a client that comes back; 0: none */
    const char *secret; /* that proves it */
    const char *origin; /* of the page that asks; NULL: it did not say */
    /* Where the daemon that the ticket names is reached ([fanout] node_url): a path behind the
     * daemons' address, or, by redirect and json, an address in its place. NULL: it names none. */
    const char *way;
    const char *path; /* of the transport, behind the daemon's address; "": frames */
    uint64_t wait_ms; /* how long a poll is to wait, when has_wait */
    bool has_wait;
    bool says_had;   /* the client will say which events it had */
    bool needs_body; /* the ticket is worth something beside the request's body alone */
};

/* Appends a whole CGI response (RFC 3875 section 6) as [handoff] mode wants it. */
void hand_off_write(struct bytes *out, const struct hand_off *hand_off,
                    const struct config *config);

/* Appends a whole CGI response with the ticket as JSON, in whatever mode. "url" is in it when
 * [handoff] url is set. */
void hand_off_write_ticket(struct bytes *out, const struct hand_off *hand_off,
                           const struct config *config);

/* Appends the CGI response that sends a request that has its ticket already to the daemon's public
 * address, with its query and, by 307, its method and body (RFC 9110 section 15.4.8). Only when
 * [handoff] mode is redirect. */
void hand_off_write_query(struct bytes *out, const char *path, const char *query,
                          const char *origin, const struct config *config);

/* Appends the CGI response that sends `POST .../alive` to the daemon's public address, where the
 * client posts again. Only when [handoff] mode is redirect. */
void hand_off_write_alive(struct bytes *out, const char *origin, const struct config *config);

#endif
