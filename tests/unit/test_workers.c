/* The supervisor: when it says that it is ready, and when it gives up. */
#include "captured_messages.h"
#include "clock.h"
#include "service_notify.h"
#include "workers.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { GENEROUS_MS = 60000 };

static unsigned forks_left = UINT_MAX;

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    if (forks_left == 0) {
        errno = EAGAIN;
        return -1;
    }
    forks_left--;
    return __real_fork();
}

/* The supervisor waits for signals and children, so it runs in a process of its own. */
static int status_of(const struct workers_plan *plan)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(GENEROUS_MS / 1000); /* for a supervisor that waits for ever */
        _exit(workers_run(plan));
    }
    int status = 0;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool keep_configuration(void *context)
{
    (void)context;
    return false;
}

static int die_at_once(void *context, pid_t supervisor)
{
    (void)context;
    (void)supervisor;
    return EXIT_FAILURE;
}

static int die_by_signal(void *context, pid_t supervisor)
{
    (void)context;
    workers_tell_ready(supervisor);
    (void)raise(SIGKILL);
    return EXIT_SUCCESS;
}

/* Nobody is waited for when none is left. */
static void gives_up_when_no_worker_stays_alive(void **state)
{
    (void)state;
    uint64_t before = clock_monotonic_ms();
    struct workers_plan plan = {
        .count = 3, .serve = die_at_once, .reload = keep_configuration, .stop_limit_ms = 40000};
    assert_int_equal(status_of(&plan), EXIT_FAILURE);
    plan.serve = die_by_signal;
    assert_int_equal(status_of(&plan), EXIT_FAILURE);
    assert_true(clock_monotonic_ms() - before < 40000);
}

/* One that never was does not live either. */
static void gives_up_when_no_worker_can_be_started(void **state)
{
    (void)state;
    const struct workers_plan plan = {.count = 1,
                                      .serve = die_at_once,
                                      .reload = keep_configuration,
                                      .stop_limit_ms = GENEROUS_MS};
    forks_left = 1; /* the supervisor's own */
    assert_int_equal(status_of(&plan), EXIT_FAILURE);
}

static int let_fork_again(void **state)
{
    (void)state;
    forks_left = UINT_MAX;
    return 0;
}

/* ---- one that lives ---- */

static int serve_until_term(void *context, pid_t supervisor)
{
    sigset_t term;
    int signal_number;
    (void)context;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    workers_tell_ready(supervisor);
    return sigwait(&term, &signal_number) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void tell_ready_and_end(void *context)
{
    (void)context;
    service_notify("READY=1");
    (void)kill(getpid(), SIGTERM);
}

static void is_ready_once_a_worker_serves(void **state)
{
    (void)state;
    char folder[] = "/tmp/esn-workers-XXXXXX";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(folder));
    (void)strcat(strcpy(name.sun_path, folder), "/notify");
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name.sun_path, 1), 0);

    const struct workers_plan plan = {.count = 2,
                                      .serve = serve_until_term,
                                      .ready = tell_ready_and_end,
                                      .reload = keep_configuration,
                                      .stop_limit_ms = GENEROUS_MS};
    assert_int_equal(status_of(&plan), EXIT_SUCCESS);

    char words[32] = "";
    assert_int_equal(recv(manager, words, sizeof words, MSG_DONTWAIT), strlen("READY=1"));
    assert_string_equal(words, "READY=1");
    assert_int_equal(recv(manager, words, sizeof words, MSG_DONTWAIT), -1);
    (void)close(manager);
    (void)unlink(name.sun_path);
    (void)rmdir(folder);
}

/* SIGTERM is blocked in workers, and this one never looks whether it came. */
static int never_end(void *context, pid_t supervisor)
{
    (void)context;
    (void)alarm(GENEROUS_MS / 1000);
    workers_tell_ready(supervisor);
    while (pause() < 0)
        continue;
    return EXIT_FAILURE;
}

static void end_all(void *context)
{
    (void)context;
    (void)kill(getpid(), SIGTERM);
}

static void a_worker_that_does_not_end_is_killed(void **state)
{
    (void)state;
    const struct workers_plan plan = {.count = 2,
                                      .serve = never_end,
                                      .ready = end_all,
                                      .reload = keep_configuration,
                                      .stop_limit_ms = 1};
    assert_int_equal(status_of(&plan), EXIT_SUCCESS);
}

static void notifies_an_abstract_socket_too(void **state)
{
    (void)state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char path[32];
    (void)snprintf(path, sizeof path, "@esn-notify-%d", (int)getpid());
    memcpy(name.sun_path + 1, path + 1, strlen(path) - 1);
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    assert_int_equal(bind(manager, (const struct sockaddr *)&name, length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    service_notify("STATUS=well");
    char words[32] = "";
    assert_int_equal(recv(manager, words, sizeof words, MSG_DONTWAIT), strlen("STATUS=well"));
    (void)close(manager);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    service_notify("READY=1"); /* nobody to tell */
}

static void says_why_it_cannot_notify(void **state)
{
    struct rlimit before, none;
    (void)state;
    captured_messages_begin();
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere/notify", 1), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    service_notify("READY=1");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(captured_messages_count(strerror(EMFILE)), 1);
    service_notify("READY=1");
    assert_int_equal(captured_messages_count(strerror(ENOENT)), 1);
    captured_messages_end();
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_up_when_no_worker_stays_alive),
        cmocka_unit_test_teardown(gives_up_when_no_worker_can_be_started, let_fork_again),
        cmocka_unit_test(is_ready_once_a_worker_serves),
        cmocka_unit_test(a_worker_that_does_not_end_is_killed),
        cmocka_unit_test(notifies_an_abstract_socket_too),
        cmocka_unit_test(says_why_it_cannot_notify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
