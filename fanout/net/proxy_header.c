#include "net/proxy_header.h"

#include "big_endian.h"

#include <string.h>

/* ---- version 1: a line ---- */

enum { LINE_MOST = 107, PORT_DIGITS = 5, PORT_MOST = 65535 };

static const char line_start[] = "PROXY ";

/* Cuts off what stands before the next blank; false without one, or when nothing does. */
static bool take_word(char **rest, char **word)
{
    char *blank = strchr(*rest, ' ');

    *word = *rest;
    if (blank == NULL || blank == *rest)
        return false;
    *blank = '\0';
    *rest = blank + 1;
    return true;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned port = 0;

    if (digits == 0 || digits > PORT_DIGITS || text[digits] != '\0' ||
        (text[0] == '0' && digits > 1))
        return false;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    return port <= PORT_MOST;
}

/* `TCP4 192.0.2.1 198.51.100.1 56324 443` */
static bool read_words(struct proxy_header *header, char *words)
{
    char *family, *from, *to, *from_port, *to_port = words;
    struct ip_address ignored;

    if (!take_word(&to_port, &family) || !take_word(&to_port, &from) || !take_word(&to_port, &to) ||
        !take_word(&to_port, &from_port))
        return false;
    bool is_ipv4 = strcmp(family, "TCP4") == 0;
    header->has_address = ip_address_read(&header->address, from);
    return (is_ipv4 || strcmp(family, "TCP6") == 0) && header->has_address &&
           (strchr(from, ':') == NULL) == is_ipv4 && ip_address_read(&ignored, to) &&
           (strchr(to, ':') == NULL) == is_ipv4 && is_port(from_port) && is_port(to_port);
}

static bool is_unknown(const char *words)
{
    static const char unknown[] = "UNKNOWN";
    size_t length = sizeof unknown - 1;

    return strncmp(words, unknown, length) == 0 && (words[length] == '\0' || words[length] == ' ');
}

static enum proxy_header_verdict read_line(struct proxy_header *header, const char *bytes,
                                           size_t length)
{
    char line[LINE_MOST + 1];
    const char *end = memchr(bytes, '\n', length < LINE_MOST ? length : LINE_MOST);

    if (end == NULL)
        return length < LINE_MOST ? PROXY_HEADER_NEED_MORE : PROXY_HEADER_REFUSED;
    header->length = (size_t)(end - bytes) + 1;
    size_t text = header->length - 1;
    if (bytes[text - 1] != '\r' || memchr(bytes, '\0', text) != NULL)
        return PROXY_HEADER_REFUSED;
    memcpy(line, bytes, text - 1);
    line[text - 1] = '\0';
    char *words = line + sizeof line_start - 1;
    return is_unknown(words) || read_words(header, words) ? PROXY_HEADER_COMPLETE
                                                          : PROXY_HEADER_REFUSED;
}

/* ---- version 2: bytes ---- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
enum { SIGNATURE = sizeof signature - 1, FIXED = SIGNATURE + 4 };
enum { VERSION_2 = 2, COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FAMILY_MOST = 3, PROTOCOL_MOST = 2 };
enum { IPV4_SIZE = 4, ADDRESSES_IPV4 = 12, ADDRESSES_IPV6 = 36, ADDRESSES_UNIX = 216 };

static bool has_addresses(unsigned family, size_t length)
{
    static const size_t sizes[] = {0, ADDRESSES_IPV4, ADDRESSES_IPV6, ADDRESSES_UNIX};

    return family <= FAMILY_MOST && length >= sizes[family];
}

static void take_address(struct proxy_header *header, unsigned family, const char *bytes)
{
    static const unsigned char ipv4[IP_ADDRESS_SIZE - IPV4_SIZE] = {[10] = 0xff, [11] = 0xff};

    header->has_address = family == FAMILY_IPV4 || family == FAMILY_IPV6;
    if (family == FAMILY_IPV6)
        memcpy(header->address.bytes, bytes, IP_ADDRESS_SIZE);
    if (family != FAMILY_IPV4)
        return;
    memcpy(header->address.bytes, ipv4, sizeof ipv4);
    memcpy(header->address.bytes + sizeof ipv4, bytes, IPV4_SIZE);
}

/* What is not as the specification has it, or is not in it, is refused: "must drop". What follows
 * the addresses (type, length and value of more) is passed over. */
static enum proxy_header_verdict read_bytes(struct proxy_header *header, const char *bytes,
                                            size_t length)
{
    if (length < FIXED)
        return PROXY_HEADER_NEED_MORE;
    unsigned version = (unsigned char)bytes[SIGNATURE],
             family = (unsigned char)bytes[SIGNATURE + 1];
    size_t rest = (size_t)big_endian_read(bytes + SIGNATURE + 2, 2);
    unsigned command = version & 0xf;
    header->length = FIXED + rest;
    header->is_proxys = command == COMMAND_LOCAL;
    if (version >> 4 != VERSION_2 || command > COMMAND_PROXY || header->length > PROXY_HEADER_MOST)
        return PROXY_HEADER_REFUSED;
    if (!header->is_proxys && ((family & 0xf) > PROTOCOL_MOST || !has_addresses(family >> 4, rest)))
        return PROXY_HEADER_REFUSED;
    if (length < header->length)
        return PROXY_HEADER_NEED_MORE;
    if (!header->is_proxys)
        take_address(header, family >> 4, bytes + FIXED);
    return PROXY_HEADER_COMPLETE;
}

/* ---- either ---- */

static bool begins(const char *bytes, size_t length, const char *start, size_t start_length)
{
    return memcmp(bytes, start, length < start_length ? length : start_length) == 0;
}

enum proxy_header_verdict proxy_header_read(struct proxy_header *header, const char *bytes,
                                            size_t length)
{
    *header = (struct proxy_header){0};
    if (length == 0)
        return PROXY_HEADER_NEED_MORE;
    if (begins(bytes, length, signature, SIGNATURE))
        return read_bytes(header, bytes, length);
    if (!begins(bytes, length, line_start, sizeof line_start - 1))
        return PROXY_HEADER_REFUSED;
    return length < sizeof line_start - 1 ? PROXY_HEADER_NEED_MORE
                                          : read_line(header, bytes, length);
}
