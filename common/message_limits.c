#include "message_limits.h"

#include <stddef.h>

enum { MINUTE_US = 60000000, US_PER_MS = 1000 };

static struct message_kind *kind_of(struct message_limits *limits, const char *text)
{
    uintptr_t start = (uintptr_t)text / sizeof(void *);

    for (uintptr_t i = 0; i < MESSAGE_KINDS; i++) {
        struct message_kind *kind = &limits->kinds[(start + i) % MESSAGE_KINDS];
        if (kind->text == NULL)
            kind->text = text;
        if (kind->text == text)
            return kind;
    }
    return &limits->kinds[start % MESSAGE_KINDS];
}

static uint64_t take(struct message_kind *kind)
{
    uint64_t left_out = kind->left_out;

    kind->left_out = 0;
    return left_out;
}

bool message_pace_admit(struct message_pace *pace, uint64_t burst, uint64_t per_minute,
                        uint64_t now_ms)
{
    uint64_t step = MINUTE_US / per_minute, now_us = now_ms * US_PER_MS;

    if (pace->due_us < now_us)
        pace->due_us = now_us;
    if (pace->due_us + step - now_us > burst * step)
        return false;
    pace->due_us += step;
    return true;
}

bool message_limits_admit(struct message_limits *limits, const char *text, uint64_t now_ms,
                          uint64_t *left_out)
{
    *left_out = 0;
    if (limits->burst == 0)
        return true;
    struct message_kind *kind = kind_of(limits, text);
    if (!message_pace_admit(&kind->pace, limits->burst, limits->per_minute, now_ms)) {
        if (kind->left_out++ == 0)
            kind->left_out_since_ms = now_ms;
        return false;
    }
    *left_out = take(kind);
    return true;
}

const char *message_limits_take_left_out(struct message_limits *limits, uint64_t now_ms,
                                         uint64_t since_ms, uint64_t *left_out)
{
    for (size_t i = 0; i < MESSAGE_KINDS; i++) {
        struct message_kind *kind = &limits->kinds[i];
        if (kind->left_out == 0 || now_ms - kind->left_out_since_ms < since_ms)
            continue;
        *left_out = take(kind);
        return kind->text;
    }
    return NULL;
}
