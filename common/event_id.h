/* The id of an event as text: "EPOCH-SEQUENCE", two decimal numbers (docs/protocol.md section 2). */
#ifndef ESN_EVENT_ID_H
#define ESN_EVENT_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when the text is none. */
bool event_id_read(const char *text, size_t length, uint64_t *epoch, uint64_t *sequence);

/* The same of a place in the log, which may have a third number: of its last values, how far they
 * were had. Without one *values_after is the sequence: all were had. */
bool event_id_read_place(const char *text, size_t length, uint64_t *epoch, uint64_t *sequence,
                         uint64_t *values_after);

#endif
