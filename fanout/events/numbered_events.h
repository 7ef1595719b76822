/* Events that came with a number: an engine that several daemons share has found out that they are new and may be
 * published, and has given each its id, the same at all of them. */
#ifndef ESN_NUMBERED_EVENTS_H
#define ESN_NUMBERED_EVENTS_H

struct bus_message;
struct intake;

/* As intake_take(), of one with a number, or of a last value of before. */
void numbered_events_take(struct intake *intake, const struct bus_message *message);

#endif
