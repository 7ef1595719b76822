/* Names, with a name server that answers when the test wants it to: within the time limit, and in the end. */
#include "name_lookup.h"

#include "clock.h"
#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GENEROUS_MS = 60000 };

/* ---- the name server ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool silent;
    unsigned asked;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    static const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM,
                                            .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if ((hints->ai_flags & AI_NUMERICHOST) != 0)
        return __real_getaddrinfo(host, port, hints, found);
    (void)pthread_mutex_lock(&server.lock);
    server.asked++;
    (void)pthread_cond_broadcast(&server.change);
    while (server.silent)
        (void)pthread_cond_wait(&server.change, &server.lock);
    (void)pthread_mutex_unlock(&server.lock);
    if (strcmp(host, "nowhere.example.org") == 0)
        return EAI_NONAME;
    return __real_getaddrinfo("192.0.2.7", port, &numeric, found);
}

static void be_silent(bool silent)
{
    (void)pthread_mutex_lock(&server.lock);
    server.silent = silent;
    (void)pthread_cond_broadcast(&server.change);
    (void)pthread_mutex_unlock(&server.lock);
}

static void wait_until_asked(unsigned times)
{
    (void)pthread_mutex_lock(&server.lock);
    while (server.asked < times)
        (void)pthread_cond_wait(&server.change, &server.lock);
    (void)pthread_mutex_unlock(&server.lock);
}

/* ---- who asks ---- */

static bool finds(const char *host, uint64_t limit_ms, char error[NAME_LOOKUP_ERROR_SIZE])
{
    error[0] = '\0';
    struct addrinfo *found = name_lookup(host, "80", clock_monotonic_ms() + limit_ms, error);
    if (found == NULL)
        return false;
    char address[64];
    assert_int_equal(getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, NULL,
                                 0, NI_NUMERICHOST),
                     0);
    assert_string_equal(address, "192.0.2.7");
    freeaddrinfo(found);
    return true;
}

static void a_name_has_addresses_or_a_reason(void **state)
{
    char error[NAME_LOOKUP_ERROR_SIZE];
    (void)state;
    unsigned asked = server.asked;
    assert_true(finds("192.0.2.7", 0, error));
    assert_int_equal(server.asked, asked);
    assert_true(finds("somewhere.example.org", GENEROUS_MS, error));
    assert_string_equal(error, "");
    assert_false(finds("nowhere.example.org", GENEROUS_MS, error));
    assert_non_null(strstr(error, "nowhere.example.org: "));
    assert_non_null(strstr(error, gai_strerror(EAI_NONAME)));
}

/* Each question that is given up holds a thread until it is answered: of those there are only so many,
 * and when they were answered there is room for others. */
static void a_silent_name_server_is_asked_no_more_until_it_answers(void **state)
{
    char error[NAME_LOOKUP_ERROR_SIZE];
    (void)state;
    unsigned asked = server.asked;
    be_silent(true);
    for (int i = 0; i < NAME_LOOKUP_ABANDONED_MAX; i++) {
        assert_false(finds("somewhere.example.org", 1, error));
        assert_string_equal(error, "somewhere.example.org: the name server did not answer in time");
    }
    assert_false(finds("somewhere.example.org", GENEROUS_MS, error));
    assert_string_equal(error, "somewhere.example.org: the name server does not answer");
    wait_until_asked(asked + NAME_LOOKUP_ABANDONED_MAX);
    be_silent(false);
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t end_ms = clock_monotonic_ms() + GENEROUS_MS;
    while (!finds("somewhere.example.org", GENEROUS_MS, error) && clock_monotonic_ms() < end_ms)
        (void)nanosleep(&pause, NULL);
    assert_string_equal(error, "");
    assert_int_equal(server.asked, asked + NAME_LOOKUP_ABANDONED_MAX + 1);
}

static void without_memory_it_says_so(void **state)
{
    char error[NAME_LOOKUP_ERROR_SIZE];
    bool failed = true;
    uint64_t n = 0;
    (void)state;
    while (failed) {
        failing_memory_at(++n);
        bool found = finds("somewhere.example.org", GENEROUS_MS, error);
        failed = failing_memory_stop();
        assert_true(found != failed);
        if (failed)
            assert_string_equal(error, "somewhere.example.org: no memory or thread");
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_addresses_or_a_reason),
        cmocka_unit_test(a_silent_name_server_is_asked_no_more_until_it_answers),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests_name("name_lookup", tests, NULL, NULL);
}
