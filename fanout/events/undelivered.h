/* Tells publishers which users had not had an event in the time that they named (docs/protocol.md
 * section 3, "within"): once for each user, by an event as any other. */
#ifndef ESN_UNDELIVERED_H
#define ESN_UNDELIVERED_H

struct delivery;
struct intake;
struct publisher_counts;
struct seen_events;

struct undelivered {
    /* Parts of the owner, which outlive it. */
    struct delivery *delivery;
    struct seen_events *seen;
    const struct publisher_counts *publishers;
    struct intake *intake;
};

/* Looks at those whose time is over; every tick. */
void undelivered_tell(struct undelivered *undelivered);

#endif
