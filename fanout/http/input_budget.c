#include "http/input_budget.h"

static void link_newest(struct input_budget *budget, struct input_charge *charge)
{
    charge->older = budget->newest;
    charge->newer = NULL;
    if (budget->newest != NULL)
        budget->newest->newer = charge;
    else
        budget->oldest = charge;
    budget->newest = charge;
}

static void unlink_charge(struct input_budget *budget, struct input_charge *charge)
{
    if (charge->older != NULL)
        charge->older->newer = charge->newer;
    else
        budget->oldest = charge->newer;
    if (charge->newer != NULL)
        charge->newer->older = charge->older;
    else
        budget->newest = charge->older;
    charge->older = charge->newer = NULL;
}

static void give_back(struct input_budget *budget, struct input_charge *charge)
{
    if (charge->bytes == 0)
        return;
    budget->used -= charge->bytes;
    charge->bytes = 0;
    if (charge->give_up != NULL)
        unlink_charge(budget, charge);
}

static void make_room(struct input_budget *budget, const struct input_charge *charge, size_t length)
{
    while (budget->used + length > budget->most && budget->oldest != NULL &&
           budget->oldest != charge) {
        struct input_charge *oldest = budget->oldest;
        give_back(budget, oldest);
        oldest->given_up = true;
        budget->given_up++;
        oldest->give_up(oldest);
    }
}

bool input_budget_charge(struct input_budget *budget, struct input_charge *charge, size_t length)
{
    if (charge->given_up)
        return false;
    if (budget == NULL || length == 0)
        return true;
    if (charge->bytes + length <= budget->most)
        make_room(budget, charge, length);
    if (budget->used + length > budget->most)
        return false;
    if (charge->bytes == 0 && charge->give_up != NULL)
        link_newest(budget, charge);
    budget->used += length;
    charge->bytes += length;
    return true;
}

void input_budget_move(struct input_budget *budget, struct input_charge *charge)
{
    if (charge->bytes == 0 || charge->give_up == NULL)
        return;
    if (charge->older != NULL)
        charge->older->newer = charge;
    else
        budget->oldest = charge;
    if (charge->newer != NULL)
        charge->newer->older = charge;
    else
        budget->newest = charge;
}

void input_budget_release(struct input_budget *budget, struct input_charge *charge)
{
    if (budget != NULL)
        give_back(budget, charge);
    charge->given_up = false;
}
