/* esnctl explain: why an event did or did not arrive, as the daemon knows it. */
#include "commands.h"
#include "event_id.h"
#include "explain_words.h"
#include "settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl explain [OPTION...] ID\n"
    "       esnctl explain [OPTION...] TOPIC\n"
    "\n"
    "Says why the event with this id did or did not arrive: of each stream of a user, a client id\n"
    "or a connection one cause with its time. Without one of them, of the newest streams.\n"
    "Of a topic: what was published on it lately, what was posted and not published, and why;\n"
    "with --as what this user's streams hear of it.\n"
    "\n"
    "It is answered from the daemon's log, from the streams that are held, and from what it\n"
    "remembers of those that ended ([log] max_decisions_bytes). A handler's own messages say the\n"
    "rest, such as which private topics were not granted: --messages reads them.\n"
    "\n"
    "Options:\n"
    "  --user U           only streams of this user\n"
    "  --clid C           only streams of this client id\n"
    "  --connid N         only the stream with this connection id\n"
    "  --as U             of a topic: what this user hears of it\n"
    "  --messages FILE    the messages of esn-subscribe and esn-event, - for standard input\n"
    "  --json             the daemon's JSON as it is\n"
    "  --url URL          the daemon's address (default: the first of [fanout] listen)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl explain 1795381250409-7 --user ana\n"
    "  esnctl explain --as ana orders/4711\n"
    "  journalctl -u esn-subscribe -o cat -S -1h | esnctl explain --as ana orders/4711 "
    "--messages -\n"
    "\n"
    "Exit status: 0 it was answered, 1 failed, or nothing is known of that event, 2 usage.\n";

enum { OPTION_USER = SETTINGS_OPTION_OWN, OPTION_CLID, OPTION_CONNID, OPTION_AS, OPTION_MESSAGES };

struct explain_call {
    struct settings settings;
    const char *user, *clid, *connid, *as, *messages, *word;
};

/* ---- asking ---- */

/* Appends one parameter; false without memory. */
static bool add_parameter(struct bytes *path, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    char *escaped = http_client_escape(value);
    if (escaped == NULL)
        return false;
    bytes_append_format(path, "&%s=%s", name, escaped);
    free(escaped);
    return !path->failed;
}

static bool is_event_id(const char *word)
{
    uint64_t epoch, sequence;
    return event_id_read(word, strlen(word), &epoch, &sequence);
}

static bool write_path(const struct explain_call *call, struct bytes *path)
{
    bytes_append_text(path, "/explain?");
    return add_parameter(path, is_event_id(call->word) ? "id" : "topic", call->word) &&
           add_parameter(path, "user", call->user) && add_parameter(path, "clid", call->clid) &&
           add_parameter(path, "connid", call->connid) && add_parameter(path, "as", call->as) &&
           bytes_terminate(path) != NULL;
}

static int print_answer(void *context, const struct http_client_answer *answer)
{
    const struct explain_call *call = context;
    json_t *tree = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    int status = COMMAND_GOOD;
    if (answer->status != 200)
        status = settings_tell_refusal(answer->status, tree);
    else if (!json_is_object(tree))
        status = command_fail("the answer is no JSON; is this esn-fanout's address?");
    else if (call->settings.json)
        (void)fwrite(answer->body.data, 1, answer->body.length, stdout);
    else
        status = explain_words_print(tree);
    json_decref(tree);
    return status;
}

static int ask(struct explain_call *call)
{
    struct settings *settings = &call->settings;
    struct http_client_request request = {0};
    struct bytes path = BYTES_EMPTY;
    int status = COMMAND_FAILED;
    if (!settings_load(settings) ||
        !settings_load_tokens(settings, settings->config.admin_token_file))
        return COMMAND_FAILED;
    if (!write_path(call, &path))
        status = command_fail("out of memory");
    else if (settings_aim(settings, path.data, &request))
        status = settings_exchange(&request, print_answer, call);
    bytes_free(&path);
    if (status == COMMAND_GOOD && call->messages != NULL)
        status = explain_words_print_messages(call->messages,
                                              is_event_id(call->word) ? NULL : call->word,
                                              call->as != NULL ? call->as : call->user);
    return status;
}

/* ---- options ---- */

static bool take_option(struct explain_call *call, int option)
{
    switch (option) {
    case OPTION_USER:
        call->user = optarg;
        return true;
    case OPTION_CLID:
        call->clid = optarg;
        return true;
    case OPTION_CONNID:
        call->connid = optarg;
        return true;
    case OPTION_AS:
        call->as = optarg;
        return true;
    case OPTION_MESSAGES:
        call->messages = optarg;
        return true;
    default:
        return settings_take_option(&call->settings, option);
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"user", required_argument, NULL, OPTION_USER},
        {"clid", required_argument, NULL, OPTION_CLID},
        {"connid", required_argument, NULL, OPTION_CONNID},
        {"as", required_argument, NULL, OPTION_AS},
        {"messages", required_argument, NULL, OPTION_MESSAGES},
        {NULL, 0, NULL, 0},
    };
    struct explain_call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_explain);
        if (!take_option(&call, option))
            return command_usage_option(&command_explain);
    }
    if (argc - optind != 1 || argv[optind][0] == '\0')
        return command_usage(&command_explain, "needs the ID of an event, or a TOPIC");
    call.word = argv[optind];
    int status = ask(&call);
    settings_free(&call.settings);
    return status;
}

const struct command command_explain = {"explain", "say why an event did or did not arrive", help,
                                        run};
