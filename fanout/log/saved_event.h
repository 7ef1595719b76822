/* An event of the log as one program hands it over to the next (saved_state.h). */
#ifndef ESN_SAVED_EVENT_H
#define ESN_SAVED_EVENT_H

#include "event.h"
#include "log/logged_event.h"
#include "saved_state.h"

enum { SAVED_EVENT_LEAST = 7 * sizeof(uint64_t) };

void saved_event_put(struct saved_writer *writer, const struct logged_event *logged);
/* Its texts are borrowed from what is read. Gives the ms of the loop's clock when it was logged. */
uint64_t saved_event_take(struct saved_reader *reader, struct event *event);

#endif
