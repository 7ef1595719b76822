#include "transports/line_input.h"

#include <string.h>

void line_input_move(struct line_input *input, const struct line_limits *limits)
{
    if (limits->bodies != NULL)
        input_budget_move(limits->bodies, &input->charge);
}

void line_input_clear(struct line_input *input, const struct line_limits *limits)
{
    input_budget_release(limits->bodies, &input->charge);
    bytes_free(&input->pending);
    *input = (struct line_input){0};
}

static void give_up_line(struct input_charge *charge)
{
    struct line_input *input =
        (struct line_input *)(void *)((char *)charge - offsetof(struct line_input, charge));

    bytes_free(&input->pending);
}

static enum line_verdict keep_piece(struct line_input *input, const struct line_limits *limits,
                                    const char *bytes, size_t length)
{
    input->charge.give_up = give_up_line;
    if (!input_budget_charge(limits->bodies, &input->charge, length))
        return LINE_TOO_MANY;
    bytes_append(&input->pending, bytes, length);
    return input->pending.failed ? LINE_NO_MEMORY : LINE_NEED_MORE;
}

static enum line_verdict end_line(struct line_input *input, const struct line_limits *limits,
                                  const char *line, size_t length)
{
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length > limits->max_line)
        return LINE_TOO_LONG;
    input->line = line;
    input->length = length;
    return LINE_COMPLETE;
}

enum line_verdict line_input_feed(struct line_input *input, const struct line_limits *limits,
                                  const char *bytes, size_t length, size_t *consumed)
{
    const char *end = memchr(bytes, '\n', length);
    size_t taken = end != NULL ? (size_t)(end - bytes) : length;

    if (input->line != NULL)
        line_input_clear(input, limits);
    *consumed = taken + (end != NULL ? 1 : 0);
    if (input->charge.given_up)
        return LINE_TOO_MANY;
    /* One more than fits: it may be the CR of the line's end. */
    if (taken > limits->max_line + 1 - input->pending.length)
        return LINE_TOO_LONG;
    if (end != NULL && input->pending.length == 0)
        return end_line(input, limits, bytes, taken);
    enum line_verdict verdict = keep_piece(input, limits, bytes, taken);
    if (verdict != LINE_NEED_MORE || end == NULL)
        return verdict;
    return end_line(input, limits, input->pending.data, input->pending.length);
}

const char *line_input_text(const struct line_input *input, size_t *length)
{
    *length = input->length;
    return input->line;
}

bool line_input_is_idle(const struct line_input *input)
{
    return input->line != NULL || input->pending.length == 0;
}
