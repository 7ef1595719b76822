#include "net/turn_shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TURN = 2000, HEAVY = 1500, LIGHT = 10 };

/* One turn in which each of the addresses wants as much as it gets, in this order, until there is
 * no time left; each piece of work costs what `cost` says. */
static void turn(struct turn_shares *shares, struct turn_share *addresses, const uint64_t *cost,
                 size_t count)
{
    uint64_t left = TURN;

    for (size_t i = 0; i < count; i++) {
        while (turn_shares_admit(shares, &addresses[i], left > 0)) {
            turn_shares_charge(shares, &addresses[i], cost[i]);
            left -= cost[i] < left ? cost[i] : left;
        }
    }
    turn_shares_end_turn(shares, TURN);
}

static void who_is_alone_has_the_whole_turn(void **state)
{
    struct turn_shares shares;
    struct turn_share address = {0};
    const uint64_t cost = LIGHT;

    (void)state;
    turn_shares_open(&shares, TURN);
    for (int i = 0; i < 100; i++)
        turn(&shares, &address, &cost, 1);
    assert_int_equal(address.work_ns, 100 * TURN);
}

/* The one in front asks for a thousand times what the other does. */
static void two_have_a_third_of_it_at_least_whatever_they_ask_for(void **state)
{
    struct turn_shares shares;
    struct turn_share addresses[2] = {{0}};
    const uint64_t costs[2] = {HEAVY, LIGHT};

    (void)state;
    turn_shares_open(&shares, TURN);
    for (int i = 0; i < 1000; i++)
        turn(&shares, addresses, costs, 2);
    uint64_t all = addresses[0].work_ns + addresses[1].work_ns;
    assert_true(addresses[1].work_ns * 3 > all);
    assert_true(addresses[0].work_ns * 3 > all);
    assert_true(shares.put_off > 0);
}

/* However many come before it, each has its turn before any of them has had two more. */
static void nobody_starves_behind_a_crowd(void **state)
{
    enum { CROWD = 500 };
    struct turn_shares shares;
    struct turn_share addresses[CROWD] = {{0}};
    uint64_t costs[CROWD], least = UINT64_MAX, most = 0;

    (void)state;
    for (size_t i = 0; i < CROWD; i++)
        costs[i] = HEAVY;
    turn_shares_open(&shares, TURN);
    for (int i = 0; i < 20 * CROWD; i++)
        turn(&shares, addresses, costs, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        least = addresses[i].work_ns < least ? addresses[i].work_ns : least;
        most = addresses[i].work_ns > most ? addresses[i].work_ns : most;
    }
    assert_true(least > 0);
    assert_true(most <= least + 2 * HEAVY);
}

/* One that has used much waits, and no longer than until it is paid for, where nobody else wants
 * anything. */
static void debts_are_paid_while_others_are_quiet(void **state)
{
    struct turn_shares shares;
    struct turn_share address = {0}, other = {0};

    (void)state;
    turn_shares_open(&shares, TURN);
    assert_true(turn_shares_admit(&shares, &address, true));
    turn_shares_charge(&shares, &address, 100 * TURN);
    turn_shares_end_turn(&shares, TURN);
    assert_false(turn_shares_is_paid(&shares, &address));
    assert_false(turn_shares_admit(&shares, &address, true));
    assert_true(turn_shares_admit(&shares, &other, true));
    int turns = 0;
    for (; !turn_shares_admit(&shares, &address, true); turns++)
        turn_shares_end_turn(&shares, TURN);
    assert_true(turns < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_alone_has_the_whole_turn),
        cmocka_unit_test(two_have_a_third_of_it_at_least_whatever_they_ask_for),
        cmocka_unit_test(nobody_starves_behind_a_crowd),
        cmocka_unit_test(debts_are_paid_while_others_are_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
