/* What comes in on a WebSocket (RFC 6455, sections 5 to 8), bounded. Bytes in, messages and
 * verdicts out: touches no socket. The only file that includes wslay.h is websocket_input.c. */
#ifndef ESN_WEBSOCKET_INPUT_H
#define ESN_WEBSOCKET_INPUT_H

#include "http/input_budget.h"
#include "transports/websocket_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum websocket_verdict {
    WEBSOCKET_NEED_MORE,
    WEBSOCKET_HAS_MESSAGE, /* a whole text message */
    WEBSOCKET_HAS_PING,    /* to be answered with a pong of the same bytes */
    WEBSOCKET_HAS_PONG,
    WEBSOCKET_IS_CLOSED, /* the client closes: answer with a close frame of the same code */
    WEBSOCKET_IS_BROKEN  /* against the protocol or a limit: close with code and reason */
};

struct websocket_limits {
    uint64_t max_message;        /* bytes of a message, all of its fragments together */
    struct input_budget *bodies; /* NULL: no bound */
};

struct websocket_input;

/* NULL without memory. The limits are copied. It holds more than 4 KiB: an idle connection needs
 * none. */
struct websocket_input *websocket_input_new(const struct websocket_limits *limits);
/* Its message counts for an address, see input_budget_count_for(). */
void websocket_input_count_for(struct websocket_input *input, uint64_t *of_address);
void websocket_input_free(struct websocket_input **input);

/* Takes bytes as they come, in pieces of any size, until there is something to do; *consumed says
 * how many. Not to be called again after WEBSOCKET_IS_CLOSED and WEBSOCKET_IS_BROKEN. */
enum websocket_verdict websocket_input_feed(struct websocket_input *input, const char *bytes,
                                            size_t length, size_t *consumed);

/* Of a message (valid UTF-8), ping or pong; until the next call of websocket_input_feed(). */
const char *websocket_input_payload(const struct websocket_input *input, size_t *length);
/* After WEBSOCKET_IS_CLOSED and WEBSOCKET_IS_BROKEN. */
enum websocket_code websocket_input_code(const struct websocket_input *input);
const char *websocket_input_reason(const struct websocket_input *input);

/* True between two messages: nothing is lost when it is freed now and made anew for the next byte.
 */
bool websocket_input_is_idle(const struct websocket_input *input);

#endif
