/* The publishers that have a name ([publish] publishers_file): how much each may publish, and has
 * published. The daemon has no use for their secrets. */
#ifndef ESN_PUBLISHER_COUNTS_H
#define ESN_PUBLISHER_COUNTS_H

#include "publishers/publisher.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct publisher_count {
    uint64_t id; /* as the envelope of an event has it */
    char name[PUBLISHER_NAME_MAX + 1];
    unsigned rate;    /* events a second; 0: as [publish] says */
    uint64_t events;  /* taken, since the start or since it is known */
    uint64_t limited; /* not taken, since there were too many */
};

struct publisher_counts {
    struct publisher_count *list; /* by id */
    size_t count;
};

/* Reads the file (NULL: there is none); those that are known already keep their numbers. False with
 * a sentence in error, and nothing is changed. */
bool publisher_counts_load(struct publisher_counts *counts, const char *path,
                           char error[PUBLISHERS_ERROR_SIZE]);
/* NULL: it has no name. */
struct publisher_count *publisher_counts_find(const struct publisher_counts *counts, uint64_t id);
void publisher_counts_free(struct publisher_counts *counts);

#endif
