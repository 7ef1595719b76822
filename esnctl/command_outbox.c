/* esnctl outbox: rows that wait to be published, and those that were refused. */
#include "commands.h"
#include "database.h"
#include "outbox/outbox_config.h"
#include "outbox/outbox_table.h"
#include "settings.h"
#include "sql/sql.h"
#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl outbox [OPTION...]\n"
    "       esnctl outbox [OPTION...] waiting|failed\n"
    "       esnctl outbox [OPTION...] retry|drop ID...\n"
    "       esnctl outbox [OPTION...] --all retry|drop\n"
    "       esnctl outbox create-tables\n"
    "\n"
    "What esn-outbox has to do: rows of the table outgoing_events in the database of [outbox].\n"
    "Without a word it says how many rows wait, for how long the first one has, and how many were\n"
    "refused for ever. waiting and failed list the first thousand of them; retry makes failed "
    "rows\n"
    "wait again, drop deletes rows. create-tables makes the tables that are not there.\n"
    "\n"
    "Options:\n"
    "  --all          of retry and drop: every failed row\n"
    "  --json         as JSON\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl outbox\n"
    "  esnctl outbox failed\n"
    "  esnctl outbox retry 4711\n"
    "  esnctl outbox --json | jq .oldest_ms\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_ALL = SETTINGS_OPTION_OWN };

struct outbox_call {
    struct settings settings;
    struct outbox_config config;
    struct outbox_table *table;
    bool all;
    char **words;
    int count;
};

static int tell(const struct outbox_call *call, enum sql_status status)
{
    const char *words = outbox_table_error(call->table);
    bool no_table =
        strstr(words, "no such table") != NULL || strstr(words, "doesn't exist") != NULL;
    if (status == SQL_OK)
        return COMMAND_GOOD;
    return command_fail("%s%s", words,
                        no_table ? "; make the tables with: esnctl outbox create-tables" : "");
}

static int print(const struct outbox_call *call, json_t *tree)
{
    int status = COMMAND_GOOD;
    if (tree == NULL)
        return command_fail("out of memory, or a row is not UTF-8");
    if (!call->settings.json)
        table_print(tree);
    else if (json_dumpf(tree, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0 ||
             putchar('\n') == EOF)
        status = command_fail("standard output cannot be written");
    json_decref(tree);
    return status;
}

/* ---- what there is ---- */

static int show(struct outbox_call *call)
{
    struct outbox_counts counts;
    enum sql_status status = outbox_table_count(call->table, &counts);
    if (status != SQL_OK)
        return tell(call, status);
    uint64_t oldest = counts.oldest_ms != 0 && counts.now_ms > counts.oldest_ms
                          ? counts.now_ms - counts.oldest_ms
                          : 0;
    return print(call, json_pack("{sI sI sI}", "waiting", (json_int_t)counts.waiting, "oldest_ms",
                                 (json_int_t)oldest, "failed", (json_int_t)counts.failed));
}

static json_t *text_of(const struct sql_text *text)
{
    return json_stringn(text->text != NULL ? text->text : "", text->length);
}

static bool add_entry(const struct outbox_entry *entry, void *context)
{
    json_t *object =
        json_pack("{sI so so sI so}", "id", (json_int_t)entry->id, "queue", text_of(&entry->queue),
                  "publisher", text_of(&entry->publisher), "created_ms",
                  (json_int_t)entry->created_ms, "body", text_of(&entry->start));
    if (object != NULL && entry->failed_ms != 0)
        (void)json_object_set_new(object, "failure", text_of(&entry->failure));
    return json_array_append_new(context, object) == 0;
}

static int print_entries(const struct outbox_call *call, json_t *list)
{
    if (call->settings.json)
        return print(call, list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i > 0)
            (void)putchar('\n');
        table_print(json_array_get(list, i));
    }
    json_decref(list);
    return COMMAND_GOOD;
}

static int list_rows(struct outbox_call *call, bool failed)
{
    json_t *list = json_array();
    enum sql_status status = outbox_table_list(call->table, failed, add_entry, list);
    if (status == SQL_OK)
        return print_entries(call, list);
    json_decref(list);
    return tell(call, status);
}

static int list_waiting(struct outbox_call *call)
{
    return list_rows(call, false);
}

static int list_failed(struct outbox_call *call)
{
    return list_rows(call, true);
}

/* ---- what is done ---- */

static bool read_id(const char *text, uint64_t *id)
{
    char *rest;
    errno = 0;
    *id = strtoull(text, &rest, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *rest == '\0' && *id > 0;
}

static int change_rows(struct outbox_call *call, const char *what,
                       enum sql_status (*change)(struct outbox_table *table, uint64_t id,
                                                 uint64_t *done))
{
    uint64_t done = 0, sum = 0, id = 0;
    enum sql_status status = call->all ? change(call->table, 0, &sum) : SQL_OK;
    for (int i = 0; i < call->count && status == SQL_OK; i++) {
        (void)read_id(call->words[i], &id);
        status = change(call->table, id, &done);
        if (status == SQL_OK && done == 0)
            return command_fail("%s: there is no such row", call->words[i]);
        sum += done;
    }
    if (status != SQL_OK)
        return tell(call, status);
    return print(call, json_pack("{sI}", what, (json_int_t)sum));
}

static int retry(struct outbox_call *call)
{
    return change_rows(call, "retried", outbox_table_retry);
}

static int drop(struct outbox_call *call)
{
    return change_rows(call, "dropped", outbox_table_drop);
}

static int create_tables(struct outbox_call *call)
{
    return tell(call, outbox_table_run_script(call->table, call->config.options.kind == SQL_SQLITE
                                                               ? database_schema_outbox_sqlite
                                                               : database_schema_outbox_mariadb));
}

static const struct outbox_action {
    const char *name;
    bool takes_ids;
    int (*run)(struct outbox_call *call);
} actions[] = {
    {"show", false, show},          {"waiting", false, list_waiting},
    {"failed", false, list_failed}, {"retry", true, retry},
    {"drop", true, drop},           {"create-tables", false, create_tables},
};

/* ---- options ---- */

static const struct outbox_action *find_action(const char *name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static int check_words(const struct outbox_call *call, const struct outbox_action *action)
{
    uint64_t id;
    if (call->all && (!action->takes_ids || call->count > 0))
        return command_usage(&command_outbox, "--all is for retry and drop, instead of ids");
    if (action->takes_ids && !call->all && call->count == 0)
        return command_usage(&command_outbox, "%s: which rows? Ids, or --all", action->name);
    if (!action->takes_ids && call->count > 0)
        return command_usage(&command_outbox, "%s takes no more words", action->name);
    for (int i = 0; i < call->count; i++)
        if (!read_id(call->words[i], &id))
            return command_usage(&command_outbox, "an id is a number, not \"%s\"", call->words[i]);
    return COMMAND_GOOD;
}

static int open_and_run(struct outbox_call *call, const struct outbox_action *action)
{
    const struct outbox_limits limits = {.rows = 1, .bytes = 1};
    char error[SECRET_ERROR_SIZE];
    if (!settings_load(&call->settings))
        return COMMAND_FAILED;
    if (!outbox_config_load(&call->config, &call->settings.config, error))
        return command_fail("%s", error);
    call->table = outbox_table_open(&call->config.options, &limits);
    return call->table != NULL ? action->run(call) : command_fail("out of memory");
}

static int act(struct outbox_call *call, const char *name)
{
    const struct outbox_action *action = find_action(name);
    if (action == NULL)
        return command_usage(&command_outbox, "there is no \"%s\"", name);
    int status = check_words(call, action);
    if (status == COMMAND_GOOD)
        status = open_and_run(call, action);
    outbox_table_close(&call->table);
    outbox_config_free(&call->config);
    settings_free(&call->settings);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"all", no_argument, NULL, OPTION_ALL},
        {NULL, 0, NULL, 0},
    };
    struct outbox_call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_outbox);
        if (option == OPTION_ALL)
            call.all = true;
        else if (!settings_take_option(&call.settings, option))
            return command_usage_option(&command_outbox);
    }
    if (optind == argc)
        return act(&call, "show");
    call.words = argv + optind + 1;
    call.count = argc - optind - 1;
    return act(&call, argv[optind]);
}

const struct command command_outbox = {"outbox", "rows that wait to be published, or were refused",
                                       help, run};
