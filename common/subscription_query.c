#include "subscription_query.h"

#include "query.h"
#include "requested_topics.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char broken[] = "Invalid percent-encoding in the query";
static const char no_text[] = "The query is not UTF-8";

/* NULL when the text is no UTF-8, or without memory. */
static json_t *text_of(const struct bytes *value)
{
    return json_stringn(value->data != NULL ? value->data : "", value->length);
}

/* kind: the member that makes the topic what it is, or NULL. */
static json_t *point_of(const struct bytes *topic, const char *kind)
{
    json_t *text = text_of(topic);

    return kind != NULL && text != NULL ? json_pack("{s:o, s:b}", "topic", text, kind, 1) : text;
}

/* Every parameter of this name is a topic. */
static const char *read_topics(json_t *points, const char *query, const char *name,
                               const char *kind)
{
    struct bytes topic = BYTES_EMPTY;
    enum query_result result;
    const char *fault = NULL;

    while (fault == NULL &&
           (result = query_next(&query, name, QUERY_PLUS_IS_LEVEL, &topic)) != QUERY_END) {
        if (topic.failed)
            fault = REQUESTED_TOPICS_NO_MEMORY;
        else if (result == QUERY_BROKEN)
            fault = broken;
        else if (json_array_append_new(points, point_of(&topic, kind)) != 0)
            fault = no_text;
        bytes_clear(&topic);
    }
    bytes_free(&topic);
    return fault;
}

static const char *read_text(json_t *body, const char *query, const char *name,
                             enum query_plus plus)
{
    struct bytes value = BYTES_EMPTY;
    enum query_result result = query_next(&query, name, plus, &value);
    const char *fault = NULL;

    if (value.failed)
        fault = REQUESTED_TOPICS_NO_MEMORY;
    else if (result == QUERY_BROKEN)
        fault = broken;
    else if (result == QUERY_FOUND && json_object_set_new(body, name, text_of(&value)) != 0)
        fault = no_text;
    bytes_free(&value);
    return fault;
}

bool subscription_query_says_had(const char *query)
{
    static const char yes[] = "true";
    struct bytes value = BYTES_EMPTY;
    bool says = query_next(&query, "report", QUERY_PLUS_IS_PLUS, &value) == QUERY_FOUND &&
                value.length == sizeof yes - 1 && memcmp(value.data, yes, sizeof yes - 1) == 0;

    bytes_free(&value);
    return says;
}

static const char *read_number(json_t *body, const char *query, const char *name,
                               const char *not_a_number)
{
    struct bytes value = BYTES_EMPTY;
    const char *text, *fault = NULL;
    char *end;
    long long number;

    if (query_next(&query, name, QUERY_PLUS_IS_PLUS, &value) != QUERY_END) {
        text = bytes_terminate(&value);
        errno = 0;
        number = text != NULL ? strtoll(text, &end, 10) : 0;
        if (text == NULL)
            fault = REQUESTED_TOPICS_NO_MEMORY;
        else if (end == text || *end || errno || number < 0)
            fault = not_a_number;
        else if (json_object_set_new(body, name, json_integer(number)) != 0)
            fault = REQUESTED_TOPICS_NO_MEMORY;
    }
    bytes_free(&value);
    return fault;
}

/* event-source-polyfill; Mercure, as specified and as it was before; Last-Event-ID as a parameter.
 */
bool subscription_query_last_event(const char *query, struct bytes *id)
{
    static const char *const names[] = {"lastEventId",   "lastEventID",   "last-event-id",
                                        "Last-Event-ID", "last_event_id", "Last-Event-Id"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bytes_clear(id);
        if (query_find_secret(query, names[i], id) && id->length > 0)
            return true;
    }
    return false;
}

static const char *read_last_event(json_t *body, const char *query)
{
    struct bytes id = BYTES_EMPTY;
    const char *fault = NULL;

    if (subscription_query_last_event(query, &id) &&
        json_object_set_new(body, "last_id", text_of(&id)) != 0)
        fault = no_text;
    bytes_free(&id);
    return fault;
}

static const char *read_report(json_t *body, const char *query)
{
    return !subscription_query_says_had(query) ||
                   json_object_set_new(body, "report", json_true()) == 0
               ? NULL
               : REQUESTED_TOPICS_NO_MEMORY;
}

const char *subscription_query_read(json_t *body, const char *query)
{
    static const struct {
        const char *name;
        enum query_plus plus;
    } texts[] = {{"clid", QUERY_PLUS_IS_BLANK},
                 {"last_id", QUERY_PLUS_IS_PLUS},
                 {"secret", QUERY_PLUS_IS_PLUS},
                 {"bind_key", QUERY_PLUS_IS_PLUS},
                 {"token", QUERY_PLUS_IS_PLUS}};
    json_t *points = json_array();

    if (points == NULL || json_object_set_new(body, "ep", points) != 0)
        return REQUESTED_TOPICS_NO_MEMORY;
    const char *fault = read_topics(points, query, "ep", NULL);
    if (fault == NULL)
        fault = read_topics(points, query, "binded", "binded");
    if (fault == NULL)
        fault = read_topics(points, query, "bound", "binded");
    if (fault == NULL)
        fault = read_topics(points, query, "private", "private");
    for (size_t i = 0; fault == NULL && i < sizeof texts / sizeof *texts; i++)
        fault = read_text(body, query, texts[i].name, texts[i].plus);
    if (fault == NULL)
        fault = read_last_event(body, query);
    if (fault == NULL)
        fault = read_report(body, query);
    if (fault == NULL)
        fault = read_number(body, query, "connid", "connid should be a number");
    if (fault == NULL)
        fault = read_number(body, query, "wait", "wait should be a number of milliseconds");
    return fault;
}
