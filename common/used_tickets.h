/* Which tickets were used already: each once, as long as it lives. Pure: no clock of its own. A
 * ticket is remembered as 128 bits of the SHA-256 of its id. */
#ifndef ESN_USED_TICKETS_H
#define ESN_USED_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct used_tickets;

enum used_tickets_result {
    USED_TICKETS_FIRST,   /* never seen: remembered now */
    USED_TICKETS_AGAIN,   /* refuse */
    USED_TICKETS_UNKNOWN, /* may have been taken before the clock was set back */
    USED_TICKETS_FULL /* no room or no memory: nothing is known, so nothing may be granted: 503 */
};

/* Remembers at most `max` live tickets, in slots of 24 bytes, two to eight for each. NULL without
 * memory. */
struct used_tickets *used_tickets_open(size_t max);
void used_tickets_close(struct used_tickets **used);

/* `id` is the ticket's jti, `forget_after_s` as ticket_read() gives it; `now_s` is
 * the time ticket_read() was given. Should its clock have jumped ahead and come back, those that were
 * forgotten meanwhile are not known any more, nor are others that end at about the same time. */
enum used_tickets_result used_tickets_take(struct used_tickets *used, const char *id,
                                           uint64_t forget_after_s, uint64_t now_s);
/* Tickets held, those of the past that were not swept yet included. */
size_t used_tickets_count(const struct used_tickets *used);
/* Memory that it takes. */
size_t used_tickets_bytes(const struct used_tickets *used);
struct saved_reader;
struct saved_writer;

/* All that is known of them. */
void used_tickets_save(const struct used_tickets *used, struct saved_writer *writer);
/* Of one that was just opened; false when it is not as it should be, or without memory. */
bool used_tickets_load(struct used_tickets *used, struct saved_reader *reader);

#endif
