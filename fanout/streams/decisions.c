#include "streams/decisions.h"

#include "bytes.h"
#include "clock.h"
#include "heap.h"
#include "past_rights.h"
#include "requested_topics.h"
#include "streams/presence.h"
#include "streams/stream.h"
#include "streams/transport.h"
#include "topics/audience.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 64 * 1024,
    TOPICS_BYTES = 4096, /* of one decision; what is beyond is not kept */
    NAMES_BYTES = 1024,  /* more than a user and a client id may have */
    REFUSALS_A_SECOND = 50
};

/* Decisions one behind the other, each where a pointer may stand; forgotten together. */
struct decision_page {
    TAILQ_ENTRY(decision_page) by_age;
    size_t used;
    uint64_t number; /* they are forgotten in this order */
    uint64_t newest_ms;
    _Alignas(struct decision) char bytes[PAGE_BYTES];
};

static size_t rounded(size_t length)
{
    return (length + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

void decisions_open(struct decisions *decisions, uint64_t wall_ms)
{
    TAILQ_INIT(&decisions->pages);
    decisions->since_ms = wall_ms;
}

static void forget_page(struct decisions *decisions, struct decision_page *page)
{
    decisions->since_ms = page->newest_ms;
    TAILQ_REMOVE(&decisions->pages, page, by_age);
    decisions->bytes -= heap_taken(sizeof *page);
    free(page);
}

void decisions_close(struct decisions *decisions)
{
    struct decision_page *page;

    while ((page = TAILQ_FIRST(&decisions->pages)) != NULL)
        forget_page(decisions, page);
}

uint64_t decisions_bytes(const struct decisions *decisions)
{
    return decisions->bytes;
}

/* A new page takes the place of the oldest ones. */
static struct decision_page *add_page(struct decisions *decisions)
{
    struct decision_page *page;
    const size_t size = heap_taken(sizeof *page);

    while ((page = TAILQ_FIRST(&decisions->pages)) != NULL &&
           decisions->bytes + size > decisions->max_bytes)
        forget_page(decisions, page);
    if (decisions->bytes + size > decisions->max_bytes)
        return NULL;
    page = malloc(sizeof *page);
    if (page == NULL)
        return NULL;
    page->used = 0;
    page->number = ++decisions->pages_made;
    TAILQ_INSERT_TAIL(&decisions->pages, page, by_age);
    decisions->bytes += size;
    return page;
}

/* A decision of this kind with room for so much text; NULL: it is not kept. */
static struct decision *add_decision(struct decisions *decisions, enum decision_kind kind,
                                     size_t text_length)
{
    const size_t size = rounded(sizeof(struct decision) + text_length);

    if (decisions->max_bytes == 0 || size > PAGE_BYTES)
        return NULL;
    struct decision_page *page = TAILQ_LAST(&decisions->pages, decision_pages);
    if (page == NULL || page->used + size > PAGE_BYTES)
        page = add_page(decisions);
    if (page == NULL)
        return NULL;
    struct decision *decision = (struct decision *)(void *)(page->bytes + page->used);
    page->used += size;
    page->newest_ms = clock_wall_ms();
    *decision = (struct decision){
        .at_ms = page->newest_ms, .text_length = (uint32_t)text_length, .kind = (uint8_t)kind};
    return decision;
}

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

/* With these texts, which are freed. */
static struct decision *add_with(struct decisions *decisions, enum decision_kind kind,
                                 struct bytes *text)
{
    struct decision *decision = text->failed ? NULL : add_decision(decisions, kind, text->length);

    if (decision != NULL && text->length > 0)
        memcpy(decision->text, text->data, text->length);
    if (decision != NULL)
        decision->sequence = decisions->newest != NULL ? *decisions->newest : 0;
    bytes_free(text);
    return decision;
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
    struct decision *decision = add_with(decisions, DECISION_BEGAN, &text);
    if (decision == NULL)
        return;
    decision->connid = stream->connid;
    decision->other = stream->asked_past ? start : UINT64_MAX;
    decision->recovered = stream->recovered;
    decision->cut = !all;
}

void decisions_note_topics(struct decisions *decisions, enum decision_kind kind,
                           const struct stream *stream, const struct requested_topics *topics)
{
    struct bytes text = BYTES_EMPTY;

    if (decisions->max_bytes == 0)
        return;
    add_names_of(&text, stream);
    bool all = add_requested(&text, topics);
    struct decision *decision = add_with(decisions, kind, &text);
    if (decision == NULL)
        return;
    decision->connid = stream->connid;
    decision->cut = !all;
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
    struct decision *decision = add_with(decisions, DECISION_DEAF, &text);
    if (decision == NULL)
        return;
    decision->connid = stream->connid;
    decision->cut = !all;
}

void decisions_note_ended(struct decisions *decisions, const struct stream *stream,
                          enum close_reason reason)
{
    struct bytes text = BYTES_EMPTY;

    if (decisions->max_bytes == 0)
        return;
    add_names_of(&text, stream);
    bool all = add_held(&text, stream);
    struct decision *decision = add_with(decisions, DECISION_ENDED, &text);
    if (decision == NULL)
        return;
    decision->connid = stream->connid;
    decision->other = stream->identity != NULL ? stream->identity->withheld : 0;
    decision->pending = stream->connection.backlog != NULL ? stream->connection.output.length : 0;
    decision->reason = (uint8_t)reason;
    decision->cut = !all;
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
    struct decision *decision = add_with(decisions, DECISION_REFUSED, &text);
    if (decision != NULL)
        decision->cut = !all;
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
    struct decision *decision = add_with(decisions, DECISION_UNPUBLISHED, &text);
    if (decision != NULL)
        decision->other = post->first;
}

/* ---- looking ---- */

static bool is_kept(const struct decisions *decisions, const struct decision_place *place)
{
    const struct decision_page *oldest = TAILQ_FIRST(&decisions->pages);

    return place->page != NULL && oldest != NULL && place->number >= oldest->number;
}

static void go_to_page(struct decision_place *place, const struct decision_page *page)
{
    *place = (struct decision_place){.page = page, .number = page != NULL ? page->number : 0};
}

static const struct decision *find_in(const struct decision_place *place)
{
    return (const struct decision *)(const void *)(place->page->bytes + place->offset);
}

const struct decision *decisions_at(const struct decisions *decisions,
                                    const struct decision_place *place)
{
    return is_kept(decisions, place) ? find_in(place) : NULL;
}

const struct decision *decisions_next(const struct decisions *decisions,
                                      struct decision_place *place)
{
    if (!is_kept(decisions, place))
        go_to_page(place, TAILQ_FIRST(&decisions->pages));
    while (place->page != NULL && place->next >= place->page->used)
        go_to_page(place, TAILQ_NEXT(place->page, by_age));
    if (place->page == NULL)
        return NULL;
    place->offset = place->next;
    const struct decision *decision = find_in(place);
    place->next += rounded(sizeof *decision + decision->text_length);
    return decision;
}

const char *decision_next_text(const struct decision *decision, const char *text)
{
    const char *next = text == NULL ? decision->text : text + strlen(text) + 1;

    return next < decision->text + decision->text_length ? next : NULL;
}
