#include "bus/bus_redis_entry.h"

#include "event_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool redis_place_read(struct redis_place *place, const struct redis_answer *answer)
{
    size_t length;
    const char *text = redis_answer_text(answer, &length);
    return text != NULL && event_id_read(text, length, &place->epoch, &place->sequence);
}

struct redis_word redis_place_write(char out[REDIS_PLACE_SIZE], struct redis_place place)
{
    int length =
        snprintf(out, REDIS_PLACE_SIZE, "%" PRIu64 "-%" PRIu64, place.epoch, place.sequence);
    return (struct redis_word){out, (size_t)length};
}

static void read_field(struct redis_entry *entry, const struct redis_answer *name,
                       const struct redis_answer *value)
{
    size_t length;
    const char *text = redis_answer_text(value, &length);
    if (redis_answer_is(name, "e"))
        entry->begins_epoch = true;
    else if (redis_answer_is(name, "t") && text != NULL)
        entry->wall_ms = strtoull(text, NULL, 10);
    else if (redis_answer_is(name, "m") && text != NULL) {
        entry->message = text;
        entry->length = length;
    }
}

bool redis_entry_read(struct redis_entry *entry, const struct redis_answer *answer)
{
    const struct redis_answer *fields = redis_answer_part(answer, 1);
    *entry = (struct redis_entry){0};
    if (!redis_place_read(&entry->place, redis_answer_part(answer, 0)))
        return false;
    for (size_t i = 0; i + 1 < redis_answer_count(fields); i += 2)
        read_field(entry, redis_answer_part(fields, i), redis_answer_part(fields, i + 1));
    return entry->begins_epoch || entry->message != NULL;
}

bool redis_entry_read_text(struct redis_entry *entry, const char *text, size_t length)
{
    const char *wall = memchr(text, ' ', length);
    const char *message =
        wall != NULL ? memchr(wall + 1, ' ', length - (size_t)(wall + 1 - text)) : NULL;
    *entry = (struct redis_entry){0};
    if (message == NULL ||
        !event_id_read(text, (size_t)(wall - text), &entry->place.epoch, &entry->place.sequence))
        return false;
    entry->wall_ms = strtoull(wall + 1, NULL, 10);
    entry->message = message + 1;
    entry->length = length - (size_t)(message + 1 - text);
    return true;
}
