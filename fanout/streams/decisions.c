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
    HEAD_MOST = 64,      /* three bytes and six numbers of ten at most */
    REFUSALS_A_SECOND = 50
};

/* Decisions one behind the other, forgotten together. Most are of streams that began, one each, so
 * that their bytes count: numbers are written as what they differ by from the page's first. */
struct decision_page {
    TAILQ_ENTRY(decision_page) by_age;
    size_t used;
    uint64_t number; /* they are forgotten in this order */
    uint64_t newest_ms;
    uint64_t first_ms, first_sequence, first_connid;
    char bytes[PAGE_BYTES];
};

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

/* ---- as bytes: kind, reason, flags, numbers, texts ---- */

enum { FLAG_RECOVERED = 1, FLAG_CUT = 2 };

/* Seven bits in each byte, the lowest first; the highest bit says that more follow. */
static size_t write_number(char *out, uint64_t number)
{
    size_t length = 0;

    for (; number >= 0x80; number >>= 7)
        out[length++] = (char)(number | 0x80);
    out[length++] = (char)number;
    return length;
}

static uint64_t read_number(const char *bytes, size_t *at)
{
    uint64_t number = 0;

    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = (unsigned char)bytes[(*at)++];
        number |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return number;
    }
}

/* A small number for a small difference in either direction. */
static uint64_t difference(uint64_t number, uint64_t from)
{
    uint64_t apart = number - from;

    return apart << 1 ^ (apart >> 63 != 0 ? UINT64_MAX : 0);
}

static uint64_t undo_difference(uint64_t written, uint64_t from)
{
    return from + (written >> 1 ^ ((written & 1) != 0 ? UINT64_MAX : 0));
}

static size_t write_head(char out[HEAD_MOST], const struct decision_page *page,
                         const struct decision *decision)
{
    size_t length = 0;

    out[length++] = (char)decision->kind;
    out[length++] = (char)decision->reason;
    out[length++] =
        (char)((decision->recovered ? FLAG_RECOVERED : 0) | (decision->cut ? FLAG_CUT : 0));
    length += write_number(out + length, difference(decision->at_ms, page->first_ms));
    length += write_number(out + length, difference(decision->sequence, page->first_sequence));
    length += write_number(out + length, difference(decision->connid, page->first_connid));
    length += write_number(out + length, decision->other + 1); /* UINT64_MAX is the usual one */
    length += write_number(out + length, decision->pending);
    length += write_number(out + length, decision->text_length);
    return length;
}

/* Returns where the next one stands. */
static size_t read_decision(const struct decision_page *page, size_t at, struct decision *decision)
{
    const char *bytes = page->bytes;

    *decision = (struct decision){.kind = (uint8_t)bytes[at], .reason = (uint8_t)bytes[at + 1]};
    decision->recovered = (bytes[at + 2] & FLAG_RECOVERED) != 0;
    decision->cut = (bytes[at + 2] & FLAG_CUT) != 0;
    at += 3;
    decision->at_ms = undo_difference(read_number(bytes, &at), page->first_ms);
    decision->sequence = undo_difference(read_number(bytes, &at), page->first_sequence);
    decision->connid = undo_difference(read_number(bytes, &at), page->first_connid);
    decision->other = read_number(bytes, &at) - 1;
    decision->pending = read_number(bytes, &at);
    decision->text_length = (uint32_t)read_number(bytes, &at);
    decision->text = bytes + at;
    return at + decision->text_length;
}

/* Where so many bytes can be added; NULL: nowhere. */
static struct decision_page *find_room(struct decisions *decisions, size_t most)
{
    struct decision_page *page = TAILQ_LAST(&decisions->pages, decision_pages);

    if (most > PAGE_BYTES)
        return NULL;
    return page != NULL && page->used + most <= PAGE_BYTES ? page : add_page(decisions);
}

/* Of now, with these texts, which are freed. */
static void keep(struct decisions *decisions, struct decision decision, struct bytes *text)
{
    struct decision_page *page =
        text->failed ? NULL : find_room(decisions, HEAD_MOST + text->length);

    if (page != NULL) {
        decision.at_ms = clock_wall_ms();
        decision.sequence = decisions->newest != NULL ? *decisions->newest : 0;
        decision.text_length = (uint32_t)text->length;
        page->newest_ms = decision.at_ms;
        if (page->used == 0) {
            page->first_ms = decision.at_ms;
            page->first_sequence = decision.sequence;
            page->first_connid = decision.connid;
        }
        page->used += write_head(page->bytes + page->used, page, &decision);
        if (text->length > 0)
            memcpy(page->bytes + page->used, text->data, text->length);
        page->used += text->length;
    }
    bytes_free(text);
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
    keep(decisions,
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
    keep(decisions, (struct decision){.kind = (uint8_t)kind, .connid = stream->connid, .cut = !all},
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
    keep(decisions, (struct decision){.kind = DECISION_DEAF, .connid = stream->connid, .cut = !all},
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
    keep(decisions, ended, &text);
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
    keep(decisions, (struct decision){.kind = DECISION_REFUSED, .cut = !all}, &text);
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
    keep(decisions, (struct decision){.kind = DECISION_UNPUBLISHED, .other = post->first}, &text);
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

bool decisions_at(const struct decisions *decisions, const struct decision_place *place,
                  struct decision *decision)
{
    if (!is_kept(decisions, place))
        return false;
    (void)read_decision(place->page, place->offset, decision);
    return true;
}

bool decisions_next(const struct decisions *decisions, struct decision_place *place,
                    struct decision *decision)
{
    if (!is_kept(decisions, place))
        go_to_page(place, TAILQ_FIRST(&decisions->pages));
    while (place->page != NULL && place->next >= place->page->used)
        go_to_page(place, TAILQ_NEXT(place->page, by_age));
    if (place->page == NULL)
        return false;
    place->offset = place->next;
    place->next = read_decision(place->page, place->offset, decision);
    return true;
}

const char *decision_next_text(const struct decision *decision, const char *text)
{
    const char *next = text == NULL ? decision->text : text + strlen(text) + 1;

    return next < decision->text + decision->text_length ? next : NULL;
}
