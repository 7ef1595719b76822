/* Answers a publisher's question who had an event (docs/protocol.md section 3). */
#ifndef ESN_REPORT_ANSWER_H
#define ESN_REPORT_ANSWER_H

struct bus_inbox;
struct bus_message;
struct delivery;

/* At once, as things are now; ACK_UNKNOWN when there is no such report, or it is another publisher's. */
void report_answer(const struct delivery *delivery, struct bus_inbox *inbox,
                   const struct bus_message *question);

#endif
