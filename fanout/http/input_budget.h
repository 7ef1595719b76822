/* Bytes of all requests, lines and messages that are coming in or being answered: many clients
 * could each hold one that is nearly whole. */
#ifndef ESN_INPUT_BUDGET_H
#define ESN_INPUT_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shared by many, outlives them. */
struct input_budget {
    uint64_t used, most;
};

/* Adds length to what the caller has *charged. False, and nothing is charged, when there is not so
 * much left. Where the budget is NULL there is no bound. */
bool input_budget_charge(struct input_budget *budget, size_t *charged, size_t length);
/* Gives back all that was charged. */
void input_budget_release(struct input_budget *budget, size_t *charged);

#endif
