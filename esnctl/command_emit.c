/* esnctl emit: one event, on the bus as the handlers do it, or by HTTP as a backend does it. */
#include "../fcgi-handlers/publish_request.h"
#include "bus_call.h"
#include "bytes.h"
#include "commands.h"
#include "emit_lines.h"
#include "event_id.h"
#include "json_text.h"
#include "report_view.h"
#include "settings.h"
#include "utf8.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_WAIT_MS = 5000, REPORT_PAUSE_MS = 100 };

static const char help[] =
    "Usage: esnctl emit [OPTION...] TOPIC TYPE [DETAIL]\n"
    "       esnctl emit --lines [OPTION...]\n"
    "\n"
    "Publishes one event of TYPE on TOPIC. DETAIL is any JSON value; - reads it from standard\n"
    "input; without it the event has none. Says how many streams the daemon gave it to.\n"
    "\n"
    "With --lines standard input has the events, one post a line as POST /event takes it\n"
    "({\"ep\": [...], \"e\": {...}}), and each is answered with the number of its line, as soon "
    "as\n"
    "it is published. It ends where the daemon takes nothing any more.\n"
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
    "  --report           wait up to five seconds until all who say so had it, and print who had "
    "it\n"
    "  --id ID            name the event: sent again with the same ID it is not delivered twice\n"
    "  --url URL          post to URL; one that ends with / gets `event` appended\n"
    "  --token TOKEN      entry token for --url; others can see it in the list of processes\n"
    "  --token-file FILE  file with the entry token (default: [publish] token_file)\n"
    "  --json             say the result as JSON: {\"id\": ..., \"receivers\": ...}, or, of each\n"
    "                     line, what POST /event answers, behind \"line\"; a report as GET\n"
    "                     /event/ID does\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl emit news/today hello\n"
    "  esnctl emit news/today hello '{\"text\": \"It works\"}'\n"
    "  esnctl emit --whisper 17 desk/3 note '\"only for you\"'\n"
    "  date +'\"%s\"' | esnctl emit clock tick -\n"
    "  jq -c '.orders[] | {ep: [\"orders/\\(.id)\"], e: {type: \"paid\"}}' today.json | esnctl "
    "emit --lines\n"
    "  esnctl emit --url https://example.org/notify/ --token-file entry.token news/today hello\n"
    "\n"
    "Exit status: 0 the daemon has the event, or all of them (also when nobody listened), 1 "
    "failed,\n"
    "2 usage.\n";

enum {
    OPTION_WHISPER = SETTINGS_OPTION_OWN,
    OPTION_EXCEPT,
    OPTION_KEEP,
    OPTION_ID,
    OPTION_TOKEN,
    OPTION_LINES,
    OPTION_REPORT
};

struct emission {
    struct settings settings;
    const char *topic, *type, *detail, *whisper, *except, *id, *token;
    bool keep, lines, report;
    struct bytes input;                 /* the detail, when it came from standard input */
    struct bytes body;                  /* as posted */
    struct http_client_request request; /* by HTTP */
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
    bytes_append_text(body, emission->report ? "},\"report\":true}" : "}}");
    if (status == COMMAND_GOOD && body->failed)
        return command_fail("out of memory");
    return status;
}

/* A report has all of it, and more. */
static void print_result(const struct emission *emission, const char *id, uint64_t receivers,
                         bool again)
{
    if (emission->settings.json && emission->report)
        return;
    if (emission->settings.json)
        (void)printf("{\"id\":\"%s\",\"receivers\":%" PRIu64 "%s}\n", id, receivers,
                     again ? ",\"double\":true" : "");
    else
        (void)printf("%s %" PRIu64 " %s, id %s\n",
                     again ? "the daemon had it before; it was sent to" : "sent to", receivers,
                     receivers == 1 ? "stream" : "streams", id);
}

/* ---- the report ---- */

/* Asks until all had it, or for as long as anybody would wait. `ask` gets one answer; false: there
 * is none, and why was said. */
static int show_report(const struct emission *emission,
                       bool (*ask)(const struct emission *emission, const char *id,
                                   struct bytes *report),
                       const char *id)
{
    struct bytes report = BYTES_EMPTY;
    int status = COMMAND_FAILED;
    for (unsigned waited = 0; ask(emission, id, &report); waited += REPORT_PAUSE_MS) {
        if (report_view_is_complete(&report) || waited >= REPORT_WAIT_MS) {
            status = report_view_print(&report, emission->settings.json);
            break;
        }
        (void)usleep(REPORT_PAUSE_MS * 1000);
        bytes_clear(&report);
    }
    bytes_free(&report);
    return status;
}

/* ---- on the bus ---- */

static bool ask_on_bus(const struct emission *emission, const char *id, struct bytes *report)
{
    struct question question = {.kind = QUESTION_REPORT};
    unsigned char record[QUESTION_SIZE];
    if (!event_id_read(id, strlen(id), &question.epoch, &question.sequence))
        return false;
    struct bus_event asked = bus_event_of_question(&question, 0, record, report);
    if (bus_call(&emission->settings.config, &asked) != COMMAND_GOOD)
        return false;
    if (asked.ack.status == ACK_DELIVERED && !report->failed)
        return true;
    (void)command_fail(asked.ack.status == ACK_UNKNOWN
                           ? "the daemon keeps no report of this event: [log] report_time or "
                             "max_report_bytes is too small"
                           : "the daemon is overloaded");
    return false;
}

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
    return emission->report ? show_report(emission, ask_on_bus, id) : COMMAND_GOOD;
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
                   (request->reported ? ENVELOPE_REPORT : 0) |
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

/* The address of the event's report: that of /event, and the id before its query. */
static bool aim_at_report(const struct http_client_request *post, const char *id, char **address)
{
    int path = (int)strcspn(post->url, "?#");
    if (asprintf(address, "%.*s/%s%s", path, post->url, id, post->url + path) >= 0)
        return true;
    *address = NULL;
    return false;
}

static bool ask_by_http(const struct emission *emission, const char *id, struct bytes *report)
{
    struct http_client_request request = emission->request;
    struct http_client_answer answer;
    char *address;
    if (!aim_at_report(&request, id, &address)) {
        (void)command_fail("out of memory");
        return false;
    }
    request.url = address;
    request.body = NULL;
    bool good = http_client_perform(&request, &answer);
    if (!good)
        (void)command_fail("%s", answer.error);
    else if (answer.status == 200)
        bytes_append(report, answer.body.data, answer.body.length);
    else
        (void)command_fail("%ld: no report of this event", answer.status);
    good = good && answer.status == 200;
    http_client_answer_free(&answer);
    free(address);
    return good;
}

static int read_reply(void *context, const struct http_client_answer *answer)
{
    const struct emission *emission = context;
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
    if (status == COMMAND_GOOD && emission->report)
        status = show_report(emission, ask_by_http, id);
    json_decref(reply);
    return status;
}

/* Where posts go, and with which token. */
static bool aim(struct emission *emission)
{
    return settings_aim_at_event(&emission->settings, "/event", emission->token,
                                 &emission->request);
}

static int emit_by_http(struct emission *emission)
{
    emission->request.body = emission->body.data;
    emission->request.body_length = emission->body.length;
    return settings_exchange(&emission->request, read_reply, emission);
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
    bool has_own = emission->whisper != NULL || emission->except != NULL || emission->keep ||
                   emission->report || emission->id != NULL;
    if (emission->lines && has_own)
        return command_usage(&command_emit, "with --lines each line says that by itself");
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
    if (!settings_load(&emission->settings) || (emission->settings.url != NULL && !aim(emission)))
        return COMMAND_FAILED;
    if (emission->lines)
        return emit_lines(&emission->settings,
                          emission->settings.url != NULL ? &emission->request : NULL);
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
    case OPTION_LINES:
        emission->lines = true;
        return true;
    case OPTION_REPORT:
        emission->report = true;
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
        {"lines", no_argument, NULL, OPTION_LINES},
        {"report", no_argument, NULL, OPTION_REPORT},
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
    int words = argc - optind;
    if (emission.lines ? words > 0 : words < 2 || words > 3)
        return command_usage(&command_emit, "%s",
                             emission.lines ? "--lines reads all from standard input"
                                            : "needs TOPIC and TYPE, and at most a DETAIL more");
    emission.topic = words > 0 ? argv[optind] : NULL;
    emission.type = words > 1 ? argv[optind + 1] : NULL;
    emission.detail = words > 2 ? argv[optind + 2] : NULL;
    int status = emit(&emission);
    settings_free(&emission.settings);
    bytes_free(&emission.input);
    bytes_free(&emission.body);
    return status;
}

const struct command command_emit = {"emit", "publish an event", help, run};
