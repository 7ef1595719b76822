/* esnctl whoami: what a bind key or a ticket says, to those who have the keys. */
#include "acl/acl_config.h"
#include "clock.h"
#include "commands.h"
#include "settings.h"
#include "table.h"
#include "ticket.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl whoami [OPTION...] KEY\n"
    "\n"
    "Says what a bind key or a ticket stands for, and whether it is valid now. KEY - reads it "
    "from\n"
    "standard input. It needs the keys of the configuration: [bind_key] private_key_file for bind\n"
    "keys that publishers make, [ticket] secret_file for tickets. Bind keys that a binding server\n"
    "answers are for that server alone. A ticket that is looked at is not used up by it.\n"
    "\n"
    "Options:\n"
    "  --json         as JSON\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl whoami \"$(esnctl bindkey ana)\"\n"
    "  pbpaste | esnctl whoami -\n"
    "\n"
    "Exit status: 0 it is valid, 1 it is not, or failed, 2 usage.\n";

enum { EVER_S = 2000000000 };

static int print(json_t *said, bool json, bool valid)
{
    if (said == NULL)
        return command_fail("out of memory");
    if (json) {
        (void)json_dumpf(said, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else {
        table_print(said);
    }
    json_decref(said);
    return valid ? COMMAND_GOOD : COMMAND_FAILED;
}

/* ---- bind keys ---- */

/* Reads it as if it were of some other time, too. */
static bool read_key(struct bind_key_options options, const char *text, size_t length, bool ever,
                     char user[USER_ID_SIZE], char error[BIND_KEY_ERROR_SIZE], bool *failed)
{
    if (ever)
        options.tolerance_s = options.skew_s = EVER_S;
    struct bind_key_reader *reader = bind_key_reader_open(&options, error);
    *failed = reader == NULL;
    if (reader == NULL)
        return false;
    bool good = bind_key_read(reader, text, length, clock_wall_ms() / 1000, user, NULL);
    bind_key_reader_close(&reader);
    return good;
}

static int tell_bind_key(const struct settings *settings, const char *text, size_t length)
{
    char user[USER_ID_SIZE], error[BIND_KEY_ERROR_SIZE];
    const struct bind_key_options options = bind_key_config_options(&settings->config);
    bool failed;
    if (options.private_key_file == NULL)
        return command_fail("[bind_key] private_key_file is not set: bind keys cannot be read");
    bool valid = read_key(options, text, length, false, user, error, &failed);
    bool readable =
        valid || (!failed && read_key(options, text, length, true, user, error, &failed));
    if (failed)
        return command_fail("%s", error);
    if (!readable)
        return command_fail("invalid: made with another key or padding, damaged, or no bind key");
    const char *state = valid ? "valid now" : "not of now: too old, or of the future";
    return print(json_pack("{ss ss ss}", "kind", "bind key", "user", user, "state", state),
                 settings->json, valid);
}

/* ---- tickets ---- */

static json_t *topics_of(const struct ticket *ticket)
{
    json_t *topics = json_array();
    for (size_t i = 0; i < ticket->topic_count; i++) {
        const struct requested_topic *topic = &ticket->topics[i];
        json_t *name = json_stringn(topic->text, topic->length);
        const char *kind = topic->bound ? "binded" : topic->granted ? "private" : NULL;
        (void)json_array_append_new(
            topics, kind != NULL ? json_pack("{so sb}", "topic", name, kind, 1) : name);
    }
    return topics;
}

static json_t *object_of(const struct ticket *ticket)
{
    json_t *said = json_pack("{ss ss* so ss* ss* ss}", "kind", "ticket", "user", ticket->user, "ep",
                             topics_of(ticket), "clid", ticket->clid, "last_id", ticket->last_id,
                             "state", "valid now");
    return said;
}

static int tell_ticket(const struct settings *settings, const char *text, size_t length)
{
    const struct config *config = &settings->config;
    const struct ticket_rules rules = ticket_rules_of(config, &settings->tokens);
    struct ticket ticket;
    const char *why = NULL;
    if (config->ticket_secret_file == NULL)
        return command_fail("[ticket] secret_file is not set: tickets cannot be read");
    if (ticket_read(&ticket, &rules, text, length, clock_wall_ms() / 1000, &why) != TICKET_OK)
        return command_fail("invalid ticket: %s", why != NULL ? why : "out of memory");
    int status = print(object_of(&ticket), settings->json, true);
    ticket_free(&ticket);
    return status;
}

/* ---- options ---- */

static bool is_ticket(const char *text)
{
    const char *dot = strchr(text, '.');
    return dot != NULL && strchr(dot + 1, '.') != NULL;
}

static int tell(struct settings *settings, const char *word)
{
    char input[65536] = "";
    if (strcmp(word, "-") == 0) {
        size_t got = fread(input, 1, sizeof input - 1, stdin);
        input[got] = '\0';
        word = input;
    }
    const char *text = word + strspn(word, " \t\r\n");
    size_t length = strcspn(text, " \t\r\n");
    if (!settings_load(settings))
        return COMMAND_FAILED;
    if (!is_ticket(text))
        return tell_bind_key(settings, text, length);
    if (!settings_load_tokens(settings, settings->config.ticket_secret_file))
        return COMMAND_FAILED;
    return tell_ticket(settings, text, length);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_whoami);
        if (!settings_take_option(&settings, option))
            return command_usage_option(&command_whoami);
    }
    if (argc - optind != 1)
        return command_usage(&command_whoami, "needs one KEY");
    int status = tell(&settings, argv[optind]);
    settings_free(&settings);
    return status;
}

const struct command command_whoami = {"whoami", "say what a bind key or ticket stands for", help,
                                       run};
