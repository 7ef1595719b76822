/* Clients that do anything: subscribe, ask, speak, send rubbish, stop half-way, read nothing,
 * vanish. What they do follows from a seed. */
#ifndef ESN_TEST_CROWD_H
#define ESN_TEST_CROWD_H

#include "daemon.h"

#include <stdint.h>

enum { CROWD_SIZE = 48 };

struct crowd_member {
    int descriptor; /* -1: none */
    bool speaks_lines;
    bool is_pure; /* has sent one subscription and nothing else: what comes must be a stream */
    char *text;   /* what came, of a pure one */
    size_t length;
};

struct crowd {
    struct daemon *daemon;
    struct crowd_member members[CROWD_SIZE];
    uint64_t random;
    void (*daemon_works)(bool begins); /* told before and after code of the daemon runs, or NULL */
    uint64_t streams_checked, frames_checked;
};

/* Lines for [fanout] under which much of what can happen to a client happens soon. */
extern const char crowd_config[];

void crowd_open(struct crowd *crowd, struct daemon *daemon, uint64_t seed);
/* One member does something, something may be published, the daemon takes a turn. */
void crowd_step(struct crowd *crowd);
/* All leave; turns until the daemon has noticed. */
void crowd_close(struct crowd *crowd);

#endif
