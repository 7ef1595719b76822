#include "http/input_budget.h"

bool input_budget_charge(struct input_budget *budget, size_t *charged, size_t length)
{
    if (budget == NULL)
        return true;
    if (budget->used + length > budget->most)
        return false;
    budget->used += length;
    *charged += length;
    return true;
}

void input_budget_release(struct input_budget *budget, size_t *charged)
{
    if (budget != NULL)
        budget->used -= *charged;
    *charged = 0;
}
