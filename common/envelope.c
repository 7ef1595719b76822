#include "envelope.h"

#include "big_endian.h"

#include <string.h>

/* Offsets; docs/bus.md has them as tables. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 3,
    AT_KIND = 4,
    AT_ZERO = 5,
    AT_FLAGS = 6,
    AT_PUBLISHER = 8,
    AT_SEQUENCE = 16,
    AT_WHISPER = 24,
    AT_POST_KEY = 32,
    AT_TOKEN = 48,
    AT_WITHIN = 56,

    AT_ACK_ZERO = 4,
    AT_ACK_EPOCH = 8,
    AT_RECORD_SEQUENCE = 0,
    AT_RECORD_EVENT = 8,
    AT_RECORD_RECEIVERS = 16,
    AT_RECORD_STATUS = 20
};

static const char envelope_magic[] = "ESE";
static const char ack_magic[] = "ESA";
static const char answer_magic[] = "ESQ";

static bool has_magic(const unsigned char *bytes, const char *magic)
{
    return memcmp(bytes + AT_MAGIC, magic, AT_VERSION) == 0 &&
           bytes[AT_VERSION] == ENVELOPE_VERSION;
}

static size_t size_of(uint64_t flags)
{
    return (flags & ENVELOPE_WITHIN) != 0 ? ENVELOPE_SIZE_MAX : ENVELOPE_SIZE;
}

size_t envelope_write(unsigned char out[ENVELOPE_SIZE_MAX], const struct envelope *envelope)
{
    memset(out, 0, ENVELOPE_SIZE_MAX);
    memcpy(out + AT_MAGIC, envelope_magic, AT_VERSION);
    out[AT_VERSION] = ENVELOPE_VERSION;
    out[AT_KIND] = (unsigned char)envelope->kind;
    big_endian_write(out + AT_FLAGS, 2, envelope->flags);
    big_endian_write(out + AT_PUBLISHER, 8, envelope->publisher);
    big_endian_write(out + AT_SEQUENCE, 8, envelope->sequence);
    big_endian_write(out + AT_WHISPER, 8, envelope->whisper);
    memcpy(out + AT_POST_KEY, envelope->post_key, ENVELOPE_POST_KEY_SIZE);
    big_endian_write(out + AT_TOKEN, 8, envelope->token);
    big_endian_write(out + AT_WITHIN, 4, envelope->within);
    return size_of(envelope->flags);
}

bool envelope_flags_are_sound(uint64_t flags)
{
    const uint64_t of_bound =
        ENVELOPE_BOUND | ENVELOPE_EVERYONE | ENVELOPE_ALL_USERS | ENVELOPE_TARGETED;
    if ((flags & ~(uint64_t)ENVELOPE_KNOWN_FLAGS) != 0)
        return false;
    if ((flags & ENVELOPE_PRIVATE) != 0 && (flags & of_bound) != 0)
        return false;
    if ((flags & ENVELOPE_EXCEPT) != 0 && (flags & ENVELOPE_WHISPER) != 0)
        return false;
    if ((flags & ENVELOPE_WITHIN) != 0 &&
        ((flags & ENVELOPE_REPORT) == 0 || (flags & ENVELOPE_ADDRESSED) == 0))
        return false;
    if ((flags & ENVELOPE_KEEP) != 0 &&
        (flags & (ENVELOPE_PATTERN | ENVELOPE_WHISPER | ENVELOPE_TARGETED)) != 0)
        return false;
    if ((flags & ENVELOPE_FORGET) != 0 && (flags & ENVELOPE_KEEP) == 0)
        return false;
    return (flags & ENVELOPE_ADDRESSED) == 0 || (flags & ENVELOPE_TARGETED) != 0;
}

bool envelope_read(struct envelope *out, const void *bytes, size_t length)
{
    const unsigned char *in = bytes;
    if (length < ENVELOPE_SIZE || !has_magic(in, envelope_magic))
        return false;
    /* A flag of a later version could narrow who may hear the event: what is not known is refused,
     * never skipped. */
    uint64_t flags = big_endian_read(in + AT_FLAGS, 2);
    if (!envelope_flags_are_sound(flags) || in[AT_ZERO] != 0 || length != size_of(flags))
        return false;
    if (in[AT_KIND] < ENVELOPE_HELLO || in[AT_KIND] > ENVELOPE_REFUSAL)
        return false;
    *out = (struct envelope){
        .kind = (enum envelope_kind)in[AT_KIND],
        .flags = (uint16_t)flags,
        .publisher = big_endian_read(in + AT_PUBLISHER, 8),
        .sequence = big_endian_read(in + AT_SEQUENCE, 8),
        .whisper = big_endian_read(in + AT_WHISPER, 8),
        .token = big_endian_read(in + AT_TOKEN, 8),
        .within = length > ENVELOPE_SIZE ? (uint32_t)big_endian_read(in + AT_WITHIN, 4) : 0,
    };
    memcpy(out->post_key, in + AT_POST_KEY, ENVELOPE_POST_KEY_SIZE);
    return true;
}

static void write_header(unsigned char *out, const char *magic, uint64_t epoch)
{
    memset(out, 0, ACK_HEADER_SIZE);
    memcpy(out + AT_MAGIC, magic, AT_VERSION);
    out[AT_VERSION] = ENVELOPE_VERSION;
    big_endian_write(out + AT_ACK_EPOCH, 8, epoch);
}

void ack_header_write(unsigned char out[ACK_HEADER_SIZE], uint64_t epoch)
{
    write_header(out, ack_magic, epoch);
}

void answer_header_write(unsigned char out[ACK_HEADER_SIZE], uint64_t epoch)
{
    write_header(out, answer_magic, epoch);
}

bool answer_read(const void *bytes, size_t length, uint64_t *epoch)
{
    const unsigned char *in = bytes;
    if (length < ACK_HEADER_SIZE + ACK_RECORD_SIZE || !has_magic(in, answer_magic) ||
        big_endian_read(in + AT_ACK_ZERO, 4) != 0)
        return false;
    *epoch = big_endian_read(in + AT_ACK_EPOCH, 8);
    return true;
}

void ack_record_write(unsigned char out[ACK_RECORD_SIZE], const struct ack *ack)
{
    memset(out, 0, ACK_RECORD_SIZE);
    big_endian_write(out + AT_RECORD_SEQUENCE, 8, ack->sequence);
    big_endian_write(out + AT_RECORD_EVENT, 8, ack->event_sequence);
    big_endian_write(out + AT_RECORD_RECEIVERS, 4,
                     ack->status == ACK_LIMITED ? ack->wait_ms : ack->receivers);
    out[AT_RECORD_STATUS] = (unsigned char)ack->status;
}

int ack_count(const void *bytes, size_t length, uint64_t *epoch)
{
    const unsigned char *in = bytes;
    if (length < ACK_HEADER_SIZE || !has_magic(in, ack_magic) ||
        big_endian_read(in + AT_ACK_ZERO, 4) != 0)
        return -1;
    size_t records = (length - ACK_HEADER_SIZE) / ACK_RECORD_SIZE;
    if ((length - ACK_HEADER_SIZE) % ACK_RECORD_SIZE != 0 || records > INT32_MAX)
        return -1;
    *epoch = big_endian_read(in + AT_ACK_EPOCH, 8);
    return (int)records;
}

bool ack_read(struct ack *out, const void *bytes, int index)
{
    const unsigned char *in = bytes;
    in += ACK_HEADER_SIZE + (size_t)index * ACK_RECORD_SIZE;
    unsigned char status = in[AT_RECORD_STATUS];
    if (status > ACK_UNKNOWN)
        return false;
    uint32_t number = (uint32_t)big_endian_read(in + AT_RECORD_RECEIVERS, 4);
    *out = (struct ack){
        .sequence = big_endian_read(in + AT_RECORD_SEQUENCE, 8),
        .event_sequence = big_endian_read(in + AT_RECORD_EVENT, 8),
        .receivers = status == ACK_LIMITED ? 0 : number,
        .wait_ms = status == ACK_LIMITED ? number : 0,
        .status = (enum ack_status)status,
    };
    return true;
}
