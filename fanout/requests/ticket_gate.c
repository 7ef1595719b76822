#include "requests/ticket_gate.h"

#include "messages.h"
#include "used_tickets.h"

#include <stdio.h>

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

bool ticket_gate_open(struct ticket_gate *gate, const struct config *config, uint64_t wall_s,
                      char *error)
{
    *gate = (struct ticket_gate){.used = used_tickets_open((size_t)config->ticket_max_used),
                                 .opened_s = wall_s};
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

enum ticket_gate_result ticket_gate_admit(struct ticket_gate *gate, const struct config *config,
                                          const char *text, size_t length, uint64_t wall_s,
                                          struct ticket *ticket)
{
    struct ticket_rules rules = ticket_rules_of(config, &gate->secrets);
    const char *why = "no ticket secret is configured";
    enum ticket_result result = TICKET_REFUSED;

    *ticket = (struct ticket){0};
    if (gate->secrets.count > 0)
        result = ticket_read(ticket, &rules, text, length, wall_s, &why);
    if (result != TICKET_OK) {
        message_info("ticket refused", message_text("why", why));
        return result == TICKET_NO_RESOURCES ? TICKET_GATE_OVERLOADED : TICKET_GATE_REFUSED;
    }
    /* One that an earlier daemon took ends before it could have begun now, when it does not say. */
    uint64_t latest_s = ticket->issued_s != 0 || ticket->forget_after_s < rules.life_max_s
                            ? ticket->issued_s
                            : ticket->forget_after_s - rules.life_max_s - rules.skew_s;
    if (latest_s < gate->opened_s) {
        message_info("ticket refused", message_text("why", "from before the start"));
        ticket_free(ticket);
        return TICKET_GATE_TOO_OLD;
    }
    switch (used_tickets_take(gate->used, ticket->id, ticket->forget_after_s, wall_s)) {
    case USED_TICKETS_FIRST:
        return TICKET_GATE_OPEN;
    case USED_TICKETS_AGAIN:
        message_info("ticket refused", message_text("why", "used before"));
        ticket_free(ticket);
        return TICKET_GATE_REFUSED;
    default:
        message_warning("ticket refused: the memory of used ones is full",
                        message_number("max_used", (int64_t)config->ticket_max_used));
        ticket_free(ticket);
        return TICKET_GATE_OVERLOADED;
    }
}
