#include "used_tickets.h"

#include "saved_state.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_SIZE = 16,
    SLOTS_MIN = 64,
    HASH_SIZE = 32,
    SLOTS_AT_ONCE = 256,
    FULL_STEPS = 16, /* of so many, where there is no room */
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

/* What is over is forgotten a few slots with each ticket, so that none takes long. */
enum sweep {
    SWEEP_NONE,
    SWEEP_COUNTS, /* those that live: for so many, and as many again, there is to be room */
    SWEEP_MOVES   /* them into other slots */
};

struct used_tickets {
    struct slot *slots;
    size_t slot_count; /* a power of two */
    size_t placed;     /* in those slots: three quarters of them at most */
    size_t count;      /* all that are held */
    size_t max;
    enum sweep sweep;
    size_t at;           /* slots that were looked at */
    size_t alive;        /* of those that were counted */
    struct slot *former; /* while they are moved: where they all are */
    size_t former_count;
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
    if (*used != NULL) {
        free((*used)->slots);
        free((*used)->former);
    }
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

static void end_counting(struct used_tickets *used, uint64_t now_s)
{
    /* Some come while the others are moved. */
    size_t most = used->alive + used->slot_count / SLOTS_AT_ONCE + 1, slot_count = SLOTS_MIN;

    while (slot_count < 4 * most)
        slot_count *= 2;
    struct slot *slots = used->alive < used->max ? calloc(slot_count, sizeof *slots) : NULL;
    used->at = 0;
    used->sweep = slots != NULL ? SWEEP_MOVES : SWEEP_NONE;
    if (slots == NULL) {
        used->full_s = now_s;
        return;
    }
    used->former = used->slots;
    used->former_count = used->slot_count;
    used->slots = slots;
    used->slot_count = slot_count;
    used->placed = 0;
}

static void count_some(struct used_tickets *used, uint64_t now_s)
{
    for (int i = 0; i < SLOTS_AT_ONCE && used->at < used->slot_count; i++, used->at++)
        used->alive += used->slots[used->at].forget_after_s > now_s;
    if (used->at == used->slot_count)
        end_counting(used, now_s);
}

static void move_slot(struct used_tickets *used, const struct slot *slot, uint64_t now_s)
{
    if (slot->forget_after_s == 0)
        return;
    if (slot->forget_after_s > now_s) {
        *find(used->slots, used->slot_count, slot->tag) = *slot;
        used->placed++;
    } else {
        note_forgotten(used, slot->forget_after_s);
        used->count--;
    }
}

static void move_some(struct used_tickets *used, uint64_t now_s)
{
    for (int i = 0; i < SLOTS_AT_ONCE && used->at < used->former_count; i++, used->at++)
        move_slot(used, &used->former[used->at], now_s);
    if (used->at < used->former_count)
        return;
    free(used->former);
    used->former = NULL;
    used->former_count = 0;
    used->sweep = SWEEP_NONE;
}

static bool is_full(const struct used_tickets *used)
{
    return used->count >= used->max || used->placed + 1 > used->slot_count / 4 * 3;
}

/* Goes on with a sweep, or begins one where it is time for it; longer where nothing else helps. */
static void sweep_some(struct used_tickets *used, uint64_t now_s)
{
    bool is_time = used->placed + 1 > used->slot_count / 2 || used->count >= used->max;

    if (used->sweep == SWEEP_NONE && is_time && used->full_s != now_s) {
        used->sweep = SWEEP_COUNTS;
        used->at = used->alive = 0;
    }
    for (int i = 0; used->sweep != SWEEP_NONE && (i == 0 || (i < FULL_STEPS && is_full(used)));
         i++) {
        if (used->sweep == SWEEP_COUNTS)
            count_some(used, now_s);
        else
            move_some(used, now_s);
    }
}

static bool is_held(const struct used_tickets *used, const unsigned char *hash)
{
    return find(used->slots, used->slot_count, hash)->forget_after_s != 0 ||
           (used->former != NULL &&
            find(used->former, used->former_count, hash)->forget_after_s != 0);
}

static void place(struct used_tickets *used, const unsigned char *hash, uint64_t forget_after_s)
{
    struct slot *slot = find(used->slots, used->slot_count, hash);

    memcpy(slot->tag, hash, TAG_SIZE);
    slot->forget_after_s = forget_after_s != 0 ? forget_after_s : 1;
    used->placed++;
    used->count++;
    if (used->sweep == SWEEP_COUNTS && (size_t)(slot - used->slots) < used->at)
        used->alive++;
}

enum used_tickets_result used_tickets_take(struct used_tickets *used, const char *id,
                                           uint64_t forget_after_s, uint64_t now_s)
{
    unsigned char hash[HASH_SIZE];
    if (EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL) != 1)
        return USED_TICKETS_FULL;
    if (is_held(used, hash))
        return USED_TICKETS_AGAIN;
    /* Forgotten, but alive again since the clock went back: nobody knows whether it was used. */
    if (is_in_span(used, forget_after_s))
        return USED_TICKETS_UNKNOWN;
    sweep_some(used, now_s);
    if (is_full(used))
        return USED_TICKETS_FULL;
    place(used, hash, forget_after_s);
    return USED_TICKETS_FIRST;
}

size_t used_tickets_bytes(const struct used_tickets *used)
{
    return sizeof *used + (used->slot_count + used->former_count) * sizeof *used->slots;
}

static void save_slots(const struct slot *slots, size_t count, struct saved_writer *writer)
{
    for (size_t i = 0; i < count; i++) {
        if (slots[i].forget_after_s == 0)
            continue;
        saved_put(writer, slots[i].forget_after_s);
        saved_put_bytes(writer, slots[i].tag, TAG_SIZE);
    }
}

void used_tickets_save(const struct used_tickets *used, struct saved_writer *writer)
{
    saved_put(writer, used->span_count);
    for (size_t i = 0; i < used->span_count; i++) {
        saved_put(writer, used->forgotten[i].first_s);
        saved_put(writer, used->forgotten[i].last_s);
    }
    saved_put(writer, used->count);
    save_slots(used->slots, used->slot_count, writer);
    if (used->former != NULL)
        save_slots(used->former + used->at, used->former_count - used->at, writer);
}

static bool make_slots(struct used_tickets *used, size_t count)
{
    size_t slot_count = SLOTS_MIN;

    while (slot_count < 4 * count)
        slot_count *= 2;
    struct slot *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(used->slots);
    used->slots = slots;
    used->slot_count = slot_count;
    return true;
}

bool used_tickets_load(struct used_tickets *used, struct saved_reader *reader)
{
    unsigned char tag[TAG_SIZE];

    used->span_count = (size_t)saved_take_within(reader, SPANS_MOST);
    for (size_t i = 0; i < used->span_count; i++) {
        used->forgotten[i].first_s = saved_take(reader);
        used->forgotten[i].last_s = saved_take(reader);
    }
    size_t count = saved_take_count(reader, 2 * sizeof(uint64_t) + TAG_SIZE);
    if (!make_slots(used, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t forget_after_s = saved_take(reader);
        saved_take_exactly(reader, tag, sizeof tag);
        if (reader->failed || find(used->slots, used->slot_count, tag)->forget_after_s != 0)
            return false;
        place(used, tag, forget_after_s);
    }
    return !reader->failed;
}
