/* What the intake of events works with, and what it counts. */
#ifndef ESN_INTAKE_PARTS_H
#define ESN_INTAKE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct delivery;
struct drops;
struct event_log;
struct loop;
struct nodes;
struct publisher_counts;
struct rate_limits;
struct seen_events;

/* All of it is the caller's and outlives the intake. */
struct intake_parts {
    const struct config *config;
    struct loop *loop;
    struct delivery *delivery;
    struct event_log *log;
    struct seen_events *seen;
    struct rate_limits *rates;
    struct publisher_counts *publishers; /* NULL: nobody has a name */
    struct drops *drops;                 /* it is given store and inbox */
    struct nodes *nodes; /* likewise the inbox; NULL: of an engine for one daemon alone */
    bool goes_on; /* log, seen events and revocations are those of the program before: what is on
                     disk is not read into them */
};

struct intake_counters {
    uint64_t events;  /* delivered, doubles not counted */
    uint64_t doubles; /* recognised and dropped */
    uint64_t refused; /* by a handler, which tells of it */
    uint64_t others;  /* not taken: their id is another event's */
    uint64_t
        overloads;     /* not taken: no memory, not kept on disk, or over the daemon's limits ... */
    uint64_t unstored; /* ... of those: not kept on disk ... */
    uint64_t topics;   /* ... and: over the limits */
    uint64_t limited;  /* not taken: their token has published too much */
};

#endif
