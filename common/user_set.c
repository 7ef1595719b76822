#include "user_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93U;
    value ^= value >> 32;
    return value;
}

static uint64_t hash(const char *text, size_t length, uint64_t seed)
{
    uint64_t state = seed ^ length;
    for (; length >= sizeof state; length -= sizeof state, text += sizeof state) {
        uint64_t word;
        memcpy(&word, text, sizeof word);
        state = mix(state ^ word) + seed;
    }
    uint64_t last = 0;
    memcpy(&last, text, length);
    return mix(mix(state ^ last) + seed);
}

static size_t count_users(const char *users, size_t length)
{
    size_t count = 0;
    const char *end = users + length;
    while (users < end && (users = memchr(users, '\0', (size_t)(end - users))) != NULL) {
        users++;
        count++;
    }
    return count;
}

static void add(struct user_set *set, size_t offset, size_t length)
{
    size_t slot = hash(set->users + offset, length, set->seed) & set->mask;
    while (set->slots[slot] != 0)
        slot = (slot + 1) & set->mask;
    set->slots[slot] = (uint32_t)offset + 1;
}

bool user_set_fill(struct user_set *set, const char *users, size_t length)
{
    *set = (struct user_set){.users = users};
    if (length >= UINT32_MAX)
        return false;
    size_t count = length > 0 ? count_users(users, length) : 0;
    if (count == 0)
        return true;
    if (getrandom(&set->seed, sizeof set->seed, 0) != (ssize_t)sizeof set->seed)
        return false;
    size_t slots = 8;
    while (slots < count * 2)
        slots *= 2;
    set->slots = calloc(slots, sizeof *set->slots);
    if (set->slots == NULL)
        return false;
    set->mask = slots - 1;
    for (size_t offset = 0; count-- > 0;) {
        size_t step = strlen(users + offset);
        add(set, offset, step);
        offset += step + 1;
    }
    return true;
}

bool user_set_has(const struct user_set *set, const char *user)
{
    if (set->slots == NULL)
        return false;
    size_t slot = hash(user, strlen(user), set->seed) & set->mask;
    for (; set->slots[slot] != 0; slot = (slot + 1) & set->mask)
        if (strcmp(set->users + set->slots[slot] - 1, user) == 0)
            return true;
    return false;
}

void user_set_free(struct user_set *set)
{
    free(set->slots);
    *set = (struct user_set){0};
}
