#include "workers.h"

#include "clock.h"
#include "messages.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SOON_MS = 1000, /* a worker that dies so soon after its start is not started again at once */
    FIRST_PAUSE_MS = 100,
    LAST_PAUSE_MS = 10000,
    MOST_SOON_DEATHS = 5 /* for each worker, one after the other: within some 3 s */
};

struct worker {
    pid_t pid; /* 0: none now */
    uint64_t started;
    uint64_t start_at; /* when there is none */
    uint64_t pause;
    unsigned generation; /* of the configuration it was started with */
    bool ending;         /* it was asked to */
};

struct supervisor {
    const struct workers_plan *plan;
    struct worker *workers;
    sigset_t signals;
    unsigned generation;
    unsigned soon_deaths; /* since a worker lived longer, or was asked to end */
    bool ready;           /* a worker has served */
    bool failed;          /* no worker stays alive */
    bool stopping;
    uint64_t kill_at;
};

/* ---- one worker ---- */

static int be_worker(const struct workers_plan *plan, pid_t supervisor)
{
    if (signal(SIGINT, SIG_IGN) == SIG_ERR || signal(SIGHUP, SIG_IGN) == SIG_ERR ||
        prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        message_error("cannot prepare a worker", message_error_code(errno));
        return EXIT_FAILURE;
    }
    /* The supervisor may have died before it could be tied to it. */
    return getppid() == supervisor ? plan->serve(plan->context, supervisor) : EXIT_FAILURE;
}

void workers_tell_ready(pid_t supervisor)
{
    (void)kill(supervisor, SIGUSR1); /* it can only fail when the supervisor is gone */
}

static void put_off(struct supervisor *supervisor, struct worker *worker, uint64_t now)
{
    supervisor->soon_deaths++;
    worker->start_at = now + worker->pause;
    worker->pause = worker->pause * 2 < LAST_PAUSE_MS ? worker->pause * 2 : LAST_PAUSE_MS;
}

static void start(struct supervisor *supervisor, struct worker *worker, uint64_t now)
{
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_worker(supervisor->plan, self));
    if (pid < 0) {
        message_error("cannot start a worker", message_error_code(errno));
        put_off(supervisor, worker, now);
        return;
    }
    worker->pid = pid;
    worker->started = now;
    worker->generation = supervisor->generation;
    worker->ending = false;
    message_debug("worker started", message_number("pid", pid));
}

static void end(struct worker *worker)
{
    worker->ending = true;
    if (kill(worker->pid, SIGTERM) != 0)
        message_error("cannot end a worker", message_number("pid", worker->pid),
                      message_error_code(errno));
}

static void tell_death(const struct worker *worker, int status, uint64_t pause)
{
    bool killed = WIFSIGNALED(status);
    message_warning("worker ended, starting another", message_number("pid", worker->pid),
                    message_number(killed ? "signal" : "status",
                                   killed ? WTERMSIG(status) : WEXITSTATUS(status)),
                    message_number("pause_ms", (int64_t)pause));
}

static void take_death(struct supervisor *supervisor, struct worker *worker, int status)
{
    uint64_t now = clock_monotonic_ms();
    bool at_once = worker->ending || now - worker->started >= SOON_MS;
    if (at_once) {
        supervisor->soon_deaths = 0;
        worker->start_at = now;
        worker->pause = FIRST_PAUSE_MS;
    } else {
        put_off(supervisor, worker, now);
    }
    if (!worker->ending && !supervisor->stopping)
        tell_death(worker, status, worker->start_at - now);
    worker->pid = 0;
}

/* ---- all of them ---- */

static void reap(struct supervisor *supervisor)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (unsigned i = 0; i < supervisor->plan->count; i++) {
            if (supervisor->workers[i].pid == pid)
                take_death(supervisor, &supervisor->workers[i], status);
        }
    }
}

static void start_due(struct supervisor *supervisor)
{
    uint64_t now = clock_monotonic_ms();
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        struct worker *worker = &supervisor->workers[i];
        if (worker->pid == 0 && worker->start_at <= now)
            start(supervisor, worker, now);
    }
}

/* Asks one worker of an old configuration to end, unless some other is missing: requests go on
 * being served. */
static void renew_one(struct supervisor *supervisor)
{
    struct worker *old = NULL;
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        struct worker *worker = &supervisor->workers[i];
        if (worker->pid == 0 || worker->ending)
            return;
        if (worker->generation != supervisor->generation)
            old = worker;
    }
    if (old != NULL)
        end(old);
}

static void stop(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    supervisor->kill_at = clock_monotonic_ms() + supervisor->plan->stop_limit_ms;
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        if (supervisor->workers[i].pid != 0)
            end(&supervisor->workers[i]);
    }
}

/* Whether a worker is there that has lived for a while. */
static bool any_lives(const struct supervisor *supervisor)
{
    uint64_t now = clock_monotonic_ms();
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        const struct worker *worker = &supervisor->workers[i];
        if (worker->pid != 0 && now - worker->started >= SOON_MS)
            return true;
    }
    return false;
}

/* A supervisor without workers would look alive from outside while nobody is served. */
static void give_up_when_none_lives(struct supervisor *supervisor)
{
    if (supervisor->soon_deaths < MOST_SOON_DEATHS * supervisor->plan->count ||
        any_lives(supervisor))
        return;
    message_error("no worker stays alive, ending",
                  message_number("ended_soon", (int64_t)supervisor->soon_deaths));
    supervisor->failed = true;
    stop(supervisor);
}

static void kill_late(struct supervisor *supervisor)
{
    if (clock_monotonic_ms() < supervisor->kill_at)
        return;
    supervisor->kill_at = UINT64_MAX;
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        pid_t pid = supervisor->workers[i].pid;
        if (pid != 0) {
            message_warning("worker does not end, killing it", message_number("pid", pid));
            (void)kill(pid, SIGKILL);
        }
    }
}

static bool any_left(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->plan->count; i++) {
        if (supervisor->workers[i].pid != 0)
            return true;
    }
    return false;
}

/* ---- signals ---- */

/* When something is to be done without a signal; UINT64_MAX: never. */
static uint64_t next_time(const struct supervisor *supervisor)
{
    uint64_t next = supervisor->stopping ? supervisor->kill_at : UINT64_MAX;
    for (unsigned i = 0; i < supervisor->plan->count && !supervisor->stopping; i++) {
        const struct worker *worker = &supervisor->workers[i];
        if (worker->pid == 0 && worker->start_at < next)
            next = worker->start_at;
    }
    return next;
}

/* The next signal, or 0 when it is time to do something without one. */
static int wait_for_signal(const struct supervisor *supervisor)
{
    uint64_t next = next_time(supervisor);
    int signal_number;
    if (next == UINT64_MAX) {
        signal_number = sigwaitinfo(&supervisor->signals, NULL);
    } else {
        uint64_t now = clock_monotonic_ms();
        uint64_t left = next > now ? next - now : 0;
        const struct timespec limit = {.tv_sec = (time_t)(left / 1000),
                                       .tv_nsec = (long)(left % 1000) * 1000000};
        signal_number = sigtimedwait(&supervisor->signals, NULL, &limit);
    }
    return signal_number < 0 ? 0 : signal_number;
}

static void act(struct supervisor *supervisor, int signal_number)
{
    switch (signal_number) {
    case SIGTERM:
    case SIGINT:
        stop(supervisor);
        break;
    case SIGHUP:
        if (!supervisor->stopping && supervisor->plan->reload(supervisor->plan->context))
            supervisor->generation++;
        break;
    case SIGUSR1:
        if (!supervisor->ready && supervisor->plan->ready != NULL)
            supervisor->plan->ready(supervisor->plan->context);
        supervisor->ready = true;
        break;
    default:
        break;
    }
    reap(supervisor);
}

static void supervise(struct supervisor *supervisor)
{
    for (;;) {
        if (!supervisor->stopping) {
            start_due(supervisor);
            renew_one(supervisor);
            give_up_when_none_lives(supervisor);
        }
        if (supervisor->stopping && !any_left(supervisor))
            return;
        if (supervisor->stopping)
            kill_late(supervisor);
        act(supervisor, wait_for_signal(supervisor));
    }
}

int workers_run(const struct workers_plan *plan)
{
    struct supervisor supervisor = {.plan = plan};
    supervisor.workers = calloc(plan->count, sizeof *supervisor.workers);
    sigemptyset(&supervisor.signals);
    sigaddset(&supervisor.signals, SIGTERM);
    sigaddset(&supervisor.signals, SIGINT);
    sigaddset(&supervisor.signals, SIGHUP);
    sigaddset(&supervisor.signals, SIGCHLD);
    sigaddset(&supervisor.signals, SIGUSR1);
    if (supervisor.workers == NULL || sigprocmask(SIG_BLOCK, &supervisor.signals, NULL) != 0) {
        message_error("cannot supervise workers", message_error_code(errno));
        free(supervisor.workers);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < plan->count; i++)
        supervisor.workers[i].pause = FIRST_PAUSE_MS;
    supervise(&supervisor);
    free(supervisor.workers);
    return supervisor.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
