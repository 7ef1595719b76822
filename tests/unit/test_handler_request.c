/* What can be watched for requests, and that nothing is left open of what cannot. */
#include "handler_request.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Whatever is open, one more file would have this number. */
static int next_descriptor(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    return file;
}

static int listening(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(file, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(file, 1), 0);
    return file;
}

static void all_sockets_are_watched_without_waiting_for_one(void **state)
{
    (void)state;
    struct listen_sockets sockets = {.descriptors = {listening(), listening()}, .count = 2};
    int watch = handler_request_watch(&sockets);
    assert_true(watch >= 0);
    for (size_t i = 0; i < sockets.count; i++) {
        assert_true((fcntl(sockets.descriptors[i], F_GETFL) & O_NONBLOCK) != 0);
        assert_int_equal(close(sockets.descriptors[i]), 0);
    }
    assert_int_equal(close(watch), 0);
}

static void what_cannot_be_watched_leaves_nothing_open(void **state)
{
    (void)state;
    int socket = listening(), file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    const struct listen_sockets no_socket = {.descriptors = {socket, file}, .count = 2};
    const struct listen_sockets not_open = {.descriptors = {socket, 1000000}, .count = 2};
    assert_true(file >= 0);
    int next = next_descriptor();
    assert_int_equal(handler_request_watch(&no_socket), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(next_descriptor(), next);
    assert_int_equal(handler_request_watch(&not_open), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(next_descriptor(), next);
    assert_int_equal(close(file), 0);
    assert_int_equal(close(socket), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sockets_are_watched_without_waiting_for_one),
        cmocka_unit_test(what_cannot_be_watched_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
