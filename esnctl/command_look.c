/* esnctl connections and esnctl state: what the daemon says of itself. */
#include "commands.h"
#include "settings.h"
#include "table.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char connections_help[] =
    "Usage: esnctl connections [OPTION...]\n"
    "\n"
    "Says who holds streams: how many each client id has, the busiest first. Clients without a\n"
    "name of their own are counted as @ANON_CONNECTION@.\n"
    "\n"
    "Options:\n"
    "  --clid NAME        only the number of this client id's streams\n"
    "  --details          each stream's connection id, topics and request headers (of one client\n"
    "                     id with --clid, else of all); what proves who somebody is is masked\n"
    "  --json             the daemon's JSON as it is\n"
    "  --url URL          the daemon's address (default: the first of [fanout] listen)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl connections\n"
    "  esnctl connections --clid ana --details\n"
    "  esnctl connections --json | jq '.\"@TOTAL@\"'\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

static const char state_help[] =
    "Usage: esnctl state [OPTION...]\n"
    "\n"
    "Prints the daemon's figures: how long it runs, streams, topics, events and deliveries so "
    "far,\n"
    "and why connections were closed.\n"
    "\n"
    "Options:\n"
    "  --memory           what its memory is used for instead, in bytes\n"
    "  --json             the daemon's JSON as it is\n"
    "  --url URL          the daemon's address (default: the first of [fanout] listen)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl state\n"
    "  watch -n 1 esnctl state\n"
    "  esnctl state --json | jq .closed\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_CLID = SETTINGS_OPTION_OWN, OPTION_DETAILS, OPTION_MEMORY };

struct look {
    const struct command *command;
    struct settings settings;
    const char *clid;
    bool details, memory;
};

/* ---- what came ---- */

static void print_counts(json_t *reply)
{
    json_int_t total = json_integer_value(json_object_get(reply, "@TOTAL@"));
    (void)json_object_del(reply, "@TOTAL@");
    table_print_counts(reply, "CLIENT ID", "STREAMS");
    (void)printf("%" JSON_INTEGER_FORMAT " in all\n", total);
}

static void print_details(json_t *reply)
{
    for (void *at = json_object_iter(reply); at != NULL; at = json_object_iter_next(reply, at)) {
        (void)printf("connection %s\n", json_object_iter_key(at));
        table_print(json_object_iter_value(at));
        (void)putchar('\n');
    }
}

static int print_reply(void *context, const struct http_client_answer *answer)
{
    const struct look *look = context;
    json_t *reply = json_loadb(answer->body.data, answer->body.length, JSON_DECODE_ANY, NULL);
    int status = COMMAND_GOOD;
    if (answer->status != 200)
        status = settings_tell_refusal(answer->status, reply);
    else if (reply == NULL)
        status = command_fail("the answer is no JSON; is this esn-fanout's address?");
    else if (look->settings.json)
        status =
            json_dumpf(reply, stdout, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0
                ? command_fail("standard output cannot be written")
                : COMMAND_GOOD;
    else if (look->details)
        print_details(reply);
    else if (look->command == &command_connections && json_is_object(reply))
        print_counts(reply);
    else
        table_print(reply);
    if (status == COMMAND_GOOD && look->settings.json)
        (void)putchar('\n');
    json_decref(reply);
    return status;
}

/* ---- asking ---- */

/* The path with its query; NULL without memory. */
static char *path_of(const struct look *look)
{
    char *path = NULL;
    char *clid = NULL;
    if (look->command == &command_state)
        return strdup(look->memory ? "/memory" : "/state");
    if (look->clid == NULL)
        return strdup(look->details ? "/connections?details=true" : "/connections");
    clid = http_client_escape(look->clid);
    if (clid == NULL ||
        asprintf(&path, "/connections?clid=%s%s", clid, look->details ? "&details=true" : "") < 0)
        path = NULL;
    free(clid);
    return path;
}

static int ask(struct look *look)
{
    struct settings *settings = &look->settings;
    struct http_client_request request = {0};
    if (!settings_load(settings) ||
        !settings_load_tokens(settings, settings->config.admin_token_file))
        return COMMAND_FAILED;
    char *path = path_of(look);
    if (path == NULL)
        return command_fail("out of memory");
    int status = settings_aim(settings, path, &request)
                     ? settings_exchange(&request, print_reply, look)
                     : COMMAND_FAILED;
    free(path);
    return status;
}

/* ---- options ---- */

static bool take_option(struct look *look, int option)
{
    switch (option) {
    case OPTION_CLID:
        look->clid = optarg;
        return true;
    case OPTION_DETAILS:
        look->details = true;
        return true;
    case OPTION_MEMORY:
        look->memory = true;
        return true;
    default:
        return settings_take_option(&look->settings, option);
    }
}

static int look_in(const struct command *command, const struct option *options, int argc,
                   char **argv)
{
    struct look look = {.command = command};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(command);
        if (!take_option(&look, option))
            return command_usage_option(command);
    }
    if (optind < argc)
        return command_usage(command, "takes no argument: %s", argv[optind]);
    int status = ask(&look);
    settings_free(&look.settings);
    return status;
}

static int run_connections(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"clid", required_argument, NULL, OPTION_CLID},
        {"details", no_argument, NULL, OPTION_DETAILS},
        {NULL, 0, NULL, 0},
    };
    return look_in(&command_connections, options, argc, argv);
}

static int run_state(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"memory", no_argument, NULL, OPTION_MEMORY},
        {NULL, 0, NULL, 0},
    };
    return look_in(&command_state, options, argc, argv);
}

const struct command command_connections = {"connections", "who holds streams", connections_help,
                                            run_connections};
const struct command command_state = {"state", "the daemon's figures", state_help, run_state};
