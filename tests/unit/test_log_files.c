#include "log/log_files.h"

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

#include "stored.h"

static void open_key(const struct stored_files *files, unsigned char key[LOG_KEY_SIZE])
{
    memset(key, 0, LOG_KEY_SIZE);
    if (!log_key_open(files->path, key))
        fail_msg("no key: %s", strerror(errno));
}

/* Whatever is open, one more file would have this number. */
static int next_descriptor(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    return file;
}

static void the_key_stays_the_same(void **state)
{
    struct stored_files files;
    unsigned char first[LOG_KEY_SIZE], again[LOG_KEY_SIZE];
    struct stat status;
    char path[128];

    (void)state;
    stored_files_make(&files);
    open_key(&files, first);
    int next = next_descriptor();
    open_key(&files, again);
    assert_memory_equal(first, again, LOG_KEY_SIZE);
    assert_int_equal(next_descriptor(), next);
    (void)snprintf(path, sizeof path, "%s-key", files.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(stored_files_count(&files, ".new"), 0);
    stored_files_remove(&files);
}

static void a_key_that_was_changed_is_never_used(void **state)
{
    struct stored_files files;
    unsigned char first[LOG_KEY_SIZE], again[LOG_KEY_SIZE];
    size_t length;

    (void)state;
    stored_files_make(&files);
    open_key(&files, first);
    char *bytes = stored_files_read(&files, "-key", &length);
    assert_true(length > LOG_KEY_SIZE);
    for (size_t cut = 0; cut <= length; cut++) {
        char *changed = malloc(length);
        assert_non_null(changed);
        memcpy(changed, bytes, length);
        if (cut == length)
            memset(changed, 0, length); /* as a lost sector reads */
        else if (cut > 0)
            changed[cut - 1] ^= 1;
        stored_files_write(&files, "-key", changed, cut == 0 ? length - 1 : length);
        open_key(&files, again);
        assert_memory_not_equal(first, again, LOG_KEY_SIZE);
        free(changed);
    }
    stored_files_write(&files, "-key", bytes, length);
    open_key(&files, again);
    assert_memory_equal(first, again, LOG_KEY_SIZE);
    free(bytes);
    stored_files_remove(&files);
}

static void it_goes_with_the_log_that_is_set_aside(void **state)
{
    struct stored_files files;
    unsigned char first[LOG_KEY_SIZE], again[LOG_KEY_SIZE];

    (void)state;
    stored_files_make(&files);
    assert_true(log_files_make(files.path));
    open_key(&files, first);
    assert_true(log_files_set_aside(files.path));
    assert_int_equal(stored_files_count(&files, "-key"), 1);
    open_key(&files, again);
    assert_memory_not_equal(first, again, LOG_KEY_SIZE);
    stored_files_remove(&files);
}

static void a_key_that_cannot_be_kept_is_an_error(void **state)
{
    unsigned char key[LOG_KEY_SIZE];

    (void)state;
    assert_false(log_key_open("/proc/nowhere/log", key));
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_stays_the_same),
        cmocka_unit_test(a_key_that_was_changed_is_never_used),
        cmocka_unit_test(it_goes_with_the_log_that_is_set_aside),
        cmocka_unit_test(a_key_that_cannot_be_kept_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
