/* One daemon's place among the nodes, as the thread that keeps it alone knows it. */
#ifndef ESN_BUS_REDIS_MEMBERSHIP_H
#define ESN_BUS_REDIS_MEMBERSHIP_H

#include "bus/bus_redis_node.h"
#include "bus/bus_redis_peers.h"

struct redis_keeper {
    struct redis_node *node;
    struct redis_link link;  /* commands */
    struct redis_link notes; /* subscribed to what daemons and handlers say to all daemons */
    struct redis_peers peers;
    uint64_t interval_ms; /* between two renewals */
    uint64_t counter;     /* of renewals */
    uint64_t renew_at;    /* ms of the monotonic clock, as the next two */
    uint64_t renewed_at;  /* when the last renewal that was answered was sent */
    uint64_t said_at;     /* that Redis is away */
    bool has_joined;
    bool is_agreed; /* on the server that it is connected to */
    bool is_cut;    /* its lease is over */
    struct redis_place
        caught_up; /* when the reader is there, all that happened while it was cut was given */
    char looked_at_run[REDIS_RUN_SIZE]; /* of the server that was last asked whether it evicts */
    unsigned number;
    char boot[REDIS_NUMBER_SIZE]; /* hexadecimal */
    unsigned char key[BUS_STREAM_KEY_SIZE];
};

#endif
