#include "report_merge.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct merging {
    json_t *missing; /* by connection id */
    json_int_t sent, had, more;
    json_t *id;
};

static bool is_open(const json_t *stream)
{
    const char *state = json_string_value(json_object_get(stream, "state"));
    return state != NULL && strcmp(state, "open") == 0;
}

static bool add_stream(struct merging *merging, json_t *stream)
{
    char connid[32];
    (void)snprintf(connid, sizeof connid, "%" JSON_INTEGER_FORMAT,
                   json_integer_value(json_object_get(stream, "connid")));
    const json_t *known = json_object_get(merging->missing, connid);
    return (known != NULL && (is_open(known) || !is_open(stream))) ||
           json_object_set(merging->missing, connid, stream) == 0;
}

static bool add_report(struct merging *merging, const json_t *report)
{
    const json_t *missing = json_object_get(report, "missing");
    if (!json_is_object(report) || !json_is_integer(json_object_get(report, "sent")))
        return false;
    if (merging->id == NULL)
        merging->id = json_incref(json_object_get(report, "id"));
    merging->sent += json_integer_value(json_object_get(report, "sent"));
    merging->had += json_integer_value(json_object_get(report, "had"));
    merging->more += json_integer_value(json_object_get(report, "more"));
    for (size_t i = 0; i < json_array_size(missing); i++)
        if (!add_stream(merging, json_array_get(missing, i)))
            return false;
    return true;
}

/* How many objects there were; 0: it is no such text. */
static size_t read_all(struct merging *merging, const struct bytes *text)
{
    size_t count = 0, at = 0;
    while (at < text->length) {
        json_error_t error;
        json_t *report =
            json_loadb(text->data + at, text->length - at, JSON_DISABLE_EOF_CHECK, &error);
        bool added = report != NULL && add_report(merging, report);
        json_decref(report);
        if (!added)
            return 0;
        count++;
        at += (size_t)error.position;
        while (at < text->length && (text->data[at] == '\n' || text->data[at] == ' '))
            at++;
    }
    return count;
}

static char *write_report(struct merging *merging)
{
    json_t *list = json_array(), *stream;
    const char *connid;
    json_object_foreach(merging->missing, connid, stream)
    {
        if (json_array_size(list) >= REPORT_MISSING_MOST)
            merging->more++;
        else
            (void)json_array_append(list, stream);
    }
    json_t *report = json_pack("{sO sI sI so}", "id", merging->id, "sent", merging->sent, "had",
                               merging->had, "missing", list);
    if (report != NULL && merging->more > 0)
        (void)json_object_set_new(report, "more", json_integer(merging->more));
    char *text = report != NULL ? json_dumps(report, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(report);
    return text;
}

bool report_merge(struct bytes *text)
{
    struct merging merging = {.missing = json_object()};
    size_t count = merging.missing != NULL ? read_all(&merging, text) : 0;
    char *merged = count > 1 && merging.id != NULL ? write_report(&merging) : NULL;
    if (merged != NULL) {
        bytes_clear(text);
        bytes_append_text(text, merged);
        bytes_append_text(text, "\n");
    }
    bool good = count == 1 || (merged != NULL && !text->failed);
    free(merged);
    json_decref(merging.id);
    json_decref(merging.missing);
    return good;
}
