#include "refusal.h"

#include "utf8.h"

enum { TEXTS = 4 };

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
}

bool refusal_read(struct refusal *refusal, const char *record, size_t length)
{
    const char *texts[TEXTS];
    size_t at = 0;

    for (size_t i = 0; i < TEXTS; i++) {
        const char *end = at < length ? memchr(record + at, '\0', length - at) : NULL;
        if (end == NULL)
            return false;
        texts[i] = record + at;
        size_t text = (size_t)(end - texts[i]);
        if ((i < TEXTS - 1 && text > REFUSAL_TEXT_MAX) || !utf8_is_valid(texts[i], text))
            return false;
        at += text + 1;
    }
    *refusal = (struct refusal){texts[0], texts[1], texts[2], texts[3]};
    return at == length && *refusal->reason != '\0';
}
