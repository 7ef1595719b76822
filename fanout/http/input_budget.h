/* Bytes of all requests, lines and messages that are coming in or being answered: many clients
 * could each hold one that is nearly whole. Where there is no room left, the one that is coming in
 * for longest gives way: so those that never become whole keep nobody else out. */
#ifndef ESN_INPUT_BUDGET_H
#define ESN_INPUT_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one of them holds. Begin with a zeroed one. */
struct input_charge {
    size_t bytes;
    struct input_charge *older, *newer;
    /* Frees the bytes; what comes of it after that cannot be charged any more. NULL: it holds on to
     * them. */
    void (*give_up)(struct input_charge *charge);
    bool given_up;
    uint64_t *of_address; /* what all of the same address hold; NULL: nobody knows whose it is */
    bool address_is_full; /* that is why it could not be charged */
};

/* Shared by many, outlives them. Those of one address have a bound of their own, at which nobody
 * gives way. */
struct input_budget {
    uint64_t used, most;
    struct input_charge *oldest, *newest; /* those with bytes that can give way */
    uint64_t given_up;                    /* how many had to */
    uint64_t most_of_address;             /* 0: no bound of its own */
    uint64_t refused_of_address;
};

/* Adds length to the charge. False, and nothing is charged, when there is not so much left, or when
 * it had to give way. Where the budget is NULL there is no bound. */
bool input_budget_charge(struct input_budget *budget, struct input_charge *charge, size_t length);
/* What it holds counts for an address from now on, whose counter this is. False when that is more
 * than there may be of one: nothing more can be charged then. */
bool input_budget_count_for(struct input_budget *budget, struct input_charge *charge,
                            uint64_t *of_address);
/* It stands at another address than it did. */
void input_budget_move(struct input_budget *budget, struct input_charge *charge);
/* Gives back all that was charged; it may begin anew. */
void input_budget_release(struct input_budget *budget, struct input_charge *charge);

#endif
