/* wslay takes frames apart: their heads, lengths and masks. What a run of frames means is decided
 * here and not by wslay's event layer, which tells nobody what was wrong with a malformed frame and
 * looks at the text of a close frame wrongly when it comes in pieces (docs/dependencies.md). */
#include "transports/websocket_input.h"

#include "big_endian.h"
#include "bytes.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

static const char too_many[] = "Too many messages at once";

struct websocket_input {
    struct websocket_limits limits;
    wslay_frame_context_ptr frames;
    const char *at, *end; /* what is left of the bytes being fed */

    bool in_frame;   /* some of a frame was taken */
    bool head_known; /* its head is whole: the next four are set */
    bool is_final;
    uint8_t opcode;
    uint64_t payload_left; /* still to come */

    bool in_message;            /* the first fragment is there */
    struct bytes message;       /* so far */
    size_t valid;               /* bytes of message that are whole characters */
    struct input_charge charge; /* to limits.bodies */
    bool is_taken;              /* the message was given out */

    char control[WEBSOCKET_CONTROL_MOST];
    size_t control_length;
    bool control_is_payload; /* what websocket_input_payload() gives */

    enum websocket_code code;
    const char *reason;
};

/* Never more than the frame it is in needs, so that nothing is buffered between two frames: a head
 * comes byte by byte. */
static ssize_t give(uint8_t *buffer, size_t room, int flags, void *user_data)
{
    struct websocket_input *input = user_data;
    size_t length = (size_t)(input->end - input->at);
    uint64_t wanted = input->head_known ? input->payload_left : 1;

    (void)flags;
    if (length > room)
        length = room;
    if (length > wanted)
        length = (size_t)wanted;
    if (length == 0)
        return -1;
    memcpy(buffer, input->at, length);
    input->at += length;
    input->in_frame = true;
    return (ssize_t)length;
}

static void give_up_message(struct input_charge *charge)
{
    struct websocket_input *input =
        (struct websocket_input *)(void *)((char *)charge -
                                           offsetof(struct websocket_input, charge));

    bytes_free(&input->message);
    input->valid = 0;
}

struct websocket_input *websocket_input_new(const struct websocket_limits *limits)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give};
    struct websocket_input *input = calloc(1, sizeof *input);

    if (input == NULL)
        return NULL;
    input->limits = *limits;
    input->charge.give_up = give_up_message;
    input->reason = "";
    if (wslay_frame_context_init(&input->frames, &callbacks, input) != 0) {
        free(input);
        return NULL;
    }
    return input;
}

void websocket_input_count_for(struct websocket_input *input, uint64_t *of_address)
{
    (void)input_budget_count_for(input->limits.bodies, &input->charge, of_address);
}

static void forget_message(struct websocket_input *input)
{
    input_budget_release(input->limits.bodies, &input->charge);
    bytes_free(&input->message);
    input->valid = 0;
    input->is_taken = false;
}

void websocket_input_free(struct websocket_input **input)
{
    if (*input == NULL)
        return;
    forget_message(*input);
    wslay_frame_context_free((*input)->frames);
    free(*input);
    *input = NULL;
}

static enum websocket_verdict broken(struct websocket_input *input, enum websocket_code code,
                                     const char *reason)
{
    input->code = code;
    input->reason = reason;
    return WEBSOCKET_IS_BROKEN;
}

static bool is_control(uint8_t opcode)
{
    return opcode & 0x8;
}

static enum websocket_verdict check_opcode(struct websocket_input *input, uint8_t opcode)
{
    switch (opcode) {
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return WEBSOCKET_NEED_MORE;
    case WEBSOCKET_CONTINUATION:
        return input->in_message
                   ? WEBSOCKET_NEED_MORE
                   : broken(input, WEBSOCKET_CODE_PROTOCOL, "Continuation of no message");
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        if (input->in_message)
            return broken(input, WEBSOCKET_CODE_PROTOCOL, "Message inside a message");
        return opcode == WEBSOCKET_TEXT
                   ? WEBSOCKET_NEED_MORE
                   : broken(input, WEBSOCKET_CODE_UNSUPPORTED, "Messages should be text");
    default:
        return broken(input, WEBSOCKET_CODE_PROTOCOL, "Unknown opcode");
    }
}

/* wslay has seen that a control frame is whole and short, and that lengths are written as briefly
 * as they can be. */
static enum websocket_verdict begin_frame(struct websocket_input *input,
                                          const struct wslay_frame_iocb *part)
{
    if (part->rsv)
        return broken(input, WEBSOCKET_CODE_PROTOCOL, "Reserved bits are set");
    if (!part->mask)
        return broken(input, WEBSOCKET_CODE_PROTOCOL, "Frame is not masked");
    enum websocket_verdict verdict = check_opcode(input, part->opcode);
    if (verdict != WEBSOCKET_NEED_MORE)
        return verdict;
    if (!is_control(part->opcode) &&
        part->payload_length > input->limits.max_message - input->message.length)
        return broken(input, WEBSOCKET_CODE_TOO_BIG, "Message too large");
    input->head_known = true;
    input->is_final = part->fin;
    input->opcode = part->opcode;
    input->payload_left = part->payload_length;
    if (is_control(part->opcode))
        input->control_length = 0;
    return WEBSOCKET_NEED_MORE;
}

/* A character may be cut by the end of a piece, but not by that of the message. */
static bool is_text(struct websocket_input *input, bool is_whole)
{
    const struct bytes *message = &input->message;
    size_t size = 1, left = message->length - input->valid;
    uint32_t code_point;

    while (left > 0 && size > 0) {
        size = utf8_decode(message->data + input->valid, left, &code_point);
        input->valid += size;
        left -= size;
    }
    return left == 0 || (!is_whole && utf8_is_beginning(message->data + input->valid, left));
}

static enum websocket_verdict add_to_message(struct websocket_input *input, const char *data,
                                             size_t length)
{
    if (!input_budget_charge(input->limits.bodies, &input->charge, length))
        return broken(input, WEBSOCKET_CODE_TRY_LATER, too_many);
    bytes_append(&input->message, data, length);
    if (input->message.failed)
        return broken(input, WEBSOCKET_CODE_INTERNAL, "Out of memory");
    if (!is_text(input, false))
        return broken(input, WEBSOCKET_CODE_INVALID_TEXT, "Invalid UTF-8");
    return WEBSOCKET_NEED_MORE;
}

static enum websocket_verdict end_data(struct websocket_input *input)
{
    input->in_message = !input->is_final;
    if (input->in_message)
        return WEBSOCKET_NEED_MORE;
    if (input->charge.given_up)
        return broken(input, WEBSOCKET_CODE_TRY_LATER, too_many);
    if (!is_text(input, true))
        return broken(input, WEBSOCKET_CODE_INVALID_TEXT, "Invalid UTF-8");
    input->is_taken = true;
    return WEBSOCKET_HAS_MESSAGE;
}

/* Those that may stand in a close frame: of the protocol, of IANA's list, and the two free ranges
 * (RFC 6455, section 7.4). */
static bool is_valid_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum websocket_verdict end_close(struct websocket_input *input)
{
    input->code = WEBSOCKET_CODE_NONE;
    if (input->control_length == 0)
        return WEBSOCKET_IS_CLOSED;
    unsigned code = input->control_length > 1 ? (unsigned)big_endian_read(input->control, 2) : 0;
    if (!is_valid_code(code))
        return broken(input, WEBSOCKET_CODE_PROTOCOL, "Invalid close code");
    if (!utf8_is_valid(input->control + 2, input->control_length - 2))
        return broken(input, WEBSOCKET_CODE_INVALID_TEXT, "Invalid UTF-8");
    input->code = (enum websocket_code)code;
    return WEBSOCKET_IS_CLOSED;
}

static enum websocket_verdict end_frame(struct websocket_input *input)
{
    input->in_frame = input->head_known = false;
    switch (input->opcode) {
    case WEBSOCKET_CLOSE:
        return end_close(input);
    case WEBSOCKET_PING:
        input->control_is_payload = true;
        return WEBSOCKET_HAS_PING;
    case WEBSOCKET_PONG:
        input->control_is_payload = true;
        return WEBSOCKET_HAS_PONG;
    default:
        return end_data(input);
    }
}

static enum websocket_verdict take_part(struct websocket_input *input,
                                        const struct wslay_frame_iocb *part)
{
    enum websocket_verdict verdict = WEBSOCKET_NEED_MORE;

    if (!input->head_known)
        verdict = begin_frame(input, part);
    if (verdict != WEBSOCKET_NEED_MORE)
        return verdict;
    input->payload_left -= part->data_length;
    if (!is_control(input->opcode)) {
        verdict = add_to_message(input, (const char *)part->data, part->data_length);
    } else if (part->data_length > 0) {
        memcpy(input->control + input->control_length, part->data, part->data_length);
        input->control_length += part->data_length;
    }
    if (verdict == WEBSOCKET_NEED_MORE && input->payload_left == 0)
        verdict = end_frame(input);
    return verdict;
}

enum websocket_verdict websocket_input_feed(struct websocket_input *input, const char *bytes,
                                            size_t length, size_t *consumed)
{
    enum websocket_verdict verdict = WEBSOCKET_NEED_MORE;

    if (input->is_taken)
        forget_message(input);
    input->control_is_payload = false;
    input->at = bytes;
    input->end = bytes + length;
    while (verdict == WEBSOCKET_NEED_MORE && input->at < input->end) {
        struct wslay_frame_iocb part = {0};
        ssize_t got = wslay_frame_recv(input->frames, &part);
        if (got >= 0)
            verdict = take_part(input, &part);
        else if (got != WSLAY_ERR_WANT_READ)
            verdict = broken(input, WEBSOCKET_CODE_PROTOCOL, "Malformed frame");
    }
    *consumed = (size_t)(input->at - bytes);
    return verdict;
}

const char *websocket_input_payload(const struct websocket_input *input, size_t *length)
{
    if (input->control_is_payload) {
        *length = input->control_length;
        return input->control;
    }
    *length = input->message.length;
    return input->message.data != NULL ? input->message.data : "";
}

enum websocket_code websocket_input_code(const struct websocket_input *input)
{
    return input->code;
}

const char *websocket_input_reason(const struct websocket_input *input)
{
    return input->reason;
}

bool websocket_input_is_idle(const struct websocket_input *input)
{
    return !input->in_frame && !input->in_message;
}
