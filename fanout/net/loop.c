#include "net/loop.h"

#include "clock.h"

#include <time.h>

int loop_open(struct loop *loop)
{
    *loop = (struct loop){.between = NULL};
    loop_watch_open(&loop->watch);
    return uv_loop_init(&loop->uv);
}

uint64_t loop_now(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

const char *loop_date(struct loop *loop)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);

    struct tm utc;
    if (now != loop->date_second && gmtime_r(&now, &utc) != NULL &&
        strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0)
        loop->date_second = now;
    return loop->date;
}

void loop_set_between(struct loop *loop, void (*between)(void *context), void *context)
{
    loop->between = between;
    loop->between_context = context;
}

void loop_begin_batch(struct loop *loop)
{
    loop->clients = 0;
}

void loop_count_client(struct loop *loop)
{
    if (++loop->clients < LOOP_BATCH)
        return;
    loop_begin_batch(loop);
    if (loop->between != NULL)
        loop->between(loop->between_context);
}
