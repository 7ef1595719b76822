#include "address_range.h"

#include <string.h>

static bool read_bits(unsigned *out, const char *text, unsigned most)
{
    unsigned bits = 0;
    if (*text == '\0' || strlen(text) > 3)
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        bits = bits * 10 + (unsigned)(*text - '0');
    *out = bits;
    return *text == '\0' && bits <= most;
}

static bool equal_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* Nothing is set behind the prefix: 10.0.0.1/8 is a slip, of which nobody knows what was meant. */
static bool ends_with_prefix(const struct address_range *range)
{
    for (unsigned bit = range->bits; bit < 128; bit++)
        if ((range->address.bytes[bit / 8] & (0x80 >> bit % 8)) != 0)
            return false;
    return true;
}

bool address_range_read(struct address_range *range, const char *text)
{
    char address[IP_ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    *range = (struct address_range){.bits = 128};
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!ip_address_read(&range->address, address))
        return false;
    /* A mapped one is written as IPv6, so its bits are those of IPv6. */
    bool is_ipv4 = strchr(address, ':') == NULL;
    if (slash != NULL && !read_bits(&range->bits, slash + 1, is_ipv4 ? 32 : 128))
        return false;
    if (slash != NULL && is_ipv4)
        range->bits += IP_ADDRESS_IPV4_BITS;
    return ends_with_prefix(range);
}

bool address_range_has(const struct address_range *ranges, size_t count,
                       const struct ip_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (equal_bits(ranges[i].address.bytes, address->bytes, ranges[i].bits))
            return true;
    return false;
}

bool address_range_contains(const struct address_range *ranges, size_t count, const char *address)
{
    struct ip_address read;

    return ip_address_read(&read, address) && address_range_has(ranges, count, &read);
}

bool address_range_any_has(char *const *words, const struct ip_address *address)
{
    struct address_range range;

    for (; *words != NULL; words++)
        if (address_range_read(&range, *words) && address_range_has(&range, 1, address))
            return true;
    return false;
}
