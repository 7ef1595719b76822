#include "events/past_audience.h"

#include "envelope.h"
#include "topics/audience.h"

static bool add_topics(struct bytes *out, struct user_set *set, const struct bytes *topics)
{
    bytes_append(out, topics->data, topics->length);
    return !out->failed && user_set_fill(set, out->data, out->length);
}

bool past_audience_set(struct past_audience *audience, const struct past_rights *rights)
{
    if (rights == NULL)
        return true;
    audience->rights.topics_known = rights->topics_known;
    audience->rights.inbox_known = rights->inbox_known;
    return add_topics(&audience->rights.deaf, &audience->deaf, &rights->deaf) &&
           add_topics(&audience->rights.inbox, &audience->inbox, &rights->inbox);
}

bool past_audience_withhold(struct past_audience *audience, const struct bytes *topics)
{
    user_set_free(&audience->deaf);
    return add_topics(&audience->rights.deaf, &audience->deaf, topics);
}

bool past_audience_may_hear(const struct past_audience *audience, const struct logged_event *logged,
                            uint32_t kind)
{
    switch (kind) {
    case SUBSCRIPTION_BOUND:
        return audience->rights.topics_known && !user_set_has(&audience->deaf, logged->topic->name);
    case SUBSCRIPTION_INBOX:
        /* Of one that names its users nothing stands in the database. */
        if ((logged->flags & ENVELOPE_ADDRESSED) != 0)
            return true;
        return audience->rights.inbox_known && user_set_has(&audience->inbox, logged->topic->name);
    default:
        return true;
    }
}

bool past_audience_depends_on_user(uint32_t kind)
{
    return kind == SUBSCRIPTION_BOUND || kind == SUBSCRIPTION_INBOX;
}

void past_audience_free(struct past_audience *audience)
{
    user_set_free(&audience->deaf);
    user_set_free(&audience->inbox);
    past_rights_free(&audience->rights);
}
