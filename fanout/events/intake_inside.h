/* What intake.c and numbered_events.c share; nobody else includes it. */
#ifndef ESN_INTAKE_INSIDE_H
#define ESN_INTAKE_INSIDE_H

#include "bus/bus.h"
#include "events/intake_parts.h"
#include "log/log_files.h"
#include "log/log_store.h"

#include <stdbool.h>
#include <stdint.h>

struct intake {
    struct intake_parts parts;
    struct intake_counters counters;
    struct bus_inbox *inbox; /* NULL: none yet */
    struct log_store *store; /* NULL: the log is in memory alone */
    bool waits;              /* for the disk, before anybody hears of an event */
    unsigned char stream_key[LOG_KEY_SIZE];
    enum ack_status trouble; /* what the last refused event was told; ACK_DELIVERED: none since */
    uint64_t trouble_at;     /* ms of the loop's clock */
};

bool intake_is_over_limits(const struct intake *intake, const struct event *event);
/* What the daemon itself does not publish. first: sequence of the event that was there before. */
void intake_note_refusal(struct intake *intake, const struct bus_message *message,
                         const char *reason, uint64_t first);
/* NULL: it has no name. */
struct publisher_count *intake_publisher_of(const struct intake *intake,
                                            const struct bus_message *message);
/* A handler with another [log] max_kept: the value of before is the last one no more. */
void intake_forget_what_does_not_fit(const struct intake *intake, struct event *event);
/* False without memory: nobody has it. */
bool intake_deliver(struct intake *intake, const struct log_entry *entry, uint32_t *receivers);
void intake_acknowledge(struct intake *intake, const struct log_entry *entry,
                        enum ack_status status, uint32_t receivers);
/* Counts and acknowledges one that is not taken; why it is the daemon that cannot is remembered. */
void intake_refuse(struct intake *intake, struct log_entry *entry, enum ack_status status);

#endif
