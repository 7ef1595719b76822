#include "streams/decision_pages.h"

#include "clock.h"
#include "heap.h"
#include "net/close_reason.h"
#include "saved_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 64 * 1024,
    HEAD_MOST = 64 /* three bytes and six numbers of ten at most */
};

/* Most decisions are of streams that began, one each, so that their bytes count: numbers are written as
 * what they differ by from the page's first. */
struct decision_page {
    TAILQ_ENTRY(decision_page) by_age;
    size_t used;
    uint64_t number; /* they are forgotten in this order */
    uint64_t newest_ms;
    uint64_t first_ms, first_sequence, first_connid;
    char bytes[PAGE_BYTES];
};

static void forget_page(struct decisions *decisions, struct decision_page *page)
{
    decisions->since_ms = page->newest_ms;
    TAILQ_REMOVE(&decisions->pages, page, by_age);
    decisions->bytes -= heap_taken(sizeof *page);
    free(page);
}

void decisions_open(struct decisions *decisions, uint64_t wall_ms)
{
    TAILQ_INIT(&decisions->pages);
    decisions->since_ms = wall_ms;
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

/* In place of the oldest ones when there is no room. NULL without room or memory. */
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

/* ---- keeping ---- */

/* Where so many bytes can be added; NULL: nowhere. */
static struct decision_page *find_room(struct decisions *decisions, size_t most)
{
    struct decision_page *page = TAILQ_LAST(&decisions->pages, decision_pages);

    if (most > PAGE_BYTES)
        return NULL;
    return page != NULL && page->used + most <= PAGE_BYTES ? page : add_page(decisions);
}

void decisions_keep(struct decisions *decisions, struct decision decision, struct bytes *text)
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

/* ---- from one program to the next ---- */

void decisions_save(const struct decisions *decisions, struct saved_writer *writer)
{
    const struct decision_page *page;

    saved_put(writer, decisions->since_ms);
    TAILQ_FOREACH(page, &decisions->pages, by_age)
    {
        saved_put(writer, page->newest_ms);
        saved_put(writer, page->first_ms);
        saved_put(writer, page->first_sequence);
        saved_put(writer, page->first_connid);
        saved_put_bytes(writer, page->bytes, page->used);
    }
}

/* Skips a number; false: it does not end, or is longer than any. */
static bool pass_number(const char *bytes, size_t used, size_t *at)
{
    enum { LONGEST = 10 };

    for (size_t end = *at + LONGEST; *at < used && *at < end;)
        if (((unsigned char)bytes[(*at)++] & 0x80) == 0)
            return true;
    return false;
}

/* Whether read_decision() stays within what is used, and gives what decisions are made of. */
static bool is_decision(const struct decision_page *page, size_t *at)
{
    struct decision decision;
    size_t head = *at + 3;

    if (head > page->used)
        return false;
    for (int number = 0; number < 6; number++)
        if (!pass_number(page->bytes, page->used, &head))
            return false;
    (void)read_decision(page, *at, &decision);
    *at = head + decision.text_length;
    return decision.text_length <= page->used - head && decision.kind <= DECISION_UNPUBLISHED &&
           decision.reason < CLOSE_REASONS &&
           (decision.text_length == 0 || decision.text[decision.text_length - 1] == '\0');
}

static bool load_page(struct decision_page *page, struct saved_reader *reader)
{
    page->newest_ms = saved_take(reader);
    page->first_ms = saved_take(reader);
    page->first_sequence = saved_take(reader);
    page->first_connid = saved_take(reader);
    size_t used, at = 0;
    const char *bytes = saved_take_bytes(reader, &used);
    if (reader->failed || used > sizeof page->bytes)
        return false;
    memcpy(page->bytes, bytes, used);
    page->used = used;
    while (at < used)
        if (!is_decision(page, &at))
            return false;
    return true;
}

bool decisions_load(struct decisions *decisions, struct saved_reader *reader)
{
    uint64_t opened_ms = decisions->since_ms;

    decisions->since_ms = saved_take(reader);
    while (reader->at < reader->end) {
        struct decision_page *page = add_page(decisions);
        if (page == NULL) { /* so few may be kept now */
            decisions->since_ms = opened_ms;
            reader->at = reader->end;
            break;
        }
        if (!load_page(page, reader))
            return false;
    }
    return !reader->failed;
}
