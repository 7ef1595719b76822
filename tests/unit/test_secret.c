#include "hex.h"
#include "secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char path[64];
    char error[SECRET_ERROR_SIZE];
    struct secret_list list;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    (void)snprintf(scene->path, sizeof scene->path, "/tmp/esn-secret-XXXXXX");
    int file = mkstemp(scene->path);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    secret_list_free(&scene->list);
    assert_int_equal(unlink(scene->path), 0);
    free(scene);
    return 0;
}

static bool load(struct scene *scene, mode_t mode, const char *bytes, size_t length)
{
    int file = open(scene->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, length), length);
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
    secret_list_free(&scene->list);
    return secret_list_load(&scene->list, scene->path, scene->error);
}

static bool load_text(struct scene *scene, mode_t mode, const char *text)
{
    return load(scene, mode, text, strlen(text));
}

static void tokens_are_read_one_a_line(void **state)
{
    struct scene *scene = *state;
    assert_true(load_text(scene, 0600, "# mine\n\n  first \r\n\tsecond token\n#third\nfo#urth"));
    assert_int_equal(scene->list.count, 3);
    assert_string_equal(scene->list.values[0], "first");
    assert_string_equal(scene->list.values[1], "second token");
    assert_string_equal(scene->list.values[2], "fo#urth");
    /* A byte order mark, as some editors write it, is no part of the first one. */
    assert_true(load_text(scene, 0600,
                          "\xef\xbb\xbf"
                          "first\nsecond"));
    assert_int_equal(scene->list.count, 2);
    assert_string_equal(scene->list.values[0], "first");
    assert_true(load_text(scene, 0640, ""));
    assert_int_equal(scene->list.count, 0);
}

/* errno says what went wrong with a call that failed, and nothing after one that did not. */
static void what_went_wrong_before_does_not_matter(void **state)
{
    struct scene *scene = *state;
    assert_true(load_text(scene, 0600, "first\n"));
    secret_list_free(&scene->list);
    errno = EINTR;
    assert_true(secret_list_load(&scene->list, scene->path, scene->error));
    assert_int_equal(scene->list.count, 1);
    assert_string_equal(scene->list.values[0], "first");
}

static void no_path_gives_an_empty_list(void **state)
{
    struct scene *scene = *state;
    scene->list.count = 5;
    assert_true(secret_list_load(&scene->list, NULL, scene->error));
    assert_int_equal(scene->list.count, 0);
    assert_null(scene->list.values);
}

static void files_open_to_others_are_refused_with_their_mode(void **state)
{
    static const mode_t refused[] = {0644, 0604, 0602, 0601, 0666, 0777};
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char expected[SECRET_ERROR_SIZE];
        assert_false(load_text(scene, refused[i], "token\n"));
        assert_int_equal(scene->list.count, 0);
        (void)snprintf(expected, sizeof expected,
                       "%s: mode %04o lets everybody at a secret; forbid it with: chmod o= %s",
                       scene->path, (unsigned)refused[i], scene->path);
        assert_string_equal(scene->error, expected);
    }
    assert_true(load_text(scene, 0440, "token\n"));
}

static void files_that_are_no_text_are_refused(void **state)
{
    struct scene *scene = *state;
    assert_false(load(scene, 0600, "a\0b", 3));
    assert_non_null(strstr(scene->error, ": holds a NUL byte"));

    char *large = malloc(65537);
    assert_non_null(large);
    memset(large, 'a', 65537);
    assert_false(load(scene, 0600, large, 65537));
    assert_non_null(strstr(scene->error, ": is larger than 65536 bytes"));
    assert_true(load(scene, 0600, large, 65536));
    assert_int_equal(scene->list.count, 1);
    free(large);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    struct scene *scene = *state;
    assert_false(secret_list_load(&scene->list, "/nowhere/at/all", scene->error));
    assert_string_equal(scene->error, "/nowhere/at/all: No such file or directory");
    assert_false(secret_list_load(&scene->list, "/", scene->error));
    assert_string_equal(scene->error, "/: is not a regular file");
    /* It opens well, but no process has anything at its address 0. */
    assert_false(secret_list_load(&scene->list, "/proc/self/mem", scene->error));
    assert_string_equal(scene->error, "/proc/self/mem: Input/output error");
    assert_null(scene->list.values);
}

/* Also one that got the descriptor of a standard input that was closed. */
static void files_that_are_refused_are_closed(void **state)
{
    struct scene *scene = *state;
    int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    assert_true(input >= 0);
    assert_int_equal(close(STDIN_FILENO), 0);
    int refused = secret_file_open("/", scene->error);
    int left = fcntl(STDIN_FILENO, F_GETFD);
    assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(input), 0);
    assert_int_equal(refused, -1);
    assert_int_equal(left, -1);
}

static bool has(const struct scene *scene, const char *candidate)
{
    return secret_list_has(&scene->list, candidate, strlen(candidate));
}

static void a_candidate_matches_as_a_whole(void **state)
{
    struct scene *scene = *state;
    assert_false(has(scene, "first"));
    assert_true(load_text(scene, 0600, "first\nsecond\n"));
    assert_true(has(scene, "first"));
    assert_true(has(scene, "second"));
    assert_true(secret_list_has(&scene->list, "second and more", 6));
    assert_false(has(scene, "secon"));
    assert_false(has(scene, "seconds"));
    assert_false(has(scene, "Second"));
    assert_false(has(scene, ""));
    assert_false(secret_list_has(&scene->list, "first\0", 6));
}

static void freeing_twice_does_no_harm(void **state)
{
    struct scene *scene = *state;
    assert_true(load_text(scene, 0600, "a\n"));
    secret_list_free(&scene->list);
    secret_list_free(&scene->list);
    assert_int_equal(scene->list.count, 0);
}

static void bus_keys_have_forty_characters(void **state)
{
    static const char text[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    struct scene *scene = *state;
    char key[SECRET_BUS_KEY_SIZE], expected[SECRET_ERROR_SIZE];
    assert_true(load_text(scene, 0600, text));
    assert_true(secret_bus_key_load(key, scene->path, false, scene->error));
    assert_string_equal(key, text);
    assert_true(secret_bus_key_load(key, NULL, false, scene->error));
    assert_string_equal(key, "");

    assert_false(load_text(scene, 0644, text));
    assert_false(secret_bus_key_load(key, scene->path, false, scene->error));
    assert_true(secret_bus_key_load(key, scene->path, true, scene->error));
    assert_string_equal(key, text);

    (void)snprintf(expected, sizeof expected,
                   "%s: should hold a key of 40 characters, as curve_keygen makes them",
                   scene->path);
    static const char *const wrong[] = {"", "short", "a\nb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(load_text(scene, 0600, wrong[i]));
        assert_false(secret_bus_key_load(key, scene->path, false, scene->error));
        assert_string_equal(scene->error, expected);
        assert_string_equal(key, "");
    }
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char first[16] = {0}, second[16] = {0};
    assert_true(secret_random(first, sizeof first));
    assert_true(secret_random(second, sizeof second));
    assert_memory_not_equal(first, second, sizeof first);
    assert_false(secret_equal(first, second, sizeof first));
    assert_true(secret_equal(first, first, sizeof first));
    assert_true(secret_random(first, 0));
}

static void hex_is_lower_case_and_ended(void **state)
{
    (void)state;
    char text[9];
    memset(text, 'x', sizeof text);
    hex_write(text, "\x00\x9f\xa0\xff", 4);
    assert_string_equal(text, "009fa0ff");
    hex_write(text, "", 0);
    assert_string_equal(text, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tokens_are_read_one_a_line),
        TEST(what_went_wrong_before_does_not_matter),
        TEST(no_path_gives_an_empty_list),
        TEST(files_open_to_others_are_refused_with_their_mode),
        TEST(files_that_are_no_text_are_refused),
        TEST(files_that_cannot_be_read_are_named),
        TEST(files_that_are_refused_are_closed),
        TEST(a_candidate_matches_as_a_whole),
        TEST(freeing_twice_does_no_harm),
        TEST(bus_keys_have_forty_characters),
        TEST(random_bytes_differ),
        TEST(hex_is_lower_case_and_ended),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
