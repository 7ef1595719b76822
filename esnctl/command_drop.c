/* esnctl drop: ends streams, on the bus as the handlers do it, or by HTTP as a backend does it. */
#include "../fcgi-handlers/drop_request.h"
#include "bus_call.h"
#include "bytes.h"
#include "commands.h"
#include "settings.h"
#include "utf8.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl drop [OPTION...] uid|sid|connid|clid WHOSE\n"
    "\n"
    "Ends the streams of a user, of a session of the application, of a connection's number, or of "
    "a\n"
    "client id. Their pages do not come back by themselves. Says how many they were. With --for,\n"
    "what was signed for the user or session before is refused for so many seconds.\n"
    "\n"
    "By default the order goes on the bus; with --url through the web server and esn-event, as a\n"
    "backend gives it.\n"
    "\n"
    "Options:\n"
    "  --for SECONDS      refuse what was signed before (default: as long as a ticket can be "
    "used)\n"
    "  --url URL          post to URL; one that ends with / gets `drop` appended\n"
    "  --token-file FILE  file with the entry token for --url (default: [publish] token_file)\n"
    "  --json             say the result as JSON: {\"dropped\": ...}\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl drop --for 3600 uid eva\n"
    "  esnctl drop connid 1882592973422592\n"
    "  esnctl drop sid \"session:$(printf %s \"$PHPSESSID\" | sha256sum | cut -d' ' -f1)\"\n"
    "\n"
    "Exit status: 0 done (also when there was no stream), 1 failed, 2 usage.\n";

enum { OPTION_FOR = SETTINGS_OPTION_OWN };

struct drop_call {
    struct settings settings;
    const char *kind, *whose, *seconds;
    struct bytes body; /* as posted */
};

static void tell_dropped(const struct drop_call *call, uint64_t dropped)
{
    if (call->settings.json)
        (void)printf("{\"dropped\":%" PRIu64 "}\n", dropped);
    else
        (void)printf("%" PRIu64 " %s ended\n", dropped,
                     dropped == 1 ? "stream was" : "streams were");
}

/* ---- what is sent ---- */

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '\0' && digits <= 16;
}

/* Writes what a backend would post: the bus's way takes it apart with the code that esn-event has
 * for it, so that both ways refuse the same things. */
static int write_body(struct drop_call *call)
{
    bool is_connid = strcmp(call->kind, "connid") == 0;
    if (!utf8_is_valid(call->whose, strlen(call->whose)))
        return command_usage(&command_drop, "WHOSE should be UTF-8");
    if (is_connid && !is_number(call->whose))
        return command_usage(&command_drop, "a connection has a number");
    if (call->seconds != NULL && !is_number(call->seconds))
        return command_usage(&command_drop, "--for should be a number of seconds");
    bytes_append_format(&call->body, "{\"%s\":", call->kind);
    if (is_connid)
        bytes_append_text(&call->body, call->whose);
    else
        bytes_append_json_string(&call->body, call->whose, strlen(call->whose));
    if (call->seconds != NULL)
        bytes_append_format(&call->body, ",\"for\":%s", call->seconds);
    bytes_append_text(&call->body, "}");
    return call->body.failed ? command_fail("out of memory") : COMMAND_GOOD;
}

/* ---- on the bus ---- */

static int order_on_bus(struct drop_call *call, const struct drop *drop)
{
    unsigned char record[DROP_RECORD_SIZE];
    struct bus_event event = bus_event_of_drop(drop, record);
    int status = bus_call(&call->settings.config, &event);
    if (status != COMMAND_GOOD)
        return status;
    if (event.ack.status == ACK_FULL)
        return command_fail("the daemon remembers too many drops ([fanout] max_revocations); "
                            "nothing was dropped");
    if (event.ack.status != ACK_DELIVERED && event.ack.status != ACK_DOUBLE)
        return command_fail("the daemon refused: it is overloaded, or cannot write its log");
    tell_dropped(call, event.ack.receivers);
    return COMMAND_GOOD;
}

static int drop_on_bus(struct drop_call *call)
{
    struct drop_request request;
    struct publish_fault fault = {0};
    int status = COMMAND_FAILED;
    if (drop_request_parse(&request, call->body.data, call->body.length, &call->settings.config,
                           &fault))
        status = order_on_bus(call, &request.drop);
    else
        (void)command_fail("%s%s%s", fault.reason, fault.detail != NULL ? ": " : "",
                           fault.detail != NULL ? fault.detail : "");
    drop_request_free(&request);
    return status;
}

/* ---- by HTTP ---- */

static int read_reply(void *context, const struct http_client_answer *answer)
{
    const struct drop_call *call = context;
    json_t *reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    const char *error = json_string_value(json_object_get(reply, "error"));
    const json_t *dropped = json_object_get(reply, "dropped");
    int status = COMMAND_GOOD;
    if (answer->status == 404)
        status = command_fail("404: the token is missing or wrong, or no esn-event is there");
    else if (answer->status != 200)
        status = command_fail("%ld: %s", answer->status, error != NULL ? error : "refused");
    else if (!json_is_integer(dropped))
        status = command_fail("the answer does not come from esn-event");
    else
        tell_dropped(call, (uint64_t)json_integer_value(dropped));
    json_decref(reply);
    return status;
}

static int drop_by_http(struct drop_call *call)
{
    struct http_client_request request = {.body = call->body.data,
                                          .body_length = call->body.length};
    return settings_aim_at_event(&call->settings, "/drop", NULL, &request)
               ? settings_exchange(&request, read_reply, call)
               : COMMAND_FAILED;
}

/* ---- options ---- */

static int drop(struct drop_call *call)
{
    static const char *const kinds[] = {"uid", "sid", "connid", "clid"};
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        known |= strcmp(kinds[i], call->kind) == 0;
    if (!known)
        return command_usage(&command_drop, "uid, sid, connid or clid, not \"%s\"", call->kind);
    if (call->settings.url == NULL && call->settings.token_file != NULL)
        return command_usage(&command_drop, "a token is for --url; the bus has none");
    int status = write_body(call);
    if (status != COMMAND_GOOD)
        return status;
    if (!settings_load(&call->settings))
        return COMMAND_FAILED;
    return call->settings.url != NULL ? drop_by_http(call) : drop_on_bus(call);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"for", required_argument, NULL, OPTION_FOR},
        {NULL, 0, NULL, 0},
    };
    struct drop_call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_drop);
        if (option == OPTION_FOR)
            call.seconds = optarg;
        else if (!settings_take_option(&call.settings, option))
            return command_usage_option(&command_drop);
    }
    if (argc - optind != 2)
        return command_usage(&command_drop, "needs uid, sid, connid or clid, and WHOSE");
    call.kind = argv[optind];
    call.whose = argv[optind + 1];
    int status = drop(&call);
    bytes_free(&call.body);
    settings_free(&call.settings);
    return status;
}

const struct command command_drop = {"drop", "end streams of a user, session or client", help, run};
