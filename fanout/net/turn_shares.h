/* Who may have work done in the present turn of the loop, where there is more than a turn has time
 * for: each address has the same share of it, however many connections it opens and however dear
 * what they ask for is. Pure: knows no connection and no clock.
 *
 * Virtual time (Demers, Keshav, Shenker: Analysis and Simulation of a Fair Queueing Algorithm,
 * 1989) goes on by one share with each turn; who has used more than its share waits until it has
 * caught up. Where nobody else has work, a share is the whole turn. */
#ifndef ESN_TURN_SHARES_H
#define ESN_TURN_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one address has used. Begin with a zeroed one. */
struct turn_share {
    uint64_t paid_at;   /* virtual time at which what it used is paid for, ns */
    uint64_t seen_turn; /* the last one in which it wanted something */
    uint64_t work_ns;   /* used in all */
};

struct turn_shares {
    uint64_t now_ns;     /* virtual time */
    uint64_t quantum_ns; /* a share of the present turn */
    uint64_t turn;
    uint32_t wanting;     /* in the present turn, served or put off */
    uint32_t served;      /* pieces of work */
    uint32_t put_off_now; /* likewise, in the present turn */
    uint64_t put_off;     /* pieces of work that had to wait for others, since the start */
};

/* turn_ns: what a turn has time for. */
void turn_shares_open(struct turn_shares *shares, uint64_t turn_ns);
/* True when a piece of work of this address may be done now; else it is to be asked for again in
 * the next turn. Asked also when the turn has no time left: so it is known who waits. */
bool turn_shares_admit(struct turn_shares *shares, struct turn_share *share, bool has_time);
/* It took so long. */
void turn_shares_charge(struct turn_shares *shares, struct turn_share *share, uint64_t ns);
/* It has nothing to pay for: it may be forgotten. */
bool turn_shares_is_paid(const struct turn_shares *shares, const struct turn_share *share);
void turn_shares_end_turn(struct turn_shares *shares, uint64_t turn_ns);

#endif
