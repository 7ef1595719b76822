#include "net/turn_shares.h"

void turn_shares_open(struct turn_shares *shares, uint64_t turn_ns)
{
    *shares = (struct turn_shares){.quantum_ns = turn_ns, .turn = 1};
}

bool turn_shares_admit(struct turn_shares *shares, struct turn_share *share, bool has_time)
{
    if (share->seen_turn != shares->turn) {
        share->seen_turn = shares->turn;
        shares->wanting++;
    }
    bool admitted = share->paid_at < shares->now_ns + shares->quantum_ns;
    shares->served += admitted && has_time;
    shares->put_off_now += !admitted;
    return admitted && has_time;
}

void turn_shares_charge(struct turn_shares *shares, struct turn_share *share, uint64_t ns)
{
    if (share->paid_at < shares->now_ns)
        share->paid_at = shares->now_ns;
    share->paid_at += ns;
    share->work_ns += ns;
}

bool turn_shares_is_paid(const struct turn_shares *shares, const struct turn_share *share)
{
    return share->paid_at <= shares->now_ns;
}

void turn_shares_end_turn(struct turn_shares *shares, uint64_t turn_ns)
{
    bool idled = shares->served == 0 && shares->put_off_now > 0;

    shares->now_ns += shares->quantum_ns;
    /* A turn in which everybody had to wait was of no use to anybody: time goes on faster. */
    if (idled)
        shares->quantum_ns *= 2;
    else
        shares->quantum_ns = turn_ns / (shares->wanting > 0 ? shares->wanting : 1);
    shares->put_off += shares->put_off_now;
    shares->wanting = shares->served = shares->put_off_now = 0;
    shares->turn++;
}
