#include "json_text.h"
#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of a program linked with -Wl,--wrap=write: the log cannot be written while a test says so. */
static atomic_bool is_full;
static atomic_uint refused;

ssize_t __real_write(int file, const void *bytes, size_t length);
ssize_t __wrap_write(int file, const void *bytes, size_t length);

ssize_t __wrap_write(int file, const void *bytes, size_t length)
{
    if (file != STDERR_FILENO || !atomic_load(&is_full))
        return __real_write(file, bytes, length);
    (void)atomic_fetch_add(&refused, 1);
    errno = ENOSPC;
    return -1;
}

struct capture {
    FILE *file; /* where standard error goes */
    int kept;   /* the true standard error */
    char text[8192];
};

static int set_up(void **state)
{
    struct capture *capture = calloc(1, sizeof *capture);
    assert_non_null(capture);
    capture->file = tmpfile();
    assert_non_null(capture->file);
    capture->kept = dup(STDERR_FILENO);
    assert_true(capture->kept >= 0);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
    (void)unsetenv("JOURNAL_STREAM");
    *state = capture;
    return 0;
}

static int tear_down(void **state)
{
    struct capture *capture = *state;
    message_set_format(MESSAGE_AS_TEXT);
    (void)dup2(capture->kept, STDERR_FILENO);
    (void)close(capture->kept);
    (void)fclose(capture->file);
    free(capture);
    return 0;
}

/* What was written since the last call. */
static const char *captured(struct capture *capture)
{
    ssize_t length = pread(fileno(capture->file), capture->text, sizeof capture->text - 1, 0);
    assert_true(length >= 0);
    capture->text[length] = '\0';
    assert_int_equal(ftruncate(fileno(capture->file), 0), 0);
    assert_int_equal(lseek(fileno(capture->file), 0, SEEK_SET), 0);
    return capture->text;
}

static void a_line_has_time_level_program_message_and_fields(void **state)
{
    int year, month, day, hour, minute, second, milliseconds, length = 0;
    message_configure("tester", MESSAGE_LEVEL_INFO, MESSAGE_TO_STDERR);
    time_t before = time(NULL);
    message_warning("worker ended", message_number("pid", -7), message_text("why", "signal"),
                    message_text("none", NULL));
    time_t after = time(NULL);
    const char *line = captured(*state);
    assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour,
                            &minute, &second, &milliseconds, &length),
                     7);
    assert_int_equal(length, 25);
    struct tm date = {.tm_year = year - 1900,
                      .tm_mon = month - 1,
                      .tm_mday = day,
                      .tm_hour = hour,
                      .tm_min = minute,
                      .tm_sec = second};
    assert_in_range(timegm(&date), before, after);
    assert_string_equal(line + length, "warning tester: worker ended pid=-7 why=signal none=-\n");
}

static void values_are_quoted_when_they_need_it(void **state)
{
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    message_error("m", message_text("a", ""), message_text("b", "two words"),
                  message_text("c", "q\"b\\"), message_text("d", "x=y"),
                  message_text("e", "l\nr\rt\te\x1b\x7f\xc3\xa9"),
                  message_text("f", "/plain,path:1"));
    assert_string_equal(captured(*state),
                        "<3>error t: m a=\"\" b=\"two words\" c=\"q\\\"b\\\\\" d=\"x=y\" "
                        "e=\"l\\nr\\rt\\te\\x1b\\x7f\\xc3\\xa9\" f=/plain,path:1\n");
}

static void a_message_cannot_break_the_line(void **state)
{
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    message_info("one\ntwo \"quoted\"");
    assert_string_equal(captured(*state), "<6>info t: one\\ntwo \"quoted\"\n");
}

static void less_weighty_lines_are_left_out(void **state)
{
    message_configure("t", MESSAGE_LEVEL_WARNING, MESSAGE_TO_JOURNAL);
    message_info("a");
    message_debug("b");
    message_warning("c");
    message_error("d");
    assert_string_equal(captured(*state), "<4>warning t: c\n<3>error t: d\n");
    message_configure("t", MESSAGE_LEVEL_DEBUG, MESSAGE_TO_JOURNAL);
    assert_int_equal(message_current_level(), MESSAGE_LEVEL_DEBUG);
    message_debug("e");
    assert_string_equal(captured(*state), "<7>debug t: e\n");
}

static void an_error_code_is_written_in_words(void **state)
{
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    errno = EPIPE;
    message_info("gone", message_error_code(ENOENT));
    assert_int_equal(errno, EPIPE);
    assert_string_equal(captured(*state), "<6>info t: gone error=\"No such file or directory\"\n");
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    struct capture *capture = *state;
    char *value = malloc(10001);
    assert_non_null(value);
    memset(value, 'v', 10000);
    value[10000] = '\0';
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    message_info("long", message_text("v", value), message_text("w", value));
    free(value);
    const char *line = captured(capture);
    assert_int_equal(strlen(line), 4096);
    assert_string_equal(line + 4096 - 6, "vv...\n");
    assert_ptr_equal(strchr(line, '\n'), line + 4095);
}

static void the_journals_own_stream_is_recognised(void **state)
{
    struct stat file;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &file), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)file.st_dev,
                   (uintmax_t)file.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_STDERR);
    message_info("a");
    assert_string_equal(captured(*state), "<6>info t: a\n");

    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)file.st_dev,
                   (uintmax_t)file.st_ino + 1);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_STDERR);
    message_info("a");
    assert_null(strstr(captured(*state), "<6>"));
}

/* Each line is the next one, or says how many are missing. */
static void check_line(const char *line, unsigned *next, unsigned *lost)
{
    unsigned long count;

    if (sscanf(line, "<4>warning t: lines lost: nobody took them in time lines=%lu", &count) == 1) {
        *next += (unsigned)count;
        *lost += (unsigned)count;
        return;
    }
    assert_int_equal(strncmp(line, "<6>info t: m text=xxx", 21), 0);
    assert_non_null(strstr(line, " n="));
    assert_int_equal(strtoul(strstr(line, " n=") + 3, NULL, 10), *next);
    ++*next;
}

/* Were lines written from here, this would stand still for ever. */
static void whoever_writes_does_not_wait_for_whoever_reads(void **state)
{
    enum { LINES = 2000, ROOM = 16384 };
    char long_text[201], line[512];
    int ends[2];
    unsigned next = 0, lost = 0;

    (void)state;
    memset(long_text, 'x', 200);
    long_text[200] = '\0';
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    assert_true(message_write_in_background(ROOM));
    for (int i = 0; i < LINES; i++)
        message_info("m", message_text("text", long_text), message_number("n", i));
    FILE *reader = fdopen(ends[0], "r");
    assert_non_null(reader);
    while (next < LINES) {
        assert_non_null(fgets(line, sizeof line, reader));
        check_line(line, &next, &lost);
    }
    assert_int_equal(next, LINES);
    assert_in_range(lost, 1, LINES - ROOM / 250);
    message_info("after");
    message_end_background();
    assert_non_null(fgets(line, sizeof line, reader));
    assert_string_equal(line, "<6>info t: after\n");
    assert_int_equal(fclose(reader), 0);
    assert_int_equal(close(ends[1]), 0);
}

/* Others write to the same pipe: a line is written at once, so that nothing comes in between. */
static void each_line_is_one_write(void **state)
{
    static const char *const lines[] = {"<6>info t: a\n", "<4>warning t: b k=v\n",
                                        "<6>info t: c\n"};
    char line[512];
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_DIRECT), 0); /* each write is read by itself */
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    assert_true(message_write_in_background(16384));
    message_info("a");
    message_warning("b", message_text("k", "v"));
    message_info("c");
    message_end_background();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ssize_t length = read(ends[0], line, sizeof line - 1);
        assert_true(length > 0);
        line[length] = '\0';
        assert_string_equal(line, lines[i]);
    }
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

/* What cannot be written is not tried again and again, and what comes later is written. */
static void a_line_that_cannot_be_written_is_lost(void **state)
{
    char line[512];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    assert_true(message_write_in_background(16384));
    atomic_store(&refused, 0);
    atomic_store(&is_full, true);
    message_info("a");
    while (atomic_load(&refused) == 0)
        (void)usleep(1000);
    atomic_store(&is_full, false);
    message_info("b");
    message_end_background();
    FILE *reader = fdopen(ends[0], "r");
    assert_non_null(reader);
    assert_non_null(fgets(line, sizeof line, reader));
    assert_string_equal(line, "<6>info t: b\n");
    assert_int_equal(fclose(reader), 0);
    assert_int_equal(close(ends[1]), 0);
}

/* A log that cannot be written holds up nobody. */
static void without_a_log_programs_go_on(void **state)
{
    int status;

    (void)state;
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        message_info("a");
        _exit(message_write_in_background(16384) ? (message_info("b"), message_end_background(), 7)
                                                 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void lines_of_one_kind_are_bounded(void **state)
{
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    message_limit(3, 60);
    for (int i = 0; i < 50; i++)
        message_info("refused", message_number("n", i));
    message_info("other");
    assert_string_equal(captured(*state), "<6>info t: refused n=0\n<6>info t: refused n=1\n"
                                          "<6>info t: refused n=2\n<6>info t: other\n");
    message_limit(0, 60);
}

/* One JSON object on one line, with nothing but ASCII; borrowed. */
static struct json_span one_object(const char *line)
{
    size_t length = strlen(line);
    const char *fault = "";

    assert_in_range(length, 2, 4096);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    for (size_t i = 0; i < length - 1; i++)
        assert_in_range(line[i], 0x20, 0x7e);
    if (!json_text_check(line, length - 1, 2, &fault))
        fail_msg("%s: %s", fault, line);
    assert_int_equal(line[0], '{');
    return (struct json_span){line, length - 1};
}

static void lines_may_be_json(void **state)
{
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_JOURNAL);
    message_set_format(MESSAGE_AS_JSON);
    message_error("m \"quoted\"", message_text("a", ""), message_text("b", "two words=\\"),
                  message_text("c", "l\nr\rt\t\x1b\x7f"),
                  message_text("d", "\xc3\xa9\xf0\x9f\x98\x80"),
                  message_text("e", "\xff\xc3(\xed\xa0\x80"), message_number("n", INT64_MIN));
    assert_string_equal(
        captured(*state),
        "<3>{\"level\":\"error\",\"program\":\"t\",\"message\":\"m \\\"quoted\\\"\",\"a\":\"\","
        "\"b\":\"two words=\\\\\",\"c\":\"l\\u000ar\\u000dt\\u0009\\u001b\\u007f\","
        "\"d\":\"\\u00e9\\ud83d\\ude00\",\"e\":\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\","
        "\"n\":-9223372036854775808}\n");
    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_STDERR);
    message_info("m");
    struct json_span time = json_text_member(one_object(captured(*state)), "time");
    assert_int_equal(time.length, sizeof "\"2026-01-02T03:04:05.678Z\"" - 1);
}

/* Wherever the cut falls: in a key, a number, a value of plain letters or of escapes. */
static void a_line_of_json_is_cut_in_its_form(void **state)
{
    static const char *const fillings[] = {"v", "\n", "\xc3\xa9", "\xf0\x9f\x98\x80", "\"", "\xff"};
    char value[5000];
    unsigned cut = 0, whole = 0;

    message_configure("t", MESSAGE_LEVEL_INFO, MESSAGE_TO_STDERR);
    message_set_format(MESSAGE_AS_JSON);
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        size_t unit = strlen(fillings[i]);
        for (size_t length = 600; length + unit < sizeof value; length += 1 + length / 900) {
            size_t used = 0;
            for (; used + unit <= length; used += unit)
                memcpy(value + used, fillings[i], unit);
            value[used] = '\0';
            message_info("long", message_text("v", value), message_number("n", 123456789),
                         message_text("last", "x"));
            struct json_span line = one_object(captured(*state));
            bool is_cut = json_text_member(line, "cut").start != NULL;
            assert_true(is_cut || json_text_member(line, "last").start != NULL);
            cut += is_cut;
            whole += !is_cut;
        }
    }
    assert_true(cut > 0 && whole > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_level_program_message_and_fields),
        TEST(values_are_quoted_when_they_need_it),
        TEST(a_message_cannot_break_the_line),
        TEST(less_weighty_lines_are_left_out),
        TEST(an_error_code_is_written_in_words),
        TEST(a_long_line_is_cut_and_says_so),
        TEST(the_journals_own_stream_is_recognised),
        TEST(lines_of_one_kind_are_bounded),
        TEST(each_line_is_one_write),
        TEST(a_line_that_cannot_be_written_is_lost),
        TEST(without_a_log_programs_go_on),
        TEST(lines_may_be_json),
        TEST(a_line_of_json_is_cut_in_its_form),
        TEST(whoever_writes_does_not_wait_for_whoever_reads),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
