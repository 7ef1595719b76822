#include "topics/audience.h"

#include "envelope.h"
#include "rights.h"

#include <string.h>

enum subscription_kind audience_kind_of(const struct requested_topic *topic)
{
    const size_t length = sizeof AUDIENCE_INBOX_TOPIC - 1;
    if (topic->granted)
        return SUBSCRIPTION_PRIVATE;
    if (!topic->bound)
        return SUBSCRIPTION_OPEN;
    return topic->length == length && memcmp(topic->text, AUDIENCE_INBOX_TOPIC, length) == 0
               ? SUBSCRIPTION_INBOX
               : SUBSCRIPTION_BOUND;
}

bool audience_suits(uint16_t flags, enum subscription_kind kind)
{
    bool targeted = (flags & ENVELOPE_TARGETED) != 0;

    if (kind == SUBSCRIPTION_INBOX)
        return targeted;
    if (targeted)
        return false;
    if (kind == SUBSCRIPTION_PRIVATE || (flags & ENVELOPE_PRIVATE) != 0)
        return kind == SUBSCRIPTION_PRIVATE && (flags & ENVELOPE_PRIVATE) != 0;
    if (kind == SUBSCRIPTION_BOUND)
        return (flags & ENVELOPE_BOUND) != 0;
    return (flags & ENVELOPE_BOUND) == 0 || (flags & ENVELOPE_EVERYONE) != 0;
}

static bool may_hear(const struct event *event, size_t allowed_length, enum subscription_kind kind,
                     const char *user)
{
    return audience_suits(event->flags, kind) &&
           (kind == SUBSCRIPTION_OPEN || kind == SUBSCRIPTION_PRIVATE ||
            rights_may_hear(event->flags, event->allowed, allowed_length, user));
}

bool audience_may_hear(const struct event *event, enum subscription_kind kind, const char *user)
{
    return may_hear(event, event->allowed_length, kind, user);
}

bool audience_has(struct audience *audience, enum subscription_kind kind, const char *user)
{
    const struct event *event = audience->event;

    /* Flags alone often decide; only then is the list looked at. */
    if (may_hear(event, 0, kind, user))
        return true;
    if (!audience_suits(event->flags, kind) || user == NULL || event->allowed_length == 0)
        return false;
    if (!audience->filled && !audience->failed) {
        audience->filled = user_set_fill(&audience->users, event->allowed, event->allowed_length);
        audience->failed = !audience->filled;
    }
    return audience->filled ? user_set_has(&audience->users, user)
                            : audience_may_hear(event, kind, user);
}

void audience_free(struct audience *audience)
{
    if (audience->filled)
        user_set_free(&audience->users);
    audience->filled = false;
}
