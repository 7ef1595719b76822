/* Writes metrics in the two formats that Prometheus and its like read: its text format 0.0.4, and
 * OpenMetrics 1.0.0. Families are written one after the other, each with all of its samples. */
#ifndef ESN_EXPOSITION_H
#define ESN_EXPOSITION_H

#include "bytes.h"
#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* What an Accept header prefers (RFC 9110, section 12.5.1); NULL: there is none. */
enum exposition_format exposition_choose(const char *accept);
const char *exposition_content_type(enum exposition_format format);

struct exposition {
    struct bytes *out;
    enum exposition_format format;
    const char *family; /* that is being written */
    bool is_counter;
};

/* The name without `_total`. `help`: a sentence, without line ends, quotes or backslashes. */
void exposition_counter(struct exposition *exposition, const char *name, const char *help);
void exposition_gauge(struct exposition *exposition, const char *name, const char *help);
/* A sample of that family. `label` NULL: it has none. The value of a label may be any UTF-8. */
void exposition_sample(struct exposition *exposition, const char *label, const char *value,
                       uint64_t number);
/* The same with two labels; and of a number that is no whole one. */
void exposition_sample_of_two(struct exposition *exposition, const char *const labels[2],
                              const char *const values[2], uint64_t number);
void exposition_fraction(struct exposition *exposition, double number);
/* A family of one sample without labels. */
void exposition_one_counter(struct exposition *exposition, const char *name, const char *help,
                            uint64_t number);
void exposition_one_gauge(struct exposition *exposition, const char *name, const char *help,
                          uint64_t number);
void exposition_histogram(struct exposition *exposition, const char *name, const char *help,
                          const struct histogram *histogram, const struct histogram_scale *scale);
/* What stands behind the last family. */
void exposition_end(struct exposition *exposition);

#endif
