/* Tickets: any bytes, then the same bytes as the claims of a well-signed one. */
#include "identity/jws.h"
#include "ticket.h"
#include "user_id.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char secret[] = "0123456789abcdef0123456789abcdef";
static char *secrets[] = {secret};
static const struct secret_list list = {secrets, 1};
static const struct ticket_rules rules = {&list, 10, 60, 0};

static enum ticket_result read_ticket(const char *text, size_t length)
{
    struct ticket ticket;
    enum ticket_result result = ticket_read(&ticket, &rules, text, length, 1700000000, NULL);
    if (result == TICKET_OK) {
        bool named = ticket.user == NULL ||
                     user_id_kind(ticket.user, strlen(ticket.user)) != USER_ID_INVALID;
        for (size_t i = 0; i < ticket.topic_count; i++)
            named &=
                ticket.topics[i].text != NULL &&
                (ticket.user != NULL || !(ticket.topics[i].bound || ticket.topics[i].granted)) &&
                !(ticket.topics[i].bound && ticket.topics[i].granted);
        if (!named || ticket.id[0] == '\0' || ticket.forget_after_s > 1700000060)
            abort();
    }
    ticket_free(&ticket);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *claims = calloc(1, size + 1);
    if (read_ticket((const char *)data, size) == TICKET_OK || claims == NULL)
        abort();
    memcpy(claims, data, size);
    char *text = jws_sign(secret, claims);
    if (text != NULL)
        (void)read_ticket(text, strlen(text));
    free(text);
    free(claims);
    return 0;
}
