/* Where the lines and chunks of a request end (RFC 9112, sections 2.2 and 7.1), read strictly: a
 * line ends in CRLF and nothing else, none is folded or has a control character other than the tab (section 5.5),
 * behind a chunk's data comes CRLF. Parsers differ in what they let pass here, and two that differ can be made to see
 * two requests where there is one. */
#ifndef ESN_HTTP_FRAMING_H
#define ESN_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_framing { /* all 0: at the start of a request */
    enum {
        FRAMING_HEAD,
        FRAMING_BODY, /* its length is known, or what follows is another request */
        FRAMING_SIZE,
        FRAMING_EXTENSION,
        FRAMING_SIZE_LF,
        FRAMING_DATA,
        FRAMING_DATA_CR,
        FRAMING_DATA_LF,
        FRAMING_TRAILERS,
        FRAMING_BROKEN
    } state;
    uint64_t size; /* of the chunk: what is left of its data */
    unsigned digits;
    bool begun, in_line, after_cr; /* of lines in head and trailers */
};

/* How many of these bytes are sound and belong together: no more than the head, when it ends among
 * them. 0: the first of them must not be there. */
size_t http_framing_take(struct http_framing *framing, const char *bytes, size_t length);

/* True once a byte was not sound. */
bool http_framing_is_broken(const struct http_framing *framing);
/* True behind the head's empty line, until the next function is called. */
bool http_framing_is_behind_head(const struct http_framing *framing);
/* Behind the head of a request whose body comes in chunks. */
void http_framing_expect_chunks(struct http_framing *framing);

#endif
