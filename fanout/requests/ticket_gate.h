/* Lets subscribers in who come with a ticket: verifies it and sees to it that each is used once. */
#ifndef ESN_TICKET_GATE_H
#define ESN_TICKET_GATE_H

#include "config/config.h"
#include "secret.h"
#include "streams/decisions.h"
#include "streams/revocations.h"
#include "ticket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ticket_gate {
    struct secret_list secrets;
    struct used_tickets *used;
    uint64_t opened_ms;                    /* by the wall clock of then */
    const struct revocations *revocations; /* set by the owner; NULL: none; likewise ... */
    struct decisions *decisions;           /* ... where refusals are noted */
    /* Of several daemons, set by the owner: */
    bool has_node;
    unsigned node; /* this one's number */
    /* Tells the others that a ticket was used that any of them may take. NULL: there are none. */
    void (*tell_used)(void *context, const char *id, uint64_t forget_after_s);
    void *context;
    uint64_t gap_ms; /* until then something that they told may not have been heard; wall clock */
};

/* What a client is told of TICKET_GATE_DROPPED. */
#define TICKET_GATE_DROPPED_REASON "Dropped since: a newer proof is needed"

enum ticket_gate_result {
    TICKET_GATE_OPEN,
    TICKET_GATE_REFUSED, /* one answer, whatever is wrong with it */
    TICKET_GATE_DROPPED, /* its user or session was dropped since it was signed */
    TICKET_GATE_ELSEWHERE, /* it is for another daemon: its number stands in the ticket, which is empty else */
    TICKET_GATE_TOO_OLD,   /* of before the start, or of before the clock was set back: nobody knows
                              whether it was used then; a new one will do */
    TICKET_GATE_OVERLOADED /* cannot remember that it is used now */
};

/* Without a secret file every ticket is refused; so are those that were signed before wall_ms, when
 * an earlier daemon may have taken them. False with a sentence in error (SECRET_ERROR_SIZE). */
bool ticket_gate_open(struct ticket_gate *gate, const struct config *config, uint64_t wall_ms,
                      char *error);
/* Reads the secrets again; the old ones stay when that fails. */
bool ticket_gate_reload(struct ticket_gate *gate, const struct config *config, char *error);
void ticket_gate_close(struct ticket_gate *gate);
/* What time it is. */
struct ticket_gate_time {
    uint64_t wall_ms; /* by the wall clock, which may have been set since the gate was opened */
    uint64_t open_ms; /* since it was opened, by a clock that nobody sets */
};

/* TICKET_GATE_OPEN: *ticket is filled, free it with ticket_free(). */
enum ticket_gate_result ticket_gate_admit(struct ticket_gate *gate, const struct config *config,
                                          const char *text, size_t length,
                                          struct ticket_gate_time now, struct ticket *ticket);

/* ---- of several daemons: tickets that any of them may take, and one of them has taken ---- */

/* One of the others says so. False: it is no id of a ticket, or there is no room to remember it. */
bool ticket_gate_note_used(struct ticket_gate *gate, const char *id, uint64_t forget_after_s,
                           uint64_t wall_ms);
/* What the others say may not have been heard up to now: such tickets of before are
 * TICKET_GATE_TOO_OLD. */
void ticket_gate_note_gap(struct ticket_gate *gate, uint64_t wall_ms);

#endif
