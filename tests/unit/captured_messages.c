#include "captured_messages.h"

#include "messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    FILE *file; /* where standard error goes */
    int kept;   /* the true standard error */
    char text[16384];
} capture;

void captured_messages_begin(void)
{
    capture.file = tmpfile();
    assert_non_null(capture.file);
    capture.kept = dup(STDERR_FILENO);
    assert_true(capture.kept >= 0);
    assert_true(dup2(fileno(capture.file), STDERR_FILENO) >= 0);
    message_configure("test", MESSAGE_LEVEL_DEBUG, MESSAGE_TO_STDERR);
}

const char *captured_messages_take(void)
{
    ssize_t length = pread(fileno(capture.file), capture.text, sizeof capture.text - 1, 0);
    assert_true(length >= 0);
    capture.text[length] = '\0';
    assert_int_equal(ftruncate(fileno(capture.file), 0), 0);
    assert_int_equal(lseek(fileno(capture.file), 0, SEEK_SET), 0);
    return capture.text;
}

unsigned captured_messages_count(const char *text)
{
    unsigned count = 0;
    for (const char *at = captured_messages_take(); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

void captured_messages_end(void)
{
    message_configure("test", MESSAGE_LEVEL_WARNING, MESSAGE_TO_STDERR);
    assert_true(dup2(capture.kept, STDERR_FILENO) >= 0);
    assert_int_equal(close(capture.kept), 0);
    assert_int_equal(fclose(capture.file), 0);
}
