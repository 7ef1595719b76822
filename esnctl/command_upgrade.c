/* esnctl upgrade: has the daemon hand over to a new program, and waits for what becomes of it. */
#include "clock.h"
#include "commands.h"
#include "settings.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "Usage: esnctl upgrade [OPTION...]\n"
    "\n"
    "Has esn-fanout start its program anew, as it is on the disk now and with the configuration as "
    "it\n"
    "is now, and hand over to that: streams go on, and no event is lost. When the new program does "
    "not\n"
    "come up the old one serves on, and it is said why. Streams over TLS are told to come back.\n"
    "\n"
    "Options:\n"
    "  --json             the daemon's JSON as it is\n"
    "  --url URL          the daemon's address (default: the first of [fanout] listen)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Example:\n"
    "  esnctl check-config && esnctl upgrade\n"
    "\n"
    "Exit status: 0 the new program serves, 1 it does not, 2 usage.\n";

enum {
    LOOK_MS = 50,
    LOOKS = 24000,    /* twenty minutes, twice as long as a daemon may be configured to wait */
    SILENCE_MS = 5000 /* beyond the pause in which nobody is served */
};

/* What the daemon says of the upgrade. */
struct upgrade_call {
    struct settings settings;
    json_t *reply;
    long status;
    uint64_t answered_ms; /* when there was an answer last */
};

static int keep_reply(void *context, const struct http_client_answer *answer)
{
    struct upgrade_call *call = context;
    json_decref(call->reply);
    call->reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    call->status = answer->status;
    return COMMAND_GOOD;
}

static const char *text_of(const struct upgrade_call *call, const char *name)
{
    const char *text = json_string_value(json_object_get(call->reply, name));
    return text != NULL ? text : "";
}

static int tell_outcome(const struct upgrade_call *call)
{
    bool done = strcmp(text_of(call, "state"), "done") == 0;
    if (call->settings.json) {
        (void)json_dumpf(call->reply, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        (void)putchar('\n');
        return done ? COMMAND_GOOD : COMMAND_FAILED;
    }
    if (!done)
        return command_fail("%s; the old program serves on", text_of(call, "reason"));
    (void)printf("process %" JSON_INTEGER_FORMAT " serves; nobody was served for %.1f ms\n",
                 json_integer_value(json_object_get(call->reply, "pid")),
                 json_real_value(json_object_get(call->reply, "pause_ms")));
    return COMMAND_GOOD;
}

/* The program that hands over answers 503, if anything. False when nothing answers, and has not for
 * longer than an upgrade takes: after it said so. */
static bool look(struct upgrade_call *call, const struct http_client_request *request)
{
    struct http_client_answer answer;
    call->status = 503;
    bool answered = http_client_perform(request, &answer);
    if (answered) {
        (void)keep_reply(call, &answer);
        call->answered_ms = clock_monotonic_ms();
    }
    bool waits = answered || clock_monotonic_ms() - call->answered_ms <
                                 call->settings.config.upgrade_pause + SILENCE_MS;
    if (!waits)
        (void)command_fail("nothing answers any more: %s", answer.error);
    http_client_answer_free(&answer);
    return waits;
}

/* The successor says it. */
static int wait_for_outcome(struct upgrade_call *call)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    const json_int_t number = json_integer_value(json_object_get(call->reply, "number"));
    call->answered_ms = clock_monotonic_ms();
    for (int i = 0; i < LOOKS; i++) {
        struct http_client_request request = {0};
        if (call->status == 200 && strcmp(text_of(call, "state"), "running") != 0)
            return json_integer_value(json_object_get(call->reply, "number")) == number
                       ? tell_outcome(call)
                       : command_fail("the daemon was started anew meanwhile, or upgraded again");
        (void)nanosleep(&pause, NULL);
        if (!settings_aim(&call->settings, "/upgrade", &request) || !look(call, &request))
            return COMMAND_FAILED;
        if (call->status != 200 && call->status != 503)
            return settings_tell_refusal(call->status, call->reply);
    }
    return command_fail("there was no answer for twenty minutes");
}

static int upgrade(struct upgrade_call *call)
{
    struct http_client_request request = {.body = "", .body_length = 0};
    if (!settings_load(&call->settings) ||
        !settings_load_tokens(&call->settings, call->settings.config.admin_token_file) ||
        !settings_aim(&call->settings, "/upgrade", &request))
        return COMMAND_FAILED;
    int status = settings_exchange(&request, keep_reply, call);
    if (status != COMMAND_GOOD)
        return status;
    if (call->status != 200 && call->status != 202)
        return settings_tell_refusal(call->status, call->reply);
    if (!json_is_integer(json_object_get(call->reply, "number")))
        return command_fail("the answer does not come from esn-fanout");
    return wait_for_outcome(call);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct upgrade_call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_upgrade);
        if (!settings_take_option(&call.settings, option))
            return command_usage_option(&command_upgrade);
    }
    if (argc != optind)
        return command_usage(&command_upgrade, "takes no words");
    int status = upgrade(&call);
    json_decref(call.reply);
    settings_free(&call.settings);
    return status;
}

const struct command command_upgrade = {"upgrade", "replace the daemon's program; streams go on",
                                        help, run};
