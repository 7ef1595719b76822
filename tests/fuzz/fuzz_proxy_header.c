/* The first bytes of a proxy: whatever comes, what is complete is complete at its length and not
 * before, what is refused stays refused, and nothing behind the header changes it. */
#include "net/proxy_header.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct proxy_header *one, const struct proxy_header *other)
{
    return one->length == other->length && one->is_proxys == other->is_proxys &&
           one->has_address == other->has_address &&
           (!one->has_address || memcmp(&one->address, &other->address, sizeof one->address) == 0);
}

/* Of the exact size, so that reading past the end is caught. */
static enum proxy_header_verdict read_exactly(struct proxy_header *header, const uint8_t *data,
                                              size_t size)
{
    char *bytes = malloc(size > 0 ? size : 1);

    if (bytes == NULL)
        abort();
    memcpy(bytes, data, size);
    enum proxy_header_verdict verdict = proxy_header_read(header, bytes, size);
    free(bytes);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    enum proxy_header_verdict verdict = read_exactly(&whole, data, size);
    bool is_complete = false, is_refused = false;

    if (verdict == PROXY_HEADER_NEED_MORE && size >= PROXY_HEADER_MOST)
        abort();
    if (verdict == PROXY_HEADER_COMPLETE &&
        (whole.length > size || whole.length > PROXY_HEADER_MOST ||
         (whole.is_proxys && whole.has_address)))
        abort();
    for (size_t length = 0; length <= size && length < 600; length++) {
        enum proxy_header_verdict now = read_exactly(&part, data, length);
        if ((is_complete && now != PROXY_HEADER_COMPLETE) ||
            (is_refused && now != PROXY_HEADER_REFUSED))
            abort();
        is_complete = now == PROXY_HEADER_COMPLETE;
        is_refused = now == PROXY_HEADER_REFUSED;
        if (is_complete && (verdict != now || !is_same(&whole, &part) || part.length > length))
            abort();
        if (is_refused && verdict != now)
            abort();
    }
    return 0;
}
