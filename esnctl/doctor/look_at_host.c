/* The broker's own settings on this machine, and the machine. */
#include "doctor.h"

#include "../commands.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEAST_BACKLOG = 1024, LEAST_PORTS = 10000, LINE_SIZE = 4096, UNIT_STATE_SIZE = 64 };

/* ---- what check-config says ---- */

/* "FILE:LINE: what" or "FILE: what": the place is what stands before it. */
static void add_sentence(struct doctor *doctor, const char *sentence)
{
    char file[LINE_SIZE];
    const char *colon = *sentence == '/' ? strstr(sentence, ": ") : NULL;
    if (strstr(sentence, "not good for the user") != NULL ||
        strstr(sentence, "not checked: you may not read it") != NULL)
        return;
    (void)snprintf(file, sizeof file, "%.*s", colon != NULL ? (int)(colon - sentence) : 0,
                   sentence);
    findings_add(&doctor->findings, "check-config",
                 colon != NULL ? file : doctor->settings.config.path, NULL, "%s", sentence);
}

/* By the program itself, which becomes each service's user for it, for good. */
static void run_check(const struct doctor *doctor, int out)
{
    if (dup2(out, STDERR_FILENO) < 0 || freopen("/dev/null", "w", stdout) == NULL)
        _exit(COMMAND_FAILED);
    (void)execl("/proc/self/exe", "esnctl", "check-config", "--config",
                doctor->settings.config.path, (char *)NULL);
    _exit(COMMAND_FAILED);
}

static void look_at_settings(struct doctor *doctor)
{
    int ends[2], status;
    char line[LINE_SIZE];
    if (doctor->settings.config.path == NULL || pipe(ends) != 0)
        return;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        run_check(doctor, ends[1]);
    (void)close(ends[1]);
    FILE *in = child > 0 ? fdopen(ends[0], "r") : NULL;
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        add_sentence(doctor, line);
    }
    if (in != NULL)
        (void)fclose(in);
    else
        (void)close(ends[0]);
    if (child > 0)
        (void)waitpid(child, &status, 0);
}

/* ---- what the daemon says ---- */

static void judge_state(struct doctor *doctor, const json_t *state)
{
    json_int_t most = json_integer_value(json_object_get(state, "max_sockets"));
    uint64_t wanted = doctor->settings.config.max_connections;
    char line[64];
    if (most == 0 || wanted == 0 || (uint64_t)most >= wanted)
        return;
    (void)snprintf(line, sizeof line, "LimitNOFILE=%llu", (unsigned long long)wanted + 64);
    findings_add(&doctor->findings, "open-files", NULL, line,
                 "[fanout] max_connections is %llu, and the limit of open files allows %lld",
                 (unsigned long long)wanted, (long long)most);
}

/* Without the admin token, or on another machine, it says nothing. */
static void look_at_daemon(struct doctor *doctor)
{
    struct settings settings = {.config_option = doctor->settings.config.path};
    struct http_client_request request = {0};
    struct http_client_answer answer = {0};
    const char *token_file = doctor->settings.config.admin_token_file;
    if (token_file == NULL || access(token_file, R_OK) != 0)
        return;
    if (settings_load(&settings) && settings_load_tokens(&settings, token_file) &&
        settings_aim(&settings, "/state", &request) && http_client_perform(&request, &answer) &&
        answer.status == 200) {
        json_t *state = json_loadb(answer.body.data, answer.body.length, 0, NULL);
        judge_state(doctor, state);
        json_decref(state);
    }
    http_client_answer_free(&answer);
    settings_free(&settings);
}

/* ---- what the application says ---- */

static void look_at_binding(struct doctor *doctor)
{
    const struct config *config = &doctor->settings.config;
    struct probe probe;
    if (config->binding_mode != CONFIG_BINDING_SERVER || config->binding_url == NULL ||
        config->binding_url[0] == '\0')
        return;
    const struct probe_request request = {
        .url = config->binding_url, .ca_file = config->binding_ca_file, .stays = true};
    probe_open(&probe, &request);
    (void)probe_until(&probe, NULL, doctor->wait_ms);
    if (probe.status == 0 || probe.status >= 500)
        findings_add(&doctor->findings, "binding-server", config->path, NULL, "%s: %s%ld",
                     config->binding_url,
                     probe.status != 0 ? "it answers "
                                       : (probe.error[0] != '\0' ? probe.error : "no answer; "),
                     probe.status);
    probe_close(&probe);
}

/* ---- the kernel ---- */

static bool read_numbers(const char *path, long *first, long *second)
{
    FILE *in = fopen(path, "r");
    int read = in != NULL ? fscanf(in, "%ld %ld", first, second) : 0;
    if (in != NULL)
        (void)fclose(in);
    return read >= 1;
}

static void look_at_kernel(struct doctor *doctor)
{
    long first = 0, last = 0;
    if (read_numbers("/proc/sys/net/core/somaxconn", &first, &last) && first < LEAST_BACKLOG)
        findings_add(&doctor->findings, "kernel-backlog", NULL, NULL,
                     "net.core.somaxconn is %ld: as many connections may wait to be accepted",
                     first);
    if (read_numbers("/proc/sys/net/ipv4/ip_local_port_range", &first, &last) &&
        last - first < LEAST_PORTS)
        findings_add(&doctor->findings, "kernel-ports", NULL, NULL,
                     "%ld ports are there for connections to one address", last - first + 1);
}

/* ---- units ---- */

/* The one word that systemctl says of a unit; "": it is not installed. */
static void ask_unit(const char *verb, const char *unit, char state[UNIT_STATE_SIZE])
{
    char command[256];
    (void)snprintf(command, sizeof command,
                   "systemctl cat %s >/dev/null 2>&1 && systemctl %s %s 2>/dev/null", unit, verb,
                   unit);
    FILE *in = popen(command, "r");
    state[0] = '\0';
    if (in == NULL)
        return;
    if (fgets(state, UNIT_STATE_SIZE, in) == NULL)
        state[0] = '\0';
    (void)pclose(in);
    state[strcspn(state, "\n")] = '\0';
}

/* Where the units are installed: each that is there has to run, now and after the next start. */
static void look_at_units(struct doctor *doctor)
{
    static const char *const units[] = {"esn-fanout.service", "esn-event.socket",
                                        "esn-subscribe.socket"};
    if (access("/run/systemd/system", F_OK) != 0)
        return;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char line[128], active[UNIT_STATE_SIZE], enabled[UNIT_STATE_SIZE];
        ask_unit("is-active", units[i], active);
        ask_unit("is-enabled", units[i], enabled);
        (void)snprintf(line, sizeof line, "systemctl enable --now %s", units[i]);
        if ((active[0] != '\0' && strcmp(active, "active") != 0) ||
            strcmp(enabled, "disabled") == 0)
            findings_add(&doctor->findings, "units", NULL, line, "%s is %s and %s", units[i],
                         active, enabled);
    }
}

void doctor_look_at_host(struct doctor *doctor)
{
    look_at_settings(doctor);
    look_at_daemon(doctor);
    look_at_binding(doctor);
    look_at_kernel(doctor);
    look_at_units(doctor);
}
