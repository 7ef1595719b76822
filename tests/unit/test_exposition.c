/* Metrics as text: the two formats, what an Accept header chooses, and buckets. */
#include "exposition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_accept_chooses(void **state)
{
    static const struct {
        const char *accept;
        enum exposition_format format;
    } cases[] = {
        {NULL, EXPOSITION_TEXT},
        {"", EXPOSITION_TEXT},
        {"*/*", EXPOSITION_TEXT},
        {"text/plain", EXPOSITION_TEXT},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"Application/OpenMetrics-Text; version=1.0.0", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         EXPOSITION_OPENMETRICS},
        {"text/plain;q=0.9, application/openmetrics-text;q=0.3", EXPOSITION_TEXT},
        {"application/openmetrics-text;q=0", EXPOSITION_TEXT},
        {"application/openmetrics-text; version=1.0.0; q=0.2,text/plain; q=0.1",
         EXPOSITION_OPENMETRICS},
        {"text/html,,, application/openmetrics-text;q=", EXPOSITION_TEXT},
        {";;;,;q=1;", EXPOSITION_TEXT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (exposition_choose(cases[i].accept) != cases[i].format)
            fail_msg("%s", cases[i].accept);
}

static char *written(enum exposition_format format)
{
    struct bytes text = BYTES_EMPTY;
    struct exposition out = {.out = &text, .format = format};
    struct histogram times = {0};

    histogram_add(&times, &histogram_times, 100000, 1);         /* the bound itself */
    histogram_add(&times, &histogram_times, 100001, 2);         /* past it */
    histogram_add(&times, &histogram_times, 60000000000ULL, 1); /* past them all */
    exposition_counter(&out, "a", "Things.");
    exposition_sample(&out, "of", "say \"hi\"\\\n", 18446744073709551615ULL);
    exposition_one_gauge(&out, "b", "Now.", 0);
    exposition_histogram(&out, "c_seconds", "Long.", &times, &histogram_times);
    exposition_end(&out);
    assert_non_null(bytes_terminate(&text));
    return text.data;
}

static void test_formats(void **state)
{
    char *text = written(EXPOSITION_TEXT), *open = written(EXPOSITION_OPENMETRICS);

    (void)state;
    assert_non_null(strstr(text, "# HELP a_total Things.\n# TYPE a_total counter\n"
                                 "a_total{of=\"say \\\"hi\\\"\\\\\\n\"} 18446744073709551615\n"));
    assert_non_null(strstr(open, "# HELP a Things.\n# TYPE a counter\na_total{of="));
    assert_non_null(strstr(text, "# TYPE b gauge\nb 0\n"));
    assert_null(strstr(text, "# EOF"));
    assert_string_equal(strstr(open, "# EOF"), "# EOF\n");
    free(text);
    free(open);
}

static void test_buckets(void **state)
{
    char *text = written(EXPOSITION_TEXT);

    (void)state;
    assert_non_null(strstr(text, "c_seconds_bucket{le=\"0.0001\"} 1\n"));
    assert_non_null(strstr(text, "c_seconds_bucket{le=\"0.00025\"} 3\n"));
    assert_non_null(strstr(text, "c_seconds_bucket{le=\"1.0\"} 3\n"));
    assert_non_null(strstr(text, "c_seconds_bucket{le=\"30.0\"} 3\n"));
    assert_non_null(strstr(text, "c_seconds_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(text, "c_seconds_sum 60.0003"));
    assert_non_null(strstr(text, "c_seconds_count 4\n"));
    free(text);
}

static void test_shared_ones_count_alike(void **state)
{
    struct histogram one = {0}, other = {0};

    (void)state;
    for (uint64_t value = 0; value < 4000000; value = value * 3 + 1) {
        histogram_add(&one, &histogram_counts, value, 1);
        histogram_add_shared(&other, &histogram_counts, value);
    }
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(one.counts[0], 1);
    assert_true(one.counts[HISTOGRAM_BUCKETS - 1] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_chooses),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_shared_ones_count_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
