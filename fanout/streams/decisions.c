#include "streams/decisions.h"

#include "bytes.h"
#include "clock.h"
#include "past_rights.h"
#include "requested_topics.h"
#include "streams/presence.h"
#include "streams/stream.h"
#include "streams/transport.h"
#include "topics/audience.h"

#include <string.h>

enum {
    TOPICS_BYTES = 4096, /* of one decision; what is beyond is not kept */
    NAMES_BYTES = 1024,  /* more than a user and a client id may have */
    REFUSALS_A_SECOND = 50
};

/* ---- texts ---- */

static void add_text(struct bytes *out, const char *text, size_t length)
{
    bytes_append(out, text, length);
    bytes_append(out, "", 1);
}

static void add_names(struct bytes *out, const char *user, const char *clid, size_t clid_length)
{
    if (user == NULL)
        user = "";
    add_text(out, user, strnlen(user, NAMES_BYTES));
    add_text(out, clid, clid_length < NAMES_BYTES ? clid_length : NAMES_BYTES);
}

static void add_names_of(struct bytes *out, const struct stream *stream)
{
    add_names(out, stream_user(stream), stream->presence->clid, stream->presence->length);
}

/* False: there was no room for it. */
static bool add_topic(struct bytes *out, size_t *left, enum subscription_kind kind,
                      const char *topic, size_t length)
{
    const char digit = (char)('0' + (int)kind);

    if (length + 2 > *left)
        return false;
    *left -= length + 2;
    bytes_append(out, &digit, 1);
    add_text(out, topic, length);
    return true;
}

static bool add_requested(struct bytes *out, const struct requested_topics *topics)
{
    size_t left = TOPICS_BYTES;

    for (size_t i = 0; topics != NULL && i < topics->count; i++)
        if (!add_topic(out, &left, audience_kind_of(&topics->list[i]), topics->list[i].text,
                       topics->list[i].length))
            return false;
    return true;
}

static bool add_held(struct bytes *out, const struct stream *stream)
{
    size_t left = TOPICS_BYTES;
    struct bytes name = BYTES_EMPTY;
    bool all = true;

    for (uint32_t i = 0; all && i < stream->subscriber.count; i++) {
        const struct subscription *held = &stream->subscriber.subscriptions[i];
        bytes_clear(&name);
        if (held->kind == SUBSCRIPTION_INBOX)
            bytes_append_text(&name, AUDIENCE_INBOX_TOPIC);
        else
            topic_node_write_name(held->node, &name);
        all = !name.failed &&
              add_topic(out, &left, (enum subscription_kind)held->kind, name.data, name.length);
    }
    bytes_free(&name);
    return all;
}

/* ---- noting ---- */

/* Whose it is and what it has is asked of the stream itself, while it lasts; a client of long-poll is
 * away again in a moment. */
void decisions_note_began(struct decisions *decisions, const struct stream *stream, uint64_t start)
{
    struct bytes text = BYTES_EMPTY;
    bool polls = stream->transport->answers_once;

    if (decisions->max_bytes == 0 || (polls && stream->comes_back))
        return;
    if (polls)
        add_names_of(&text, stream);
    bool all = !polls || add_held(&text, stream);
    decisions_keep(decisions,
                   (struct decision){.kind = DECISION_BEGAN,
                                     .connid = stream->connid,
                                     .other = stream->asked_past ? start : UINT64_MAX,
                                     .recovered = stream->recovered,
                                     .cut = !all},
                   &text);
}

void decisions_note_topics(struct decisions *decisions, enum decision_kind kind,
                           const struct stream *stream, const struct requested_topics *topics)
{
    struct bytes text = BYTES_EMPTY;

    if (decisions->max_bytes == 0)
        return;
    add_names_of(&text, stream);
    bool all = add_requested(&text, topics);
    decisions_keep(decisions,
                   (struct decision){.kind = (uint8_t)kind, .connid = stream->connid, .cut = !all},
                   &text);
}

void decisions_note_deaf(struct decisions *decisions, const struct stream *stream,
                         const struct past_rights *past)
{
    struct bytes text = BYTES_EMPTY;

    if (decisions->max_bytes == 0 || past == NULL || !past->topics_known || past->deaf.length == 0)
        return;
    add_names_of(&text, stream);
    size_t left = TOPICS_BYTES;
    bool all = true;
    for (size_t at = 0; all && at < past->deaf.length;) {
        size_t length = strlen(past->deaf.data + at);
        all = add_topic(&text, &left, SUBSCRIPTION_BOUND, past->deaf.data + at, length);
        at += length + 1;
    }
    decisions_keep(decisions,
                   (struct decision){.kind = DECISION_DEAF, .connid = stream->connid, .cut = !all},
                   &text);
}

void decisions_note_ended(struct decisions *decisions, const struct stream *stream,
                          enum close_reason reason)
{
    struct bytes text = BYTES_EMPTY;

    if (decisions->max_bytes == 0)
        return;
    add_names_of(&text, stream);
    bool all = add_held(&text, stream);
    struct decision ended = {.kind = DECISION_ENDED,
                             .reason = (uint8_t)reason,
                             .connid = stream->connid,
                             .other = stream->identity != NULL ? stream->identity->withheld : 0,
                             .cut = !all};
    if (stream->connection.backlog != NULL)
        ended.pending = stream->connection.output.length;
    decisions_keep(decisions, ended, &text);
}

static bool takes_refusal(struct decisions *decisions)
{
    uint64_t second = clock_wall_ms() / 1000;

    if (decisions->max_bytes == 0)
        return false;
    if (second != decisions->second)
        decisions->refusals = 0;
    decisions->second = second;
    return ++decisions->refusals <= REFUSALS_A_SECOND;
}

void decisions_note_refused(struct decisions *decisions, const char *user, const char *clid,
                            const char *reason, const struct requested_topics *topics)
{
    struct bytes text = BYTES_EMPTY;

    if (!takes_refusal(decisions))
        return;
    if (clid == NULL)
        clid = PRESENCE_ANONYMOUS;
    add_names(&text, user, clid, strlen(clid));
    add_text(&text, reason, strlen(reason));
    bool all = add_requested(&text, topics);
    decisions_keep(decisions, (struct decision){.kind = DECISION_REFUSED, .cut = !all}, &text);
}

void decisions_note_unpublished(struct decisions *decisions, const struct unpublished *post)
{
    struct bytes text = BYTES_EMPTY;

    if (!takes_refusal(decisions))
        return;
    add_names(&text, post->user, post->by, strlen(post->by));
    add_text(&text, post->reason, strlen(post->reason));
    add_text(&text, post->topic,
             post->topic_length < TOPICS_BYTES ? post->topic_length : TOPICS_BYTES);
    decisions_keep(decisions, (struct decision){.kind = DECISION_UNPUBLISHED, .other = post->first},
                   &text);
}
