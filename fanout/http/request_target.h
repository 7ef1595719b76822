/* Takes the target of a request apart (RFC 9112, section 3.2). Pure. */
#ifndef ESN_REQUEST_TARGET_H
#define ESN_REQUEST_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/* Offsets in the text, each part of which is ended by a NUL. */
struct request_target {
    size_t path;
    size_t query; /* behind the "?"; 0: there is none */
};

/* Splits `text` of this length, in which it puts NULs: one that begins with "/", one with scheme and
 * authority, or "*". False when it is something else, has no path, or a character that must not be
 * in it: then the text is as it was. */
bool request_target_split(struct request_target *target, char *text, size_t length);

/* True when these are characters of uri-host and port alone (RFC 3986, section 3.2); none at all
 * are, too. */
bool request_target_is_authority(const char *text, size_t length);

#endif
