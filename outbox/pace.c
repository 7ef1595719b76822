#include "pace.h"

enum { FIRST_RETRY_MS = 50 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t grow(uint64_t *pause, uint64_t first, uint64_t most)
{
    *pause = smaller(*pause == 0 ? first : *pause * 2, most);
    return *pause;
}

uint64_t pace_next(struct pace *pace, const struct config *config, enum outbox_turn turn,
                   uint64_t held_ms)
{
    if (turn == TURN_AWAY)
        return grow(&pace->away_ms, FIRST_RETRY_MS, config->outbox_retry);
    pace->away_ms = 0;
    if (turn == TURN_STANDBY)
        return config->outbox_poll_max;
    if (turn == TURN_WORKED)
        pace->idle_ms = 0;
    uint64_t pause = grow(&pace->idle_ms, config->outbox_poll_min, config->outbox_poll_max);
    return smaller(pause, held_ms);
}

void pace_hurry(struct pace *pace)
{
    pace->idle_ms = 0;
}

bool pace_is_deaf(enum outbox_turn turn)
{
    return turn == TURN_AWAY || turn == TURN_STANDBY;
}
