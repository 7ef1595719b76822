/* esnctl emit: one event, on the bus as the handlers do it, or by HTTP as a backend does it. */
#include "../fcgi-handlers/publish_request.h"
#include "bus_call.h"
#include "bytes.h"
#include "commands.h"
#include "json_text.h"
#include "settings.h"
#include "utf8.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl emit [OPTION...] TOPIC TYPE [DETAIL]\n"
    "\n"
    "Publishes one event of TYPE on TOPIC. DETAIL is any JSON value; - reads it from standard\n"
    "input; without it the event has none. Says how many streams the daemon gave it to.\n"
    "\n"
    "By default the event goes on the bus, as esn-event sends it: the daemon has to run, and you\n"
    "need write access to the bus's sockets. With --url it goes through the web server and\n"
    "esn-event, as a backend sends it, which shows that the whole way works.\n"
    "\n"
    "Options:\n"
    "  --whisper CONNID   only to this connection (listen and `connections --details` show it)\n"
    "  --except CONNID    to all but this connection\n"
    "  --keep             keep it as the topic's last value, which those get who subscribe later;\n"
    "                     with the DETAIL null: forget that\n"
    "  --id ID            name the event: sent again with the same ID it is not delivered twice\n"
    "  --url URL          post to URL; one that ends with / gets `event` appended\n"
    "  --token TOKEN      entry token for --url; others can see it in the list of processes\n"
    "  --token-file FILE  file with the entry token (default: [publish] token_file)\n"
    "  --json             say the result as JSON: {\"id\": ..., \"receivers\": ...}\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl emit news/today hello\n"
    "  esnctl emit news/today hello '{\"text\": \"It works\"}'\n"
    "  esnctl emit --whisper 17 desk/3 note '\"only for you\"'\n"
    "  date +'\"%s\"' | esnctl emit clock tick -\n"
    "  esnctl emit --url https://example.org/notify/ --token-file entry.token news/today hello\n"
    "\n"
    "Exit status: 0 the daemon has the event (also when nobody listened), 1 failed, 2 usage.\n";

enum { OPTION_WHISPER = SETTINGS_OPTION_OWN, OPTION_EXCEPT, OPTION_KEEP, OPTION_ID, OPTION_TOKEN };

struct emission {
    struct settings settings;
    const char *topic, *type, *detail, *whisper, *except, *id, *token;
    bool keep;
    struct bytes input; /* the detail, when it came from standard input */
    struct bytes body;  /* as posted */
};

/* ---- what is sent ---- */

static bool read_input(struct emission *emission)
{
    char piece[4096];
    size_t length;
    while ((length = fread(piece, 1, sizeof piece, stdin)) > 0)
        bytes_append(&emission->input, piece, length);
    if (ferror(stdin) || emission->input.failed) {
        (void)command_fail("standard input cannot be read");
        return false;
    }
    return true;
}

static int append_detail(struct emission *emission)
{
    const char *fault = NULL;
    struct json_span detail = {.start = emission->detail};
    if (emission->detail == NULL)
        return COMMAND_GOOD;
    detail.length = strlen(emission->detail);
    if (strcmp(emission->detail, "-") == 0) {
        if (!read_input(emission))
            return COMMAND_FAILED;
        detail.length = emission->input.length;
        detail.start = bytes_terminate(&emission->input);
    }
    if (!json_text_check(detail.start, detail.length, (unsigned)emission->settings.config.max_depth,
                         &fault))
        return command_usage(&command_emit,
                             "DETAIL is no JSON: %s. Text needs quotes of its own: '\"text\"'",
                             fault);
    bytes_append_text(&emission->body, ",\"detail\":");
    bytes_append(&emission->body, detail.start, detail.length);
    return COMMAND_GOOD;
}

/* Writes what a backend would post: the bus's way takes it apart with the code that esn-event has
 * for it, so that both ways refuse the same things. */
static int write_body(struct emission *emission)
{
    struct bytes *body = &emission->body;
    bytes_append_text(body, "{");
    if (emission->id != NULL) {
        bytes_append_text(body, "\"id\":");
        bytes_append_json_string(body, emission->id, strlen(emission->id));
        bytes_append_text(body, ",");
    }
    bytes_append_text(body, "\"ep\":[{\"topic\":");
    bytes_append_json_string(body, emission->topic, strlen(emission->topic));
    if (emission->whisper != NULL)
        bytes_append_format(body, ",\"whisper\":%s", emission->whisper);
    if (emission->except != NULL)
        bytes_append_format(body, ",\"except\":%s", emission->except);
    if (emission->keep)
        bytes_append_text(body, ",\"keep\":true");
    bytes_append_text(body, "}],\"e\":{\"type\":");
    bytes_append_json_string(body, emission->type, strlen(emission->type));
    int status = append_detail(emission);
    bytes_append_text(body, "}}");
    if (status == COMMAND_GOOD && body->failed)
        return command_fail("out of memory");
    return status;
}

static void print_result(const struct emission *emission, const char *id, uint64_t receivers,
                         bool again)
{
    if (emission->settings.json)
        (void)printf("{\"id\":\"%s\",\"receivers\":%" PRIu64 "%s}\n", id, receivers,
                     again ? ",\"double\":true" : "");
    else
        (void)printf("%s %" PRIu64 " %s, id %s\n",
                     again ? "the daemon had it before; it was sent to" : "sent to", receivers,
                     receivers == 1 ? "stream" : "streams", id);
}

/* ---- on the bus ---- */

static int tell_acknowledged(const struct emission *emission, const struct bus_event *event)
{
    char id[48];
    if (event->ack.status == ACK_OTHER)
        return command_fail("the id is that of another event, which the daemon had a moment ago");
    if (event->ack.status == ACK_TOPIC)
        return command_fail("the topic is over the limits that the daemon was started with");
    if (event->ack.status != ACK_DELIVERED && event->ack.status != ACK_DOUBLE)
        return command_fail("the daemon refused the event: it is overloaded");
    (void)snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, event->epoch, event->ack.event_sequence);
    print_result(emission, id, event->ack.receivers, event->ack.status == ACK_DOUBLE);
    return COMMAND_GOOD;
}

static int emit_on_open_bus(struct emission *emission, struct publish_request *request)
{
    if (request->has_id && !publish_request_make_keys(request, NULL))
        return command_fail("no memory");
    const struct config *config = &emission->settings.config;
    const struct publish_point *point = &request->points[0];
    struct bus_event event = {.topic = point->topic,
                              .topic_length = point->topic_length,
                              .whisper = point->whisper,
                              .event = request->event.data,
                              .event_length = request->event.length};
    event.flags =
        (uint16_t)((point->wildcard ? ENVELOPE_PATTERN : 0) |
                   (point->whispered ? ENVELOPE_WHISPER : 0) |
                   (point->excepts ? ENVELOPE_EXCEPT : 0) | (point->keeps ? ENVELOPE_KEEP : 0) |
                   (point->keeps && request->forgets ? ENVELOPE_FORGET : 0) |
                   (request->has_id ? ENVELOPE_HAS_POST_KEY : 0));
    memcpy(event.post_key, point->post_key, sizeof event.post_key);

    int status = bus_call(config, &event);
    return status == COMMAND_GOOD ? tell_acknowledged(emission, &event) : status;
}

static int emit_on_bus(struct emission *emission)
{
    const struct config *config = &emission->settings.config;
    struct publish_limits limits = {.max_depth = (unsigned)config->max_depth,
                                    .max_event_points = 1,
                                    .max_value = config->log_max_kept / 2,
                                    .max_topic_length = config->max_topic_length,
                                    .max_topic_levels = config->max_topic_levels};
    struct publish_request request;
    struct publish_fault fault;
    if (!publish_request_parse(&request, emission->body.data, emission->body.length, &limits,
                               &fault))
        return fault.detail != NULL ? command_fail("%s: %s", fault.reason, fault.detail)
                                    : command_fail("%s", fault.reason);
    int status = emit_on_open_bus(emission, &request);
    publish_request_free(&request);
    return status;
}

/* ---- by HTTP ---- */

static int read_reply(struct emission *emission, const struct http_client_answer *answer)
{
    json_t *reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    const char *error = json_string_value(json_object_get(reply, "error"));
    const char *id = json_string_value(json_object_get(reply, "id"));
    int status = COMMAND_GOOD;
    if (answer->status == 404)
        status = command_fail("404: the token is missing or wrong, or no esn-event is there");
    else if (answer->status != 200)
        status = command_fail("%ld: %s", answer->status, error != NULL ? error : "refused");
    else if (id == NULL)
        status = command_fail("the answer does not come from esn-event: it has no id");
    else
        print_result(emission, id,
                     (uint64_t)json_integer_value(json_object_get(reply, "receivers")), false);
    json_decref(reply);
    return status;
}

static int emit_by_http(struct emission *emission)
{
    struct settings *settings = &emission->settings;
    struct http_client_request request = {.body = emission->body.data,
                                          .body_length = emission->body.length};
    struct http_client_answer answer;
    size_t length = strlen(settings->url);
    const char *path = length > 0 && settings->url[length - 1] == '/' ? "/event" : NULL;
    bool has_token = emission->token != NULL || strstr(settings->url, "token=") != NULL;
    if ((!has_token && !settings_load_tokens(settings, settings->config.publish_token_file)) ||
        !settings_aim(settings, path, &request))
        return COMMAND_FAILED;
    if (emission->token != NULL)
        request.token = emission->token;
    int status = http_client_perform(&request, &answer) ? read_reply(emission, &answer)
                                                        : command_fail("%s", answer.error);
    http_client_answer_free(&answer);
    return status;
}

/* ---- options ---- */

static bool is_connection_id(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '\0' && digits <= 16 &&
           strtoull(text, NULL, 10) < UINT64_C(1) << 53;
}

static int check_arguments(const struct emission *emission)
{
    const char *const texts[] = {emission->topic, emission->type, emission->id};
    if (emission->whisper != NULL && !is_connection_id(emission->whisper))
        return command_usage(&command_emit, "--whisper should be a connection's number");
    if (emission->except != NULL && !is_connection_id(emission->except))
        return command_usage(&command_emit, "--except should be a connection's number");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] != NULL && !utf8_is_valid(texts[i], strlen(texts[i])))
            return command_usage(&command_emit, "TOPIC, TYPE and ID should be UTF-8");
    }
    if (emission->settings.url == NULL &&
        (emission->token != NULL || emission->settings.token_file != NULL))
        return command_usage(&command_emit, "a token is for --url; the bus has none");
    return COMMAND_GOOD;
}

static int emit(struct emission *emission)
{
    int status = check_arguments(emission);
    if (status != COMMAND_GOOD)
        return status;
    if (!settings_load(&emission->settings))
        return COMMAND_FAILED;
    status = write_body(emission);
    if (status != COMMAND_GOOD)
        return status;
    return emission->settings.url != NULL ? emit_by_http(emission) : emit_on_bus(emission);
}

static bool take_option(struct emission *emission, int option)
{
    switch (option) {
    case OPTION_WHISPER:
        emission->whisper = optarg;
        return true;
    case OPTION_EXCEPT:
        emission->except = optarg;
        return true;
    case OPTION_KEEP:
        emission->keep = true;
        return true;
    case OPTION_ID:
        emission->id = optarg;
        return true;
    case OPTION_TOKEN:
        emission->token = optarg;
        return true;
    default:
        return settings_take_option(&emission->settings, option);
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"whisper", required_argument, NULL, OPTION_WHISPER},
        {"except", required_argument, NULL, OPTION_EXCEPT},
        {"keep", no_argument, NULL, OPTION_KEEP},
        {"id", required_argument, NULL, OPTION_ID},
        {"token", required_argument, NULL, OPTION_TOKEN},
        {NULL, 0, NULL, 0},
    };
    struct emission emission = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_emit);
        if (!take_option(&emission, option))
            return command_usage_option(&command_emit);
    }
    if (argc - optind < 2 || argc - optind > 3)
        return command_usage(&command_emit, "needs TOPIC and TYPE, and at most a DETAIL more");
    emission.topic = argv[optind];
    emission.type = argv[optind + 1];
    emission.detail = argc - optind == 3 ? argv[optind + 2] : NULL;
    int status = emit(&emission);
    settings_free(&emission.settings);
    bytes_free(&emission.input);
    bytes_free(&emission.body);
    return status;
}

const struct command command_emit = {"emit", "publish an event", help, run};
