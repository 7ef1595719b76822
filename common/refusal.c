#include "refusal.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum { TEXTS = 4, TEXTS_MOST = 5 };

static void add_text(struct bytes *out, const char *text)
{
    bytes_append_text(out, text);
    bytes_append(out, "", 1);
}

void refusal_write(struct bytes *out, const struct refusal *refusal)
{
    add_text(out, refusal->reason);
    add_text(out, refusal->by);
    add_text(out, refusal->user);
    add_text(out, refusal->topic);
    if (refusal->first == 0)
        return;
    bytes_append_number(out, refusal->first);
    bytes_append(out, "", 1);
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return *text >= '1' && *text <= '9' && *end == '\0';
}

bool refusal_read(struct refusal *refusal, const char *record, size_t length)
{
    const char *texts[TEXTS_MOST];
    size_t at = 0, count = 0;

    for (; count < TEXTS || (count < TEXTS_MOST && at < length); count++) {
        const char *end = at < length ? memchr(record + at, '\0', length - at) : NULL;
        if (end == NULL)
            return false;
        texts[count] = record + at;
        size_t text = (size_t)(end - texts[count]);
        if ((count != TEXTS - 1 && text > REFUSAL_TEXT_MAX) || !utf8_is_valid(texts[count], text))
            return false;
        at += text + 1;
    }
    *refusal = (struct refusal){texts[0], texts[1], texts[2], texts[3], 0};
    return at == length && *refusal->reason != '\0' &&
           (count == TEXTS || read_number(texts[TEXTS], &refusal->first));
}
