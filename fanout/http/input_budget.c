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
    if (charge->of_address != NULL)
        *charge->of_address -= charge->bytes;
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

static bool address_has_room(struct input_budget *budget, struct input_charge *charge,
                             size_t length)
{
    uint64_t used = charge->of_address != NULL ? *charge->of_address : 0;

    charge->address_is_full = charge->of_address != NULL && budget->most_of_address > 0 &&
                              used + length > budget->most_of_address;
    budget->refused_of_address += charge->address_is_full;
    return !charge->address_is_full;
}

bool input_budget_count_for(struct input_budget *budget, struct input_charge *charge,
                            uint64_t *of_address)
{
    if (charge->of_address != NULL)
        *charge->of_address -= charge->bytes;
    charge->of_address = of_address;
    if (of_address != NULL)
        *of_address += charge->bytes;
    return charge->bytes == 0 || budget == NULL || address_has_room(budget, charge, 0);
}

bool input_budget_charge(struct input_budget *budget, struct input_charge *charge, size_t length)
{
    if (charge->given_up)
        return false;
    if (budget == NULL || length == 0)
        return true;
    if (!address_has_room(budget, charge, length))
        return false;
    if (charge->bytes + length <= budget->most)
        make_room(budget, charge, length);
    if (budget->used + length > budget->most)
        return false;
    if (charge->bytes == 0 && charge->give_up != NULL)
        link_newest(budget, charge);
    budget->used += length;
    charge->bytes += length;
    if (charge->of_address != NULL)
        *charge->of_address += length;
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
