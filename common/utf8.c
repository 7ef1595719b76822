#include "utf8.h"

#include <string.h>

static const uint64_t ones = 0x0101010101010101ULL;
static const uint64_t tops = 0x8080808080808080ULL;

/* Some byte of `word` is zero (exact as a yes or no, which is all that is asked of it). */
static uint64_t zero_byte(uint64_t word)
{
    return (word - ones) & ~word & tops;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '\'';
}

/* Some byte of `word` is below 0x20. */
static uint64_t low_byte(uint64_t word)
{
    return (word - ones * 0x20) & ~word & tops;
}

/* Not 0 when one of eight bytes is beyond ASCII, a control character or one of the three. */
static uint64_t odd_bytes(uint64_t word)
{
    return (word & tops) | low_byte(word) | zero_byte(word ^ (ones * '"')) |
           zero_byte(word ^ (ones * '\\')) | zero_byte(word ^ (ones * '\''));
}

static size_t first_odd_byte(uint64_t odd)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(odd) / 8;
#else
    return (size_t)__builtin_clzll(odd) / 8;
#endif
}

/* Of fewer than sixteen bytes. */
static size_t short_plain_run(const char *text, size_t length)
{
    size_t run = 0;
    uint64_t word;
    if (length >= sizeof word) {
        memcpy(&word, text, sizeof word);
        run = odd_bytes(word) == 0 ? sizeof word : 0;
    }
    while (run < length && is_plain((unsigned char)text[run]))
        run++;
    return run;
}

/* Sixteen bytes in one register, where the processor has such; elsewhere the compiler makes do with smaller ones. */
typedef unsigned char wide __attribute__((vector_size(16)));

size_t utf8_plain_run(const char *text, size_t length)
{
    size_t run = 0;
    for (wide bytes; length - run >= sizeof bytes; run += sizeof bytes) {
        uint64_t halves[2];
        memcpy(&bytes, text + run, sizeof bytes);
        /* What is below 0x20 wraps round, and is above what is left of ASCII then as all beyond it is. */
        wide odd =
            (wide)((bytes - 0x20 > 0x5f) | (bytes == '"') | (bytes == '\\') | (bytes == '\''));
        memcpy(halves, &odd, sizeof halves);
        if (halves[0] != 0)
            return run + first_odd_byte(halves[0]);
        if (halves[1] != 0)
            return run + sizeof halves[0] + first_odd_byte(halves[1]);
    }
    return run + short_plain_run(text + run, length - run);
}

size_t utf8_control_free_run(const char *text, size_t length)
{
    size_t run = 0;
    for (uint64_t word; length - run >= sizeof word; run += sizeof word) {
        memcpy(&word, text + run, sizeof word);
        if ((low_byte(word) | zero_byte(word ^ (ones * 0x7f))) != 0)
            break;
    }
    while (run < length && !utf8_is_control(text[run]))
        run++;
    return run;
}

/* Bytes that follow the first one and the smallest number that may be written with so many; 0: no
 * first byte. */
static size_t lead(unsigned char byte, uint32_t *bits, uint32_t *smallest)
{
    if ((byte & 0xe0) == 0xc0) {
        *bits = byte & 0x1f;
        *smallest = 0x80;
        return 1;
    }
    if ((byte & 0xf0) == 0xe0) {
        *bits = byte & 0x0f;
        *smallest = 0x800;
        return 2;
    }
    if ((byte & 0xf8) == 0xf0) {
        *bits = byte & 0x07;
        *smallest = 0x10000;
        return 3;
    }
    return 0;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *code_point)
{
    if (length == 0)
        return 0;
    unsigned char first = (unsigned char)text[0];
    if (first < 0x80) {
        *code_point = first;
        return 1;
    }
    uint32_t value = 0, smallest = 0;
    size_t more = lead(first, &value, &smallest);
    if (more == 0 || more >= length)
        return 0;
    for (size_t i = 1; i <= more; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte & 0x3f);
    }
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code_point = value;
    return more + 1;
}

bool utf8_is_valid(const char *text, size_t length)
{
    size_t at = utf8_plain_run(text, length);
    while (at < length) {
        uint32_t code_point;
        size_t size = utf8_decode(text + at, length - at, &code_point);
        if (size == 0)
            return false;
        at += size;
        at += utf8_plain_run(text + at, length - at);
    }
    return true;
}

/* What follows the first byte is bounded from below or from above, never both, and after the second byte nothing is: so
 * the lowest or the highest rest makes it whole if any does. */
bool utf8_is_beginning(const char *text, size_t length)
{
    char low[4] = {'\x80', '\x80', '\x80', '\x80'};
    char high[4] = {'\xbf', '\xbf', '\xbf', '\xbf'};
    uint32_t code_point;

    if (length == 0 || length >= sizeof low)
        return false;
    memcpy(low, text, length);
    memcpy(high, text, length);
    return utf8_decode(low, sizeof low, &code_point) > length ||
           utf8_decode(high, sizeof high, &code_point) > length;
}

void utf8_skip_mark(const char **text, size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (*length < sizeof mark - 1 || memcmp(*text, mark, sizeof mark - 1) != 0)
        return;
    *text += sizeof mark - 1;
    *length -= sizeof mark - 1;
}
