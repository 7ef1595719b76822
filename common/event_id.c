#include "event_id.h"

static bool parse_number(const char **at, const char *end, uint64_t *number)
{
    const char *start = *at;

    *number = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (*number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(**at - '0');
    }
    return *at > start;
}

bool event_id_read_place(const char *text, size_t length, uint64_t *epoch, uint64_t *sequence,
                         uint64_t *values_after)
{
    const char *at = text, *end = text + length;

    if (!parse_number(&at, end, epoch) || at == end || *at++ != '-')
        return false;
    if (!parse_number(&at, end, sequence))
        return false;
    *values_after = *sequence;
    return at == end || (*at++ == '-' && parse_number(&at, end, values_after) && at == end);
}

bool event_id_read(const char *text, size_t length, uint64_t *epoch, uint64_t *sequence)
{
    const char *at = text, *end = text + length;

    if (!parse_number(&at, end, epoch) || at == end || *at++ != '-')
        return false;
    return parse_number(&at, end, sequence) && at == end;
}
