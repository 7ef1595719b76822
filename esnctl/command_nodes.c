/* esnctl nodes: which daemons share a Redis, and how they are. */
#include "clock.h"
#include "commands.h"
#include "nodes/node_look.h"
#include "redis/redis_config.h"
#include "settings.h"
#include "table.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char nodes_help[] =
    "Usage: esnctl nodes [OPTION...]\n"
    "\n"
    "Says which daemons share the Redis of [bus] engine = redis: each one's number, whether it\n"
    "lives, how many streams it holds, and where it alone is reached ([fanout] node_url). One\n"
    "that does not renew its record for [bus] lease is dead: to see that takes as long. It is\n"
    "listed until another one has its way.\n"
    "\n"
    "Options:\n"
    "  --state            what each living one says of itself (`esnctl state`), asked with the\n"
    "                     admin token at its own way\n"
    "  --json             as JSON\n"
    "  --url URL          what ways that are paths are below: the web server's prefix (default:\n"
    "                     [handoff] url, else [subscribe] url)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl nodes\n"
    "  esnctl nodes --state --url https://shop.example/notify/ --json | jq '.[].state.events'\n"
    "\n"
    "Exit status: 0 good, and one lives at least; 1 failed, 2 usage.\n";

enum { OPTION_STATE = SETTINGS_OPTION_OWN };
enum { LOOKS_OF_LEASE = 20, LONGEST_PAUSE_MS = 1000 };

struct nodes_view {
    struct settings settings;
    bool with_state;
    struct node_lives lives;
    json_t *list; /* what is printed in the end */
    json_t *gone; /* likewise, after it */
};

/* ---- looking ---- */

static bool is_known(const struct node_lives *lives)
{
    for (size_t i = 0; i < lives->count; i++)
        if (node_life_state(lives, &lives->list[i]) == NODE_SEEN)
            return false;
    return true;
}

/* The newest renewal by the wall clock of who renewed it, which may differ from ours: for people. */
static uint64_t silent_ms(const struct node_record *record, uint64_t still_ms)
{
    uint64_t now = clock_wall_ms(), renewed = record->renewed_ms;
    uint64_t said = renewed != 0 && renewed < now ? now - renewed : 0;
    return said > still_ms ? said : still_ms;
}

/* NULL without memory. */
static json_t *describe(unsigned node, const struct node_record *record, bool lives,
                        uint64_t still_ms)
{
    json_t *entry = json_pack("{sI sb sI ss}", "node", (json_int_t)node, "living", lives, "streams",
                              lives ? (json_int_t)record->streams : 0, "url", record->way);
    if (entry != NULL && !lives)
        (void)json_object_set_new(entry, "silent_ms",
                                  json_integer((json_int_t)silent_ms(record, still_ms)));
    return entry;
}

static void add_gone(void *context, unsigned node, const struct node_record *record)
{
    struct nodes_view *view = context;
    (void)json_array_append_new(view->gone, describe(node, record, false, 0));
}

/* Until each is known to live or to be dead. */
static bool watch(struct nodes_view *view, struct redis_client *client)
{
    const struct config *config = &view->settings.config;
    char error[REDIS_CLIENT_ERROR_SIZE];
    uint64_t pause = config->bus_lease / LOOKS_OF_LEASE + 1;
    if (!node_look_at_gone(client, config->bus_prefix, add_gone, view, error)) {
        (void)command_fail("%s", error);
        return false;
    }
    do {
        if (view->lives.looked_at != 0)
            (void)poll(NULL, 0, (int)(pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS));
        if (!node_look(client, config->bus_prefix, &view->lives, clock_monotonic_ms(), error)) {
            (void)command_fail("%s", error);
            return false;
        }
    } while (!is_known(&view->lives));
    return true;
}

static int look(struct nodes_view *view)
{
    const struct config *config = &view->settings.config;
    char error[SECRET_ERROR_SIZE];
    struct redis_config redis;
    if (config->bus_engine != CONFIG_BUS_REDIS)
        return command_fail("[bus] engine is zeromq: there is one daemon, see esnctl state");
    if (!redis_config_load(&redis, config, error))
        return command_fail("%s", error);
    view->lives.lease_ms = config->bus_lease;
    struct redis_client *client = redis_client_open(&redis.options);
    bool watched = client != NULL ? watch(view, client) : (command_fail("out of memory"), false);
    redis_client_close(&client);
    redis_config_free(&redis);
    return watched ? COMMAND_GOOD : COMMAND_FAILED;
}

/* ---- what each says of itself ---- */

static int take_state(void *context, const struct http_client_answer *answer)
{
    json_t *entry = context;
    json_t *state = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    if (answer->status != 200 || state == NULL) {
        int status = settings_tell_refusal(answer->status, state);
        json_decref(state);
        return status;
    }
    return json_object_set_new(entry, "state", state) == 0 ? COMMAND_GOOD
                                                           : command_fail("out of memory");
}

/* NULL after it said why. */
static char *address_of(const struct settings *settings, const struct node_record *record)
{
    const struct config *config = &settings->config;
    const char *base = settings->url != NULL         ? settings->url
                       : config->handoff_url != NULL ? config->handoff_url
                                                     : config->subscribe_url;
    bool is_address = node_way_is_address(record->way);
    char *address = NULL;
    if (record->way[0] == '\0')
        (void)command_fail("it says no way of its own: [fanout] node_url");
    else if (!is_address && base == NULL)
        (void)command_fail("its way is a path: say with --url below what");
    else if (asprintf(&address, "%s%s%sstate", is_address ? "" : base,
                      is_address || base[strlen(base) - 1] == '/' ? "" : "/", record->way) < 0) {
        address = NULL;
        (void)command_fail("out of memory");
    }
    return address;
}

static int ask_state(struct nodes_view *view, const struct node_record *record, json_t *entry)
{
    struct settings *settings = &view->settings;
    char *address = address_of(settings, record);
    const struct http_client_request request = {
        .url = address, .token = settings->tokens.count > 0 ? settings->tokens.values[0] : NULL};
    int status = address != NULL ? settings_exchange(&request, take_state, entry) : COMMAND_FAILED;
    free(address);
    return status;
}

/* ---- telling ---- */

static int by_number(const void *a, const void *b)
{
    const struct node_life *one = a, *other = b;
    return (one->node > other->node) - (one->node < other->node);
}

static bool lives(const struct nodes_view *view, const struct node_life *life)
{
    return node_life_state(&view->lives, life) == NODE_LIVING;
}

/* Another one has its way by now. */
static bool has_heir(const struct nodes_view *view, const char *way)
{
    for (size_t i = 0; i < view->lives.count; i++)
        if (way[0] != '\0' && lives(view, &view->lives.list[i]) &&
            strcmp(view->lives.list[i].record.way, way) == 0)
            return true;
    return false;
}

static bool add_gone_without_heirs(struct nodes_view *view)
{
    size_t index;
    json_t *entry;
    json_array_foreach(view->gone, index, entry)
    {
        const char *way = json_string_value(json_object_get(entry, "url"));
        if (!has_heir(view, way) && json_array_append(view->list, entry) != 0)
            return false;
    }
    return true;
}

static int list(struct nodes_view *view)
{
    int status = COMMAND_GOOD;
    bool any_lives = false;
    qsort(view->lives.list, view->lives.count, sizeof *view->lives.list, by_number);
    for (size_t i = 0; i < view->lives.count; i++) {
        const struct node_life *life = &view->lives.list[i];
        bool living = lives(view, life);
        if (!living && has_heir(view, life->record.way))
            continue;
        json_t *entry = describe(life->node, &life->record, living, life->still_ms);
        if (json_array_append_new(view->list, entry) != 0)
            return command_fail("out of memory");
        any_lives = any_lives || living;
        if (view->with_state && living && ask_state(view, &life->record, entry) != COMMAND_GOOD)
            status = COMMAND_FAILED;
    }
    if (!add_gone_without_heirs(view))
        return command_fail("out of memory");
    return any_lives ? status : COMMAND_FAILED;
}

static void print_table(const json_t *all)
{
    size_t index;
    const json_t *entry;
    (void)printf("%-5s %-22s %10s  %s\n", "NODE", "", "STREAMS", "WAY");
    json_array_foreach(all, index, entry)
    {
        char state[40] = "living";
        json_int_t silent_s = json_integer_value(json_object_get(entry, "silent_ms")) / 1000;
        if (!json_is_true(json_object_get(entry, "living")))
            (void)snprintf(state, sizeof state, "dead for %" JSON_INTEGER_FORMAT " s", silent_s);
        const char *way = json_string_value(json_object_get(entry, "url"));
        (void)printf("%-5" JSON_INTEGER_FORMAT " %-22s %10" JSON_INTEGER_FORMAT "  %s\n",
                     json_integer_value(json_object_get(entry, "node")), state,
                     json_integer_value(json_object_get(entry, "streams")),
                     way[0] != '\0' ? way : "-");
    }
    json_array_foreach(all, index, entry)
    {
        json_t *state = json_object_get(entry, "state");
        if (state == NULL)
            continue;
        (void)printf("\nnode %" JSON_INTEGER_FORMAT "\n",
                     json_integer_value(json_object_get(entry, "node")));
        table_print(state);
    }
}

static int show(struct nodes_view *view)
{
    struct settings *settings = &view->settings;
    view->list = json_array();
    view->gone = json_array();
    if (view->list == NULL || view->gone == NULL)
        return command_fail("out of memory");
    if (!settings_load(settings) ||
        (view->with_state && !settings_load_tokens(settings, settings->config.admin_token_file)) ||
        look(view) != COMMAND_GOOD)
        return COMMAND_FAILED;
    int status = list(view);
    if (settings->json && json_dumpf(view->list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0)
        return command_fail("standard output cannot be written");
    if (settings->json)
        (void)putchar('\n');
    else
        print_table(view->list);
    return status;
}

static int run_nodes(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"state", no_argument, NULL, OPTION_STATE},
        {NULL, 0, NULL, 0},
    };
    struct nodes_view view = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_nodes);
        if (option == OPTION_STATE)
            view.with_state = true;
        else if (!settings_take_option(&view.settings, option))
            return command_usage_option(&command_nodes);
    }
    if (optind < argc)
        return command_usage(&command_nodes, "takes no argument: %s", argv[optind]);
    int status = show(&view);
    json_decref(view.list);
    json_decref(view.gone);
    node_lives_free(&view.lives);
    settings_free(&view.settings);
    return status;
}

const struct command command_nodes = {"nodes", "which daemons share a Redis, and how they are",
                                      nodes_help, run_nodes};
