#include "net/loop_watch.h"

#include <time.h>

enum { READ_MOST_NS = 2000000, WRITE_MOST_NS = 2000000 };

const char *const loop_work_names[LOOP_WORKS] = {"read",   "subscribed", "left",   "closed",
                                                 "events", "replay",     "written"};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool has_time(struct loop_watch *watch, uint64_t now)
{
    if (watch->read_since_ns == 0)
        watch->read_since_ns = now;
    bool is_early = now - watch->read_since_ns < READ_MOST_NS;
    watch->put_off += !is_early;
    return is_early;
}

bool loop_watch_has_time(struct loop_watch *watch)
{
    /* The thread's own clock is a system call, this one is not. */
    return has_time(watch, clock_ns(CLOCK_MONOTONIC));
}

void loop_watch_begin_writing(struct loop_watch *watch)
{
    watch->writing_since_ns = clock_ns(CLOCK_MONOTONIC);
}

bool loop_watch_may_write(struct loop_watch *watch)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);

    watch->written_ns += now - watch->writing_since_ns;
    watch->writing_since_ns = now;
    return watch->written_ns < WRITE_MOST_NS;
}

void loop_watch_begin_slice(struct loop_watch *watch)
{
    watch->read_since_ns = 0;
}

bool loop_watch_admits(struct loop_watch *watch, struct turn_share *share)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    bool admitted = has_time(watch, now);

    if (share != NULL)
        admitted = turn_shares_admit(&watch->shares, share, admitted);
    if (admitted)
        watch->work_since_ns = now;
    return admitted;
}

bool loop_watch_may_go_on(struct loop_watch *watch, struct turn_share *share)
{
    return share == NULL || turn_shares_admit(&watch->shares, share, true);
}

void loop_watch_charge(struct loop_watch *watch, struct turn_share *share)
{
    if (watch->work_since_ns == 0)
        return;
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (share != NULL)
        turn_shares_charge(&watch->shares, share, now - watch->work_since_ns);
    watch->work_since_ns = now;
}

void loop_watch_end_work(struct loop_watch *watch)
{
    watch->work_since_ns = 0;
}

void loop_watch_open(struct loop_watch *watch)
{
    turn_shares_open(&watch->shares, READ_MOST_NS);
}

static void keep_longest(struct loop_watch *watch, const struct loop_turn *turn)
{
    uint64_t second = turn->at_ms / 1000;
    struct loop_turn *of_second = &watch->seconds[second % LOOP_WATCH_SECONDS];

    if (turn->cpu_ns > watch->longest.cpu_ns)
        watch->longest = *turn;
    if (of_second->at_ms / 1000 != second || turn->cpu_ns > of_second->cpu_ns)
        *of_second = *turn;
}

void loop_watch_end_turn(struct loop_watch *watch, uint64_t now_ms)
{
    uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    watch->now.cpu_ns = cpu - watch->cpu_before_ns;
    watch->now.at_ms = now_ms;
    if (watch->cpu_before_ns > 0)
        keep_longest(watch, &watch->now);
    watch->cpu_before_ns = cpu;
    watch->read_since_ns = 0;
    watch->written_ns = 0;
    watch->turns++;
    turn_shares_end_turn(&watch->shares, READ_MOST_NS);
    watch->now = (struct loop_turn){0};
}

const struct loop_turn *loop_watch_longest(const struct loop_watch *watch, uint64_t now_ms,
                                           unsigned seconds)
{
    static const struct loop_turn none;
    const struct loop_turn *longest = &none;

    for (size_t i = 0; i < LOOP_WATCH_SECONDS; i++) {
        const struct loop_turn *turn = &watch->seconds[i];
        if (turn->at_ms / 1000 + seconds > now_ms / 1000 && turn->cpu_ns > longest->cpu_ns)
            longest = turn;
    }
    return longest;
}
