#include "exposition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- which format ---- */

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* The weight of a media range, in thousandths: its `q`, 1000 without one. */
static int read_weight(const char *parameters, size_t length)
{
    const char *end = parameters + length;
    for (const char *at = memchr(parameters, ';', length); at != NULL && at < end;
         at = memchr(at + 1, ';', (size_t)(end - at - 1))) {
        const char *name = skip_blanks(at + 1);
        if (strncasecmp(name, "q=", 2) == 0)
            return (int)(strtod(name + 2, NULL) * 1000 + 0.5);
    }
    return 1000;
}

static bool is_range(const char *range, size_t length, const char *type)
{
    return length >= strlen(type) && strncasecmp(range, type, strlen(type)) == 0;
}

enum exposition_format exposition_choose(const char *accept)
{
    int open_metrics = 0, text = 0;
    while (accept != NULL && *accept != '\0') {
        const char *range = accept + strspn(accept, " \t,");
        size_t length = strcspn(range, ",");
        int weight = read_weight(range, length);
        if (is_range(range, length, "application/openmetrics-text"))
            open_metrics = weight > open_metrics ? weight : open_metrics;
        else if (is_range(range, length, "text/") || is_range(range, length, "*/*"))
            text = weight > text ? weight : text;
        accept = range + length;
    }
    return open_metrics > text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- families ---- */

/* In OpenMetrics a counter's family has no `_total`, which its sample has; in the other format they
 * have one name. */
static void begin_family(struct exposition *exposition, const char *name, const char *type,
                         const char *help)
{
    exposition->family = name;
    exposition->is_counter = strcmp(type, "counter") == 0;
    const char *suffix =
        exposition->is_counter && exposition->format == EXPOSITION_TEXT ? "_total" : "";
    bytes_append_format(exposition->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help,
                        name, suffix, type);
}

void exposition_counter(struct exposition *exposition, const char *name, const char *help)
{
    begin_family(exposition, name, "counter", help);
}

void exposition_gauge(struct exposition *exposition, const char *name, const char *help)
{
    begin_family(exposition, name, "gauge", help);
}

static void write_label(struct bytes *out, const char *label, const char *value)
{
    bytes_append_text(out, label);
    bytes_append_text(out, "=\"");
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            bytes_append(out, "\\", 1);
        bytes_append(out, *value == '\n' ? "\\n" : value, *value == '\n' ? 2 : 1);
    }
    bytes_append_text(out, "\"");
}

static void begin_sample(const struct exposition *exposition)
{
    bytes_append_text(exposition->out, exposition->family);
    if (exposition->is_counter)
        bytes_append_text(exposition->out, "_total");
}

static void end_sample(const struct exposition *exposition, uint64_t number)
{
    bytes_append_text(exposition->out, " ");
    bytes_append_number(exposition->out, number);
    bytes_append_text(exposition->out, "\n");
}

void exposition_sample(struct exposition *exposition, const char *label, const char *value,
                       uint64_t number)
{
    begin_sample(exposition);
    if (label != NULL) {
        bytes_append_text(exposition->out, "{");
        write_label(exposition->out, label, value);
        bytes_append_text(exposition->out, "}");
    }
    end_sample(exposition, number);
}

void exposition_sample_of_two(struct exposition *exposition, const char *const labels[2],
                              const char *const values[2], uint64_t number)
{
    begin_sample(exposition);
    bytes_append_text(exposition->out, "{");
    write_label(exposition->out, labels[0], values[0]);
    bytes_append_text(exposition->out, ",");
    write_label(exposition->out, labels[1], values[1]);
    bytes_append_text(exposition->out, "}");
    end_sample(exposition, number);
}

void exposition_fraction(struct exposition *exposition, double number)
{
    begin_sample(exposition);
    bytes_append_format(exposition->out, " %.17g\n", number);
}

void exposition_one_counter(struct exposition *exposition, const char *name, const char *help,
                            uint64_t number)
{
    exposition_counter(exposition, name, help);
    exposition_sample(exposition, NULL, NULL, number);
}

void exposition_one_gauge(struct exposition *exposition, const char *name, const char *help,
                          uint64_t number)
{
    exposition_gauge(exposition, name, help);
    exposition_sample(exposition, NULL, NULL, number);
}

/* With a point, so that a bucket has one name in both formats. */
static void write_bound(char bound[32], const struct histogram_scale *scale, size_t bucket)
{
    if (bucket == HISTOGRAM_BUCKETS - 1) {
        (void)snprintf(bound, 32, "+Inf");
        return;
    }
    int length = snprintf(bound, 32, "%.12g", (double)scale->bounds[bucket] / (double)scale->unit);
    if (strpbrk(bound, ".e") == NULL)
        (void)snprintf(bound + length, (size_t)(32 - length), ".0");
}

void exposition_histogram(struct exposition *exposition, const char *name, const char *help,
                          const struct histogram *histogram, const struct histogram_scale *scale)
{
    struct bytes *out = exposition->out;
    uint64_t so_far = 0;
    char bound[32];
    begin_family(exposition, name, "histogram", help);
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        so_far += histogram->counts[bucket];
        write_bound(bound, scale, bucket);
        bytes_append_format(out, "%s_bucket{le=\"%s\"} %llu\n", name, bound,
                            (unsigned long long)so_far);
    }
    bytes_append_format(out, "%s_sum %.17g\n%s_count %llu\n", name,
                        (double)histogram->sum / (double)scale->unit, name,
                        (unsigned long long)so_far);
}

void exposition_end(struct exposition *exposition)
{
    if (exposition->format == EXPOSITION_OPENMETRICS)
        bytes_append_text(exposition->out, "# EOF\n");
}
