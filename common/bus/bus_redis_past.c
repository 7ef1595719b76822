#include "bus/bus_redis_past.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_ENTRIES = 64,
    ENTRY_OVERHEAD = 128 /* bytes of an event in a daemon's memory, beside its texts */
};

/* ---- the window ---- */

struct walk {
    struct redis_window *window;
    uint64_t oldest_ms; /* by the wall clock */
    size_t bytes;       /* that may still come */
    bool is_over;
};

static void walk_to(struct walk *walk, const struct redis_answer *answer)
{
    struct redis_entry entry;
    struct redis_window *window = walk->window;
    bool known = redis_entry_read(&entry, answer);
    if (window->newest.epoch == 0)
        window->newest = window->before = entry.place;
    size_t size = entry.length + ENTRY_OVERHEAD;
    bool fits = known && !entry.begins_epoch && entry.place.epoch == window->newest.epoch &&
                entry.wall_ms >= walk->oldest_ms && size <= walk->bytes;
    if (!fits) {
        window->before = entry.place;
        walk->is_over = true;
        return;
    }
    walk->bytes -= size;
    window->before = (struct redis_place){entry.place.epoch, entry.place.sequence - 1};
}

/* A page of the log from `before` back; its number of entries, -1 when Redis failed. */
static int walk_page(struct walk *walk, struct redis_link *link, bool is_first)
{
    char place[REDIS_PLACE_SIZE], count[REDIS_NUMBER_SIZE];
    struct bytes key = BYTES_EMPTY;
    const struct redis_word words[] = {{"XREVRANGE", 9},
                                       redis_link_key(&key, link, "log"),
                                       is_first ? redis_word_of("+")
                                                : redis_place_write(place, walk->window->before),
                                       {"-", 1},
                                       {"COUNT", 5},
                                       redis_word_number(count, is_first ? 1 : walk->window->page)};
    struct redis_answer *page = key.failed ? NULL : redis_link_ask(link, words, 6);
    int entries = page != NULL ? (int)redis_answer_count(page) : -1;
    for (int i = 0; i < entries && !walk->is_over; i++)
        walk_to(walk, redis_answer_part(page, (size_t)i));
    redis_answer_free(&page);
    bytes_free(&key);
    return entries;
}

bool redis_past_find_window(const struct redis_node *node, struct redis_link *link,
                            struct redis_window *window)
{
    uint64_t now = clock_wall_ms(), age = node->options.window_ms;
    struct walk walk = {.window = window,
                        .oldest_ms = now > age ? now - age : 0,
                        .bytes = node->options.window_bytes};
    *window = (struct redis_window){.page = window->page};
    int entries = walk_page(&walk, link, true);
    while (entries > 0 && !walk.is_over)
        entries = walk_page(&walk, link, false);
    return entries >= 0;
}

/* ---- values and drops ---- */

/* What lies in the window or behind it comes with that. */
static bool put_text(struct redis_node *node, const struct redis_window *window, const char *text,
                     size_t length, bool is_value)
{
    struct redis_entry entry;
    if (text == NULL || !redis_entry_read_text(&entry, text, length) ||
        redis_place_is_before(window->before, entry.place))
        return true;
    struct redis_item *item = redis_item_new(entry.message, entry.length);
    if (item == NULL)
        return false;
    item->number = entry.place.sequence; /* also of an epoch before: they go on over epochs */
    item->wall_ms = entry.wall_ms;
    item->value = is_value;
    item->past = true;
    return redis_queue_put(&node->queue, item);
}

static bool put_page(struct redis_node *node, const struct redis_window *window,
                     const struct redis_answer *page, bool are_values)
{
    for (size_t i = are_values; i < redis_answer_count(page); i += are_values ? 2 : 1) {
        size_t length;
        const char *text = redis_answer_text(redis_answer_part(page, i), &length);
        if (!put_text(node, window, text, length, are_values))
            return false;
    }
    return true;
}

bool redis_past_put_values(struct redis_node *node, struct redis_link *link,
                           const struct redis_window *window)
{
    char cursor[REDIS_NUMBER_SIZE] = "0";
    struct bytes key = BYTES_EMPTY;
    bool good;
    do {
        const struct redis_word words[] = {{"HSCAN", 5},
                                           redis_link_key(&key, link, "values"),
                                           redis_word_of(cursor),
                                           {"COUNT", 5},
                                           {"100", 3}};
        struct redis_answer *page = key.failed ? NULL : redis_link_ask(link, words, 5);
        size_t length;
        const char *next = redis_answer_text(redis_answer_part(page, 0), &length);
        good = next != NULL && length < sizeof cursor &&
               put_page(node, window, redis_answer_part(page, 1), true);
        if (good)
            memcpy(cursor, next, length + 1);
        redis_answer_free(&page);
    } while (good && strcmp(cursor, "0") != 0);
    bytes_free(&key);
    return good;
}

bool redis_past_put_drops(struct redis_node *node, struct redis_link *link,
                          const struct redis_window *window)
{
    char now[REDIS_NUMBER_SIZE], skipped[REDIS_NUMBER_SIZE];
    struct bytes key = BYTES_EMPTY;
    size_t at = 0, count = PAGE_ENTRIES;
    bool good = true;
    for (; good && count == PAGE_ENTRIES; at += count) {
        const struct redis_word words[] = {{"ZRANGEBYSCORE", 13},
                                           redis_link_key(&key, link, "drops"),
                                           redis_word_number(now, clock_wall_ms()),
                                           {"+inf", 4},
                                           {"LIMIT", 5},
                                           redis_word_number(skipped, at),
                                           {"64", 2}};
        struct redis_answer *page = key.failed ? NULL : redis_link_ask(link, words, 7);
        count = redis_answer_count(page);
        good = page != NULL && put_page(node, window, page, false);
        redis_answer_free(&page);
    }
    bytes_free(&key);
    return good;
}
