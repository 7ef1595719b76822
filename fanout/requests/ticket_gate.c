#include "requests/ticket_gate.h"

#include "messages.h"
#include "used_tickets.h"

#include <stdio.h>
#include <string.h>

bool ticket_gate_reload(struct ticket_gate *gate, const struct config *config, char *error)
{
    struct ticket_gate fresh = {0};

    if (!secret_list_load(&fresh.secrets, config->ticket_secret_file, error))
        return false;
    struct ticket_rules rules = ticket_rules_of(config, &fresh.secrets);
    const char *fault = fresh.secrets.count ? ticket_rules_fault(&rules) : NULL;
    if (fault != NULL) {
        snprintf(error, SECRET_ERROR_SIZE, "%s: %s", config->ticket_secret_file, fault);
        secret_list_free(&fresh.secrets);
        return false;
    }
    secret_list_free(&gate->secrets);
    gate->secrets = fresh.secrets;
    return true;
}

bool ticket_gate_open(struct ticket_gate *gate, const struct config *config, uint64_t wall_ms,
                      char *error)
{
    *gate = (struct ticket_gate){.used = used_tickets_open((size_t)config->ticket_max_used),
                                 .opened_ms = wall_ms};
    if (gate->used == NULL) {
        snprintf(error, SECRET_ERROR_SIZE, "out of memory");
        return false;
    }
    return ticket_gate_reload(gate, config, error);
}

void ticket_gate_close(struct ticket_gate *gate)
{
    used_tickets_close(&gate->used);
    secret_list_free(&gate->secrets);
}

static enum ticket_gate_result refuse_ticket(const struct ticket_gate *gate, struct ticket *ticket,
                                             enum ticket_gate_result result, const char *why)
{
    char reason[128];

    message_info("ticket refused", message_text("why", why));
    (void)snprintf(reason, sizeof reason, "ticket refused: %s", why);
    if (gate->decisions != NULL)
        decisions_note_refused(gate->decisions, ticket->user, ticket->clid, reason, NULL);
    ticket_free(ticket);
    return result;
}

/* One that does not say when it was signed may have been at any time. */
static bool is_dropped(const struct ticket_gate *gate, const struct ticket *ticket, uint64_t wall_s)
{
    uint64_t signed_ms = ticket->since_ms != 0 && ticket->since_ms < ticket->issued_ms
                             ? ticket->since_ms
                             : ticket->issued_ms;

    return gate->revocations != NULL && revocations_refuse(gate->revocations, ticket->user,
                                                           ticket->sid, signed_ms, wall_s * 1000);
}

/* An earlier daemon may have taken it: by the clock of now, or, where that was set back since the
 * start, by the clock of then. One that does not say when it was signed ends before it could have
 * been signed since. */
static bool is_from_before(const struct ticket_gate *gate, const struct ticket_rules *rules,
                           const struct ticket *ticket, struct ticket_gate_time now)
{
    uint64_t life_ms = (rules->life_max_s + rules->skew_s) * UINT64_C(1000);
    uint64_t ends_ms = ticket->forget_after_s * 1000;
    uint64_t started_ms = now.wall_ms > now.open_ms ? now.wall_ms - now.open_ms : 0;
    uint64_t signed_ms =
        ticket->issued_ms != 0 || ends_ms < life_ms ? ticket->issued_ms : ends_ms - life_ms;

    return signed_ms < started_ms ||
           (signed_ms < gate->opened_ms && signed_ms + life_ms >= gate->opened_ms);
}

/* Any daemon may have taken it, and not all that they said was heard. */
static bool is_from_a_gap(const struct ticket_gate *gate, const struct ticket_rules *rules,
                          const struct ticket *ticket)
{
    uint64_t life_ms = (rules->life_max_s + rules->skew_s) * UINT64_C(1000);

    return gate->has_node && !ticket->names_node && ticket->issued_ms < gate->gap_ms &&
           ticket->forget_after_s * 1000 < gate->gap_ms + life_ms;
}

/* Its number is all that is left of it. */
static enum ticket_gate_result send_elsewhere(const struct ticket_gate *gate, struct ticket *ticket)
{
    unsigned node = ticket->node;

    (void)refuse_ticket(gate, ticket, TICKET_GATE_ELSEWHERE, "for another daemon");
    ticket->node = node;
    return TICKET_GATE_ELSEWHERE;
}

static enum ticket_gate_result take_first(const struct ticket_gate *gate,
                                          const struct ticket *ticket)
{
    if (gate->tell_used != NULL && !ticket->names_node)
        gate->tell_used(gate->context, ticket->id, ticket->forget_after_s);
    return TICKET_GATE_OPEN;
}

bool ticket_gate_note_used(struct ticket_gate *gate, const char *id, uint64_t forget_after_s,
                           uint64_t wall_ms)
{
    size_t length = strlen(id);

    return length > 0 && length <= TICKET_ID_MAX &&
           used_tickets_take(gate->used, id, forget_after_s, wall_ms / 1000) != USED_TICKETS_FULL;
}

void ticket_gate_note_gap(struct ticket_gate *gate, uint64_t wall_ms)
{
    gate->gap_ms = wall_ms;
}

enum ticket_gate_result ticket_gate_admit(struct ticket_gate *gate, const struct config *config,
                                          const char *text, size_t length,
                                          struct ticket_gate_time now, struct ticket *ticket)
{
    uint64_t wall_s = now.wall_ms / 1000;
    struct ticket_rules rules = ticket_rules_of(config, &gate->secrets);
    const char *why = "no ticket secret is configured";
    enum ticket_result result = TICKET_REFUSED;

    *ticket = (struct ticket){0};
    if (gate->secrets.count > 0)
        result = ticket_read(ticket, &rules, text, length, wall_s, &why);
    if (result != TICKET_OK)
        return refuse_ticket(
            gate, ticket,
            result == TICKET_NO_RESOURCES ? TICKET_GATE_OVERLOADED : TICKET_GATE_REFUSED, why);
    if (gate->has_node && ticket->names_node && ticket->node != gate->node)
        return send_elsewhere(gate, ticket);
    if (is_from_a_gap(gate, &rules, ticket))
        return refuse_ticket(gate, ticket, TICKET_GATE_TOO_OLD,
                             "from when the daemons did not hear each other");
    if (is_from_before(gate, &rules, ticket, now))
        return refuse_ticket(gate, ticket, TICKET_GATE_TOO_OLD, "from before the start");
    if (is_dropped(gate, ticket, wall_s))
        return refuse_ticket(gate, ticket, TICKET_GATE_DROPPED,
                             "its user or session was dropped since");
    switch (used_tickets_take(gate->used, ticket->id, ticket->forget_after_s, wall_s)) {
    case USED_TICKETS_FIRST:
        return take_first(gate, ticket);
    case USED_TICKETS_AGAIN:
        return refuse_ticket(gate, ticket, TICKET_GATE_REFUSED, "used before");
    case USED_TICKETS_UNKNOWN:
        return refuse_ticket(gate, ticket, TICKET_GATE_TOO_OLD,
                             "from before the clock was set back");
    default:
        message_warning("ticket refused: the memory of used ones is full",
                        message_number("max_used", (int64_t)config->ticket_max_used));
        ticket_free(ticket);
        return TICKET_GATE_OVERLOADED;
    }
}
