/* What the intake of events works with. */
#ifndef ESN_INTAKE_PARTS_H
#define ESN_INTAKE_PARTS_H

#include <stdbool.h>

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

#endif
