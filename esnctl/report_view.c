#include "report_view.h"

#include "commands.h"

#include <jansson.h>
#include <stdio.h>

static json_t *read_report(const struct bytes *text)
{
    json_t *report = json_loadb(text->data, text->length, 0, NULL);
    if (json_is_array(json_object_get(report, "missing")))
        return report;
    json_decref(report);
    return NULL;
}

bool report_view_is_complete(const struct bytes *text)
{
    json_t *report = read_report(text);
    bool complete = report != NULL && json_array_size(json_object_get(report, "missing")) == 0;
    json_decref(report);
    return complete;
}

static void print_stream(const json_t *stream)
{
    const char *user = json_string_value(json_object_get(stream, "uid"));
    (void)printf("%-18lld %-5s %8lld ms  %s%s%s\n",
                 (long long)json_integer_value(json_object_get(stream, "connid")),
                 json_string_value(json_object_get(stream, "state")),
                 (long long)json_integer_value(json_object_get(stream, "ms")),
                 user != NULL ? user : "", user != NULL ? "  " : "",
                 json_string_value(json_object_get(stream, "clid")));
}

static void print_words(const json_t *report)
{
    const json_t *missing = json_object_get(report, "missing"), *stream;
    size_t i;
    (void)printf("sent %lld, had %lld, missing %zu",
                 (long long)json_integer_value(json_object_get(report, "sent")),
                 (long long)json_integer_value(json_object_get(report, "had")),
                 json_array_size(missing));
    const json_t *more = json_object_get(report, "more");
    if (more != NULL)
        (void)printf(" and %lld more", (long long)json_integer_value(more));
    (void)printf("\n");
    json_array_foreach(missing, i, stream) print_stream(stream);
}

int report_view_print(const struct bytes *text, bool as_json)
{
    json_t *report = read_report(text);
    if (report == NULL)
        return command_fail("the daemon's answer is none of this version");
    if (as_json)
        (void)fwrite(text->data, 1, text->length, stdout);
    else
        print_words(report);
    json_decref(report);
    return COMMAND_GOOD;
}
