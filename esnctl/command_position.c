/* esnctl position: asks the daemon where events are, on the bus as the handlers do it, or by HTTP. */
#include "bus_call.h"
#include "commands.h"
#include "settings.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl position [OPTION...]\n"
    "\n"
    "Prints the id of the newest event. Whoever subscribes with it as last_id gets all that is\n"
    "published from now on.\n"
    "\n"
    "Options:\n"
    "  --url URL          ask at URL, through the web server and esn-event, as a backend does; "
    "one\n"
    "                     that ends with / gets `event` appended\n"
    "  --token-file FILE  file with the entry token for --url (default: [publish] token_file)\n"
    "  --json             say it as JSON: {\"id\": ...}\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Example:\n"
    "  esnctl position\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

static int print_position(const struct settings *settings, const char *id)
{
    (void)printf(settings->json ? "{\"id\":\"%s\"}\n" : "%s\n", id);
    return COMMAND_GOOD;
}

static int ask_on_bus(const struct settings *settings)
{
    char id[48];
    struct bus_event asked = bus_event_of_position();
    int status = bus_call(&settings->config, &asked);
    if (status != COMMAND_GOOD)
        return status;
    (void)snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, asked.epoch, asked.ack.event_sequence);
    return print_position(settings, id);
}

static int read_reply(void *context, const struct http_client_answer *answer)
{
    const struct settings *settings = context;
    json_t *reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    const char *error = json_string_value(json_object_get(reply, "error"));
    const char *id = json_string_value(json_object_get(reply, "id"));
    int status;
    if (answer->status == 404)
        status = command_fail("404: the token is missing or wrong, or no esn-event is there");
    else if (answer->status != 200)
        status = command_fail("%ld: %s", answer->status, error != NULL ? error : "refused");
    else if (id == NULL)
        status = command_fail("the answer does not come from esn-event: it has no id");
    else
        status = print_position(settings, id);
    json_decref(reply);
    return status;
}

static int ask_by_http(struct settings *settings)
{
    struct http_client_request request = {0};
    return settings_aim_at_event(settings, "/event", NULL, &request)
               ? settings_exchange(&request, read_reply, settings)
               : COMMAND_FAILED;
}

static int ask(struct settings *settings)
{
    if (!settings_load(settings))
        return COMMAND_FAILED;
    return settings->url != NULL ? ask_by_http(settings) : ask_on_bus(settings);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_position);
        if (!settings_take_option(&settings, option))
            return command_usage_option(&command_position);
    }
    if (optind != argc)
        return command_usage(&command_position, "takes no words");
    if (settings.url == NULL && settings.token_file != NULL)
        return command_usage(&command_position, "a token is for --url; the bus has none");
    int status = ask(&settings);
    settings_free(&settings);
    return status;
}

const struct command command_position = {"position", "say the id of the newest event", help, run};
