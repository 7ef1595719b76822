#include "upgrade/upgrade.h"

#include "clock.h"
#include "config/config.h"
#include "messages.h"
#include "service_notify.h"
#include "upgrade/channel.h"
#include "upgrade/heir.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUIET_MS = 500, /* after which what is under way is not waited for any more */
    END_MS = 1000,  /* how long one that is to end of itself has for it */
    CHILD_CHANNEL = 3,
    PROCESS_NAME_SIZE = 32,
    HANDLES = 3
};

/* One new program. */
struct upgrade_try {
    struct upgrade *upgrade; /* NULL: it is over */
    uv_process_t process;
    uv_poll_t readable;
    uv_timer_t limit;
    int channel;
    int open_handles;
    bool has_exited, is_ready;
    bool has_ahead;    /* what can be sent ahead of the state was */
    uint64_t ready_at; /* ms of the monotonic clock */
};

/* ---- the end of a try ---- */

static void on_closed(uv_handle_t *handle)
{
    struct upgrade_try *try = handle->data;

    if (--try->open_handles == 0)
        free(try);
}

/* One that was never opened needs not be closed; the timer always was, so that a try outlives this. */
static void close_handle(struct upgrade_try *try, uv_handle_t *handle)
{
    if (handle->type == UV_UNKNOWN_HANDLE)
        try->open_handles--;
    else if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void forget_try(struct upgrade_try *try)
{
    try->upgrade->current = NULL;
    try->upgrade = NULL;
    close_handle(try, (uv_handle_t *)&try->limit);
    close_handle(try, (uv_handle_t *)&try->readable);
    if (try->has_exited)
        close_handle(try, (uv_handle_t *)&try->process);
    (void)close(try->channel);
}

static void note_failure(struct upgrade *upgrade, const char *reason)
{
    upgrade->outcome.state = UPGRADE_FAILED;
    (void)snprintf(upgrade->outcome.reason, sizeof upgrade->outcome.reason, "%s", reason);
    message_error("upgrade failed, this program serves on", message_text("reason", reason));
}

static void fail_try(struct upgrade_try *try, const char *reason)
{
    struct upgrade *upgrade = try->upgrade;

    if (!try->has_exited)
        (void)uv_process_kill(&try->process, SIGKILL);
    forget_try(try);
    note_failure(upgrade, reason);
}

void upgrade_abandon(struct upgrade *upgrade, const char *reason)
{
    if (upgrade->current != NULL)
        fail_try(upgrade->current, reason);
}

static void write_end(char out[UPGRADE_REASON_SIZE], int64_t status, int signal)
{
    if (signal != 0)
        (void)snprintf(out, UPGRADE_REASON_SIZE, "the new program was ended by signal %d (%s)",
                       signal, strsignal(signal));
    else
        (void)snprintf(out, UPGRADE_REASON_SIZE,
                       "the new program ended with status %d before it had taken over",
                       (int)status);
}

static void on_exit_of_new(uv_process_t *process, int64_t status, int signal)
{
    struct upgrade_try *try = process->data;
    struct channel_message message;
    char reason[UPGRADE_REASON_SIZE];

    try->has_exited = true;
    if (try->upgrade == NULL) {
        close_handle(try, (uv_handle_t *)process);
        return;
    }
    if (channel_hear_refusal(try->channel, &message))
        (void)snprintf(reason, sizeof reason, "%s", message.text);
    else
        write_end(reason, status, signal);
    fail_try(try, reason);
}

static void on_limit(uv_timer_t *timer)
{
    struct upgrade_try *try = timer->data;
    char reason[UPGRADE_REASON_SIZE];

    (void)snprintf(reason, sizeof reason,
                   "the new program was not ready within %llu ms ([fanout] upgrade_time)",
                   (unsigned long long)try->upgrade->config->upgrade_time);
    fail_try(try, reason);
}

/* ---- its beginning ---- */

/* In its own words, if it has some left; else by its end, of which the loop tells. */
static void take_hello(struct upgrade_try *try)
{
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE], reason[UPGRADE_REASON_SIZE];

    if (!channel_await(try->channel, CHANNEL_HELLO, &message, clock_monotonic_ms(), error)) {
        (void)uv_poll_stop(&try->readable);
        if (message.kind == CHANNEL_REFUSAL || !channel_is_over(try->channel))
            fail_try(try, error);
        return;
    }
    if (strtol(message.text, NULL, 10) != SAVED_FORM) {
        (void)snprintf(reason, sizeof reason,
                       "the new program reads state of form %.16s, this one writes form %d: that "
                       "needs a restart",
                       message.text, SAVED_FORM);
        fail_try(try, reason);
        return;
    }
    (void)uv_poll_stop(&try->readable);
    try->is_ready = true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct upgrade_try *try = poll->data;

    (void)status;
    (void)events;
    if (try->upgrade != NULL)
        take_hello(try);
}

/* What this program was started with, and where the channel is. NULL without memory. */
static char **make_environment(const char *variable)
{
    size_t count = 0, kept = 0, length = strlen(HEIR_VARIABLE);

    while (environ[count] != NULL)
        count++;
    char **list = calloc(count + 2, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++)
        if (strncmp(environ[i], HEIR_VARIABLE, length) != 0 || environ[i][length] != '=')
            list[kept++] = environ[i];
    if (list != NULL)
        list[kept] = (char *)(uintptr_t)variable;
    return list;
}

static int spawn(struct upgrade *upgrade, struct upgrade_try *try, int channel)
{
    static const char variable[] = HEIR_VARIABLE "=3";
    _Static_assert(CHILD_CHANNEL == 3, "the variable says so");
    uv_stdio_container_t files[CHILD_CHANNEL + 1];
    char **environment = make_environment(variable);

    if (environment == NULL)
        return UV_ENOMEM;
    for (int i = 0; i <= CHILD_CHANNEL; i++) {
        files[i].flags = UV_INHERIT_FD;
        files[i].data.fd = i < CHILD_CHANNEL ? i : channel;
    }
    const uv_process_options_t options = {.exit_cb = on_exit_of_new,
                                          .file = upgrade->program,
                                          .args = upgrade->arguments,
                                          .env = environment,
                                          .stdio_count = CHILD_CHANNEL + 1,
                                          .stdio = files};
    int error = uv_spawn(upgrade->loop, &try->process, &options);
    free(environment);
    return error;
}

/* Owns the channel; libuv wants the process's handle closed even when nothing was started. */
static int start_try(struct upgrade *upgrade, struct upgrade_try *try, int for_child)
{
    int error = uv_timer_init(upgrade->loop, &try->limit);

    if (!error)
        error = uv_poll_init(upgrade->loop, &try->readable, try->channel);
    try->upgrade = upgrade;
    try->process.data = try->readable.data = try->limit.data = try;
    try->open_handles = HANDLES;
    upgrade->current = try;
    upgrade->ahead = 0;
    if (!error)
        error = spawn(upgrade, try, for_child);
    if (!error)
        error = uv_poll_start(&try->readable, UV_READABLE, on_readable);
    if (!error)
        error = uv_timer_start(&try->limit, on_limit, upgrade->config->upgrade_time, 0);
    return error;
}

static bool begin_try(struct upgrade *upgrade)
{
    int ends[2];
    char reason[UPGRADE_REASON_SIZE];
    struct upgrade_try *try = calloc(1, sizeof *try);

    if (try == NULL || !channel_open(ends)) {
        free(try);
        note_failure(upgrade, "no memory, or no descriptor left");
        return false;
    }
    try->channel = ends[0];
    int error = start_try(upgrade, try, ends[1]);
    (void)close(ends[1]);
    if (!error)
        return true;
    (void)snprintf(reason, sizeof reason, "cannot start %.200s: %s", upgrade->program,
                   uv_strerror(error));
    try->has_exited = try->process.pid == 0;
    fail_try(try, reason);
    return false;
}

/* Process 1 of a machine goes on when a child of it ends; that of a container, such as tini, ends with
 * the one that it has started. What cannot be read is a machine's. */
static bool ends_with_child(char name[PROCESS_NAME_SIZE])
{
    FILE *file = fopen("/proc/1/comm", "re");
    bool known = file != NULL && fgets(name, PROCESS_NAME_SIZE, file) != NULL;

    if (file != NULL)
        (void)fclose(file);
    if (!known)
        return false;
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, "systemd") != 0 && strcmp(name, "init") != 0;
}

/* False: there is none. */
static bool find_obstacle(const struct upgrade *upgrade, char reason[UPGRADE_REASON_SIZE])
{
    char name[PROCESS_NAME_SIZE];

    const struct upgrade_owner *owner = &upgrade->owner;
    const char *trouble = owner->trouble != NULL ? owner->trouble(owner->context) : NULL;

    reason[0] = '\0';
    if (trouble != NULL)
        (void)snprintf(reason, UPGRADE_REASON_SIZE, "%s: try again later", trouble);
    else if (upgrade->arguments == NULL)
        (void)snprintf(reason, UPGRADE_REASON_SIZE, "it is not known how this program was started");
    else if (getpid() == 1)
        (void)snprintf(reason, UPGRADE_REASON_SIZE,
                       "this is process 1, with which its container ends: that needs a restart");
    else if (upgrade->is_first_child && ends_with_child(name))
        (void)snprintf(reason, UPGRADE_REASON_SIZE,
                       "this was started by process 1 (%s), which ends with it: that needs a "
                       "restart",
                       name);
    return reason[0] != '\0';
}

bool upgrade_begin(struct upgrade *upgrade)
{
    char obstacle[UPGRADE_REASON_SIZE];

    if (upgrade->current != NULL) {
        message_warning("an upgrade is under way already");
        return false;
    }
    upgrade->outcome =
        (struct upgrade_outcome){.number = upgrade->outcome.number + 1, .state = UPGRADE_RUNS};
    if (find_obstacle(upgrade, obstacle)) {
        note_failure(upgrade, obstacle);
        return false;
    }
    message_info("upgrading", message_text("file", upgrade->program));
    return begin_try(upgrade);
}

void upgrade_set_program(struct upgrade *upgrade, char **arguments, bool is_successor)
{
    char folder[UPGRADE_PATH_SIZE / 2];
    const char *name = arguments[0];

    /* Later it may be that because its parent has ended, as that of a successor does. */
    upgrade->is_first_child = !is_successor && getppid() == 1;
    upgrade->arguments = NULL;
    if (name == NULL)
        return;
    if (name[0] == '/') {
        (void)snprintf(upgrade->program, sizeof upgrade->program, "%s", name);
    } else if (strchr(name, '/') != NULL && getcwd(folder, sizeof folder) != NULL) {
        (void)snprintf(upgrade->program, sizeof upgrade->program, "%s/%.2000s", folder, name);
    } else { /* it was found by PATH */
        ssize_t length = readlink("/proc/self/exe", upgrade->program, sizeof upgrade->program - 1);
        if (length < 0)
            return;
        upgrade->program[length] = '\0';
    }
    upgrade->arguments = arguments;
}

/* ---- handing over ---- */

/* What it holds must be free before this program takes it up again. The loop hears of its end by
 * itself: it is not reaped here. */
static void end_new_program(struct upgrade_try *try, char reason[UPGRADE_REASON_SIZE],
                            bool has_said_why)
{
    siginfo_t info = {0};
    uint64_t until = clock_monotonic_ms() + END_MS;
    bool ends = !has_said_why && channel_is_over(try->channel);

    while (ends && info.si_pid == 0 && clock_monotonic_ms() < until) {
        if (waitid(P_PID, (id_t)try->process.pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0)
            break;
        if (info.si_pid == 0)
            (void)poll(NULL, 0, 1);
    }
    if (info.si_pid != 0) {
        write_end(reason, info.si_status, info.si_code == CLD_EXITED ? 0 : info.si_status);
        return;
    }
    (void)kill(try->process.pid, SIGKILL);
    (void)waitid(P_PID, (id_t)try->process.pid, &info, WEXITED | WNOWAIT);
}

static bool send_state(struct upgrade_try *try, struct channel_message *message, uint64_t deadline,
                       char error[CHANNEL_ERROR_SIZE])
{
    const struct upgrade_owner *owner = &try->upgrade->owner;
    struct saved_writer writer = {0};
    struct bytes descriptors = BYTES_EMPTY;

    owner->save(owner->context, &writer, &descriptors);
    bool sent = !writer.out.failed && !descriptors.failed;
    if (!sent)
        (void)snprintf(error, CHANNEL_ERROR_SIZE, "no memory to write the state");
    sent = sent &&
           channel_send_state(try->channel, &writer.out, &descriptors, message, deadline, error);
    bytes_free(&writer.out);
    bytes_free(&descriptors);
    return sent && channel_await(try->channel, CHANNEL_PREPARED, message, deadline, error) &&
           channel_send(try->channel, CHANNEL_GO, "", NULL, 0, deadline, error);
}

static void tell_service_manager(int process)
{
    char state[32];

    (void)snprintf(state, sizeof state, "MAINPID=%d", process);
    service_notify(state);
}

static void hand_over(struct upgrade_try *try)
{
    struct upgrade *upgrade = try->upgrade;
    const struct upgrade_owner *owner = &upgrade->owner;
    struct channel_message message = {0};
    char error[CHANNEL_ERROR_SIZE], reason[UPGRADE_REASON_SIZE];

    upgrade->outcome.begun_us = clock_monotonic_ns() / 1000;
    uint64_t deadline = clock_monotonic_ms() + upgrade->config->upgrade_pause;
    bool rests = owner->rest(owner->context);
    (void)snprintf(error, sizeof error, "the end of the log cannot be written to the disk");
    if (rests && send_state(try, &message, deadline, error)) {
        tell_service_manager(try->process.pid);
        message_info("another program serves", message_number("pid", try->process.pid));
        upgrade->outcome.state = UPGRADE_DONE;
        upgrade->successor = try->process.pid;
        try->has_exited = true; /* this one does not look after it any more */
        forget_try(try);
        owner->leave(owner->context);
        return;
    }
    (void)snprintf(reason, sizeof reason, "%s", error);
    end_new_program(try, reason, !rests || message.kind == CHANNEL_REFUSAL);
    owner->go_on(owner->context);
    upgrade->outcome.pause_us = clock_monotonic_ns() / 1000 - upgrade->outcome.begun_us;
    fail_try(try, reason);
}

bool upgrade_pass_on(const struct upgrade *upgrade, int signal)
{
    if (upgrade->successor == 0)
        return false;
    message_info("signal passed on to the program that serves",
                 message_text("signal", strsignal(signal)),
                 message_number("pid", upgrade->successor));
    if (kill(upgrade->successor, signal) != 0)
        message_warning("the program that serves cannot be told", message_error_code(errno));
    return true;
}

/* In as many turns as the new one takes for it. */
static void send_ahead(struct upgrade_try *try)
{
    struct upgrade *upgrade = try->upgrade;
    struct saved_writer writer = {0};
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE] = "no memory to write the state";
    uint64_t before = upgrade->ahead;

    bool more = upgrade->owner.save_ahead(upgrade->owner.context, &writer);
    bool sent =
        !writer.out.failed &&
        (writer.out.length == 0 || channel_send_ahead(try->channel, &writer.out, &message, error));
    bytes_free(&writer.out);
    if (!sent) {
        upgrade->ahead = before;
        if (error[0] != '\0')
            fail_try(try, error);
        return;
    }
    if (more)
        return;
    (void)uv_timer_stop(&try->limit);
    try->has_ahead = true;
    try->ready_at = clock_monotonic_ms();
}

bool upgrade_run(struct upgrade *upgrade)
{
    struct upgrade_try *try = upgrade->current;

    if (try == NULL || !try->is_ready)
        return false;
    if (!try->has_ahead) {
        send_ahead(try);
        return true;
    }
    if (!upgrade->owner.is_quiet(upgrade->owner.context) &&
        clock_monotonic_ms() - try->ready_at < QUIET_MS)
        return true;
    hand_over(try);
    return false;
}
