/* esnctl topic: registered topics and who may say and hear what on them. */
#include "bytes.h"
#include "commands.h"
#include "database.h"
#include "password_input.h"
#include "topic_print.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl topic [OPTION...] add TOPIC\n"
    "       esnctl topic [OPTION...] show TOPIC\n"
    "       esnctl topic [OPTION...] list\n"
    "       esnctl topic [OPTION...] remove TOPIC\n"
    "       esnctl topic [OPTION...] owner TOPIC [USER]\n"
    "       esnctl topic [OPTION...] grant|revoke pub|sub TOPIC USER...\n"
    "       esnctl topic [OPTION...] create-tables\n"
    "\n"
    "Keeps the registered topics: those on which only some users may publish (pub) and hear (sub)\n"
    "bound events. What is changed holds from the next event on, for open streams too. USER is a\n"
    "user's id, or + for every bound user, * for everyone, '[][][]' for sessions without a user.\n"
    "The owner may always do both; without USER, owner leaves the topic to nobody.\n"
    "create-tables makes the tables in the configured database, and the SQLite file.\n"
    "\n"
    "Options:\n"
    "  --owner USER     of add: the owner\n"
    "  --pub USER       of add: may publish; again for more\n"
    "  --sub USER       of add: may hear; again for more\n"
    "  --password FILE  of add: file with the password that publishers must give; - asks for it\n"
    "  --json           of show and list: as JSON\n"
    "  --config FILE    configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help           this text\n"
    "\n"
    "Examples:\n"
    "  esnctl topic create-tables\n"
    "  esnctl topic --owner ana --pub sensor --sub luis --sub 7 add CASA/NIVEL_AGUA\n"
    "  esnctl topic grant sub CASA/NIVEL_AGUA eva\n"
    "  esnctl topic revoke sub CASA/NIVEL_AGUA luis\n"
    "  esnctl topic show CASA/NIVEL_AGUA\n"
    "  esnctl topic list --json | jq -r '.[].topic'\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_OWNER = SETTINGS_OPTION_OWN, OPTION_PUB, OPTION_SUB, OPTION_PASSWORD };

struct topic_call {
    struct settings settings;
    struct database database;
    const char *owner, *password_file;
    const char **pub, **sub; /* NULL-ended */
    size_t pubs, subs;
    char **words; /* behind the name of what is to be done */
    int count;
};

/* ---- what can be done ---- */

/* The list's JSON; NULL without memory, after it said so. */
static const char *list_text(struct bytes *text, const char **users, size_t count)
{
    bytes_append_text(text, "[");
    for (size_t i = 0; i < count; i++) {
        bytes_append_text(text, i > 0 ? "," : "");
        bytes_append_json_string(text, users[i], strlen(users[i]));
    }
    bytes_append_text(text, "]");
    const char *list = bytes_terminate(text);
    if (list == NULL)
        (void)command_fail("out of memory");
    return list;
}

static bool are_utf8(const char **users, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!utf8_is_valid(users[i], strlen(users[i]))) {
            (void)command_fail("a USER should be UTF-8");
            return false;
        }
    }
    return true;
}

static int add(struct topic_call *call)
{
    char hash[PASSWORD_HASH_SIZE] = "";
    struct bytes pub = BYTES_EMPTY, sub = BYTES_EMPTY;
    int status = COMMAND_FAILED;
    if (!are_utf8(call->pub, call->pubs) || !are_utf8(call->sub, call->subs) ||
        (call->password_file != NULL && !password_input_hash(call->password_file, 0, hash)))
        return status;
    const struct acl_values values = {.owner = call->owner,
                                      .pub = list_text(&pub, call->pub, call->pubs),
                                      .sub = list_text(&sub, call->sub, call->subs),
                                      .pub_password = hash};
    if (values.pub != NULL && values.sub != NULL)
        status = database_tell(&call->database,
                               acl_add_topic(call->database.acl, call->words[0], &values),
                               call->words[0]);
    bytes_free(&pub);
    bytes_free(&sub);
    return status;
}

static int show(struct topic_call *call)
{
    return topic_print_one(&call->database, call->words[0], call->settings.json);
}

static int list(struct topic_call *call)
{
    return topic_print_all(&call->database, call->settings.json);
}

static int remove_one(struct topic_call *call)
{
    return database_tell(&call->database, acl_remove_topic(call->database.acl, call->words[0]),
                         call->words[0]);
}

static int change_owner(struct topic_call *call)
{
    const struct acl_values values = {.owner = call->count > 1 ? call->words[1] : ""};
    return database_tell(&call->database,
                         acl_change_topic(call->database.acl, call->words[0], &values),
                         call->words[0]);
}

static int edit_list(struct topic_call *call,
                     enum sql_status (*edit)(struct acl *acl, const char *topic,
                                             enum acl_list which, const char *entry))
{
    bool pub = strcmp(call->words[0], "pub") == 0;
    if (!pub && strcmp(call->words[0], "sub") != 0)
        return command_usage(&command_topic, "which list, pub or sub?");
    int status = COMMAND_GOOD;
    for (int i = 2; i < call->count && status == COMMAND_GOOD; i++) {
        const char *user = call->words[i];
        enum sql_status result =
            edit(call->database.acl, call->words[1], pub ? ACL_PUB : ACL_SUB, user);
        status =
            database_tell(&call->database, result, result == SQL_NOT_FOUND ? call->words[1] : user);
    }
    return status;
}

static int grant(struct topic_call *call)
{
    return edit_list(call, acl_grant);
}

static int revoke(struct topic_call *call)
{
    return edit_list(call, acl_revoke);
}

static int create_tables(struct topic_call *call)
{
    const char *schema = call->database.config.options.kind == SQL_SQLITE ? database_schema_sqlite
                                                                          : database_schema_mariadb;
    return database_tell(&call->database, acl_run_script(call->database.acl, schema), "tables");
}

static const struct topic_action {
    const char *name;
    int least, most; /* words behind it */
    int (*run)(struct topic_call *call);
} actions[] = {
    {"add", 1, 1, add},
    {"show", 1, 1, show},
    {"list", 0, 0, list},
    {"remove", 1, 1, remove_one},
    {"owner", 1, 2, change_owner},
    {"grant", 3, 1000000, grant},
    {"revoke", 3, 1000000, revoke},
    {"create-tables", 0, 0, create_tables},
};

static const struct topic_action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    }
    return NULL;
}

/* ---- options ---- */

static int act(struct topic_call *call, const char *name)
{
    const struct topic_action *action = find_action(name);
    if (action == NULL)
        return command_usage(&command_topic, "there is no \"%s\"", name);
    if (call->count < action->least || call->count > action->most)
        return command_usage(&command_topic, "%s: too few or too many words", name);
    bool add_only =
        call->owner != NULL || call->pubs + call->subs > 0 || call->password_file != NULL;
    if (add_only && action->run != add)
        return command_usage(&command_topic, "--owner, --pub, --sub and --password are for add");
    if (!settings_load(&call->settings) ||
        !database_open(&call->database, &call->settings, action->run == create_tables))
        return COMMAND_FAILED;
    int status = action->run(call);
    database_close(&call->database);
    return status;
}

static bool take_option(struct topic_call *call, int option)
{
    switch (option) {
    case OPTION_OWNER:
        call->owner = optarg;
        return true;
    case OPTION_PUB:
        call->pub[call->pubs++] = optarg;
        return true;
    case OPTION_SUB:
        call->sub[call->subs++] = optarg;
        return true;
    case OPTION_PASSWORD:
        call->password_file = optarg;
        return true;
    default:
        return settings_take_option(&call->settings, option);
    }
}

static int read_and_act(struct topic_call *call, int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"owner", required_argument, NULL, OPTION_OWNER},
        {"pub", required_argument, NULL, OPTION_PUB},
        {"sub", required_argument, NULL, OPTION_SUB},
        {"password", required_argument, NULL, OPTION_PASSWORD},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_topic);
        if (!take_option(call, option))
            return command_usage_option(&command_topic);
    }
    if (optind == argc)
        return command_usage(&command_topic, "what is to be done?");
    call->words = argv + optind + 1;
    call->count = argc - optind - 1;
    return act(call, argv[optind]);
}

static int run(int argc, char **argv)
{
    struct topic_call call = {.pub = calloc((size_t)argc, sizeof *call.pub),
                              .sub = calloc((size_t)argc, sizeof *call.sub)};
    int status = call.pub != NULL && call.sub != NULL ? read_and_act(&call, argc, argv)
                                                      : command_fail("out of memory");
    settings_free(&call.settings);
    free(call.pub);
    free(call.sub);
    return status;
}

const struct command command_topic = {"topic", "keep registered topics and their rights", help,
                                      run};
