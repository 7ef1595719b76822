#include "used_tickets.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_SIZE = 16,
    SLOTS_MIN = 64,
    HASH_SIZE = 32,
    SPANS_MOST = 8,
    SPAN_GAP_S = 60 /* what is no further apart is one span */
};

/* The ends of tickets that were forgotten: without jumps of the clock all of it is past. */
struct span {
    uint64_t first_s, last_s;
};

struct slot {
    unsigned char tag[TAG_SIZE];
    uint64_t forget_after_s; /* 0: free */
};

struct used_tickets {
    struct slot *slots;
    size_t slot_count; /* a power of two, at least twice `count` */
    size_t count;
    size_t max;
    struct span forgotten[SPANS_MOST]; /* by time, none near another */
    size_t span_count;
    uint64_t full_s; /* the second in which a sweep found nothing to forget: no use in another */
};

struct used_tickets *used_tickets_open(size_t max)
{
    struct used_tickets *used = calloc(1, sizeof *used);
    if (used == NULL)
        return NULL;
    used->max = max;
    used->full_s = UINT64_MAX;
    used->slot_count = SLOTS_MIN;
    used->slots = calloc(SLOTS_MIN, sizeof *used->slots);
    if (used->slots == NULL)
        used_tickets_close(&used);
    return used;
}

void used_tickets_close(struct used_tickets **used)
{
    if (*used != NULL)
        free((*used)->slots);
    free(*used);
    *used = NULL;
}

size_t used_tickets_count(const struct used_tickets *used)
{
    return used->count;
}

/* The slot that holds the tag, or the free one where it belongs. */
static struct slot *find(struct slot *slots, size_t slot_count, const unsigned char *tag)
{
    size_t at;
    memcpy(&at, tag, sizeof at);
    for (;; at++) {
        struct slot *slot = &slots[at & (slot_count - 1)];
        if (slot->forget_after_s == 0 || memcmp(slot->tag, tag, TAG_SIZE) == 0)
            return slot;
    }
}

static bool is_in_span(const struct used_tickets *used, uint64_t end_s)
{
    for (size_t i = 0; i < used->span_count; i++)
        if (used->forgotten[i].first_s <= end_s && end_s <= used->forgotten[i].last_s)
            return true;
    return false;
}

static void join_with_next(struct used_tickets *used, size_t at)
{
    used->forgotten[at].last_s = used->forgotten[at + 1].last_s;
    used->span_count--;
    memmove(&used->forgotten[at + 1], &used->forgotten[at + 2],
            (used->span_count - at - 1) * sizeof used->forgotten[0]);
}

/* Where there are too many spans the two that are nearest to each other become one. */
static void join_nearest(struct used_tickets *used)
{
    size_t nearest = 0;
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i + 1 < used->span_count; i++) {
        uint64_t gap = used->forgotten[i + 1].first_s - used->forgotten[i].last_s;
        if (gap < least) {
            least = gap;
            nearest = i;
        }
    }
    join_with_next(used, nearest);
}

static void note_forgotten(struct used_tickets *used, uint64_t end_s)
{
    size_t at = 0;

    while (at < used->span_count && used->forgotten[at].last_s + SPAN_GAP_S < end_s)
        at++;
    struct span *span = &used->forgotten[at];
    if (at < used->span_count && end_s + SPAN_GAP_S >= span->first_s) {
        if (end_s < span->first_s)
            span->first_s = end_s;
        if (end_s > span->last_s)
            span->last_s = end_s;
        if (at + 1 < used->span_count && span[1].first_s <= span->last_s + SPAN_GAP_S)
            join_with_next(used, at);
        return;
    }
    if (used->span_count == SPANS_MOST) {
        join_nearest(used);
        note_forgotten(used, end_s);
        return;
    }
    memmove(span + 1, span, (used->span_count - at) * sizeof *span);
    *span = (struct span){end_s, end_s};
    used->span_count++;
}

/* Forgets what is over; the rest moves into a table with room for as many again. */
static bool sweep(struct used_tickets *used, uint64_t now_s)
{
    size_t alive = 0, slot_count = SLOTS_MIN;
    for (size_t i = 0; i < used->slot_count; i++)
        alive += used->slots[i].forget_after_s > now_s;
    while (slot_count < 4 * (alive + 1))
        slot_count *= 2;
    struct slot *slots = alive < used->max ? calloc(slot_count, sizeof *slots) : NULL;
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < used->slot_count; i++) {
        uint64_t forget_after_s = used->slots[i].forget_after_s;
        if (forget_after_s > now_s)
            *find(slots, slot_count, used->slots[i].tag) = used->slots[i];
        else if (forget_after_s != 0)
            note_forgotten(used, forget_after_s);
    }
    free(used->slots);
    used->slots = slots;
    used->slot_count = slot_count;
    used->count = alive;
    return true;
}

enum used_tickets_result used_tickets_take(struct used_tickets *used, const char *id,
                                           uint64_t forget_after_s, uint64_t now_s)
{
    unsigned char hash[HASH_SIZE];
    if (EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL) != 1)
        return USED_TICKETS_FULL;
    struct slot *slot = find(used->slots, used->slot_count, hash);
    if (slot->forget_after_s != 0)
        return USED_TICKETS_AGAIN;
    /* Forgotten, but alive again since the clock went back: nobody knows whether it was used. */
    if (is_in_span(used, forget_after_s))
        return USED_TICKETS_UNKNOWN;
    if (used->count + 1 > used->slot_count / 2 || used->count >= used->max) {
        if (used->full_s == now_s || !sweep(used, now_s)) {
            used->full_s = now_s;
            return USED_TICKETS_FULL;
        }
        slot = find(used->slots, used->slot_count, hash);
    }
    memcpy(slot->tag, hash, TAG_SIZE);
    slot->forget_after_s = forget_after_s != 0 ? forget_after_s : 1;
    used->count++;
    return USED_TICKETS_FIRST;
}

size_t used_tickets_bytes(const struct used_tickets *used)
{
    return sizeof *used + used->slot_count * sizeof *used->slots;
}
