#include "streams/report_users.h"

#include "event.h"

#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct report_user *)a)->id, ((const struct report_user *)b)->id);
}

static uint32_t count_ids(const struct event *event)
{
    uint32_t count = 0;

    for (size_t i = 0; i < event->allowed_length; i++)
        count += event->allowed[i] == '\0';
    return count;
}

struct report_users *report_users_new(struct report *report, const struct event *event)
{
    uint32_t count = count_ids(event);
    size_t size = sizeof(struct report_users) + count * sizeof(struct report_user) +
                  event->allowed_length + event->topic_length;
    struct report_users *users = calloc(1, size);

    if (users == NULL)
        return NULL;
    char *texts = (char *)&users->list[count];
    memcpy(texts, event->allowed, event->allowed_length);
    for (uint32_t i = 0; i < count; i++, texts += strlen(texts) + 1)
        users->list[i].id = texts;
    qsort(users->list, count, sizeof *users->list, compare_ids);
    memcpy(texts, event->topic, event->topic_length);
    users->report = report;
    users->topic = texts;
    users->topic_length = event->topic_length;
    users->count = count;
    users->size = size;
    return users;
}

void report_users_free(struct report_users **users)
{
    if (*users == NULL)
        return;
    deadlines_remove(&(*users)->due);
    free(*users);
    *users = NULL;
}

uint32_t report_users_find(const struct report_users *users, const char *id)
{
    const struct report_user key = {.id = id};
    const struct report_user *found =
        id != NULL ? bsearch(&key, users->list, users->count, sizeof *users->list, compare_ids)
                   : NULL;

    return found != NULL ? (uint32_t)(found - users->list) : REPORT_NO_USER;
}
