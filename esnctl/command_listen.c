/* esnctl listen: holds one stream and prints what comes. */
#include "bytes.h"
#include "commands.h"
#include "frame_reader.h"
#include "json_text.h"
#include "settings.h"
#include "utf8.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl listen [OPTION...] TOPIC...\n"
    "\n"
    "Subscribes to the topics and prints each event as one line of JSON, as it comes:\n"
    "  "
    "{\"iat\":...,\"ep\":{\"requested\":...,\"emitted\":...},\"e\":{\"type\":...,\"detail\":...}}\n"
    "In a topic, a level + stands for any one level and a last level # for all the rest. Presence\n"
    "is on @CONNECTION@/NAME. When the stream is there, a line on standard error says its\n"
    "connection id, to which one can whisper. The stream ends when its time is over; listen again\n"
    "to go on.\n"
    "\n"
    "Options:\n"
    "  --count N      end after N events\n"
    "  --all          print the daemon's own messages (@SERVER@) too, and count them\n"
    "  --raw          print the stream byte for byte, with frame heads and keep-alives\n"
    "  --clid NAME    name of this client, for presence and `connections`\n"
    "  --url URL      subscribe there, directly or through a web server\n"
    "                 (default: the first address of [fanout] listen)\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl listen 'news/#'\n"
    "  esnctl listen --count 1 desk/3 '@CONNECTION@/ana'\n"
    "  esnctl listen --url https://example.org/notify/ 'news/+'\n"
    "\n"
    "Exit status: 0 N events came, or without --count the stream ended in good order; 1 it was\n"
    "refused, was cut or ended before N events; 2 usage.\n";

enum {
    OPTION_COUNT = SETTINGS_OPTION_OWN,
    OPTION_ALL,
    OPTION_RAW,
    OPTION_CLID,
    DEPTH_LIMIT = 100000
};

struct listening {
    struct settings settings;
    struct frame_reader reader;
    struct bytes line;
    const char *clid;
    uint64_t wanted, seen; /* wanted 0: all there are */
    bool raw, all;
    const char *fault; /* why we stopped, when it is not because all came */
};

/* ---- frames ---- */

static struct json_span path_member(struct json_span object, const char *first, const char *second)
{
    return json_text_member(json_text_member(object, first), second);
}

static bool is_text(struct json_span value, const char *text)
{
    return value.start != NULL && value.length == strlen(text) &&
           memcmp(value.start, text, value.length) == 0;
}

static void tell_connected(struct json_span frame)
{
    if (!is_text(path_member(frame, "e", "type"), "\"connected\""))
        return;
    struct json_span detail = path_member(frame, "e", "detail");
    struct json_span connid = json_text_member(detail, "connid");
    struct json_span timeout = json_text_member(detail, "timeout");
    uint64_t milliseconds = timeout.start != NULL ? strtoull(timeout.start, NULL, 10) : 0;
    (void)fprintf(stderr, "esnctl: connected as %.*s, for %" PRIu64 " s\n", (int)connid.length,
                  connid.start != NULL ? connid.start : "", milliseconds / 1000);
}

static bool print_line(struct listening *listening, struct json_span frame)
{
    if (listening->raw)
        return true;
    bytes_clear(&listening->line);
    json_text_write_ascii(&listening->line, frame);
    bytes_append_text(&listening->line, "\n");
    if (listening->line.failed) {
        listening->fault = "out of memory";
        return false;
    }
    (void)fwrite(listening->line.data, 1, listening->line.length, stdout);
    return true;
}

/* False when no more is wanted. */
static bool take_frame(struct listening *listening)
{
    struct json_span frame = {.start = listening->reader.frame.data,
                              .length = listening->reader.frame.length};
    if (!json_text_check(frame.start, frame.length, DEPTH_LIMIT, &listening->fault))
        return false;
    bool own = is_text(path_member(frame, "ep", "requested"), "\"@SERVER@\"");
    if (own)
        tell_connected(frame);
    if (own && !listening->all)
        return true;
    if (!print_line(listening, frame))
        return false;
    listening->seen++;
    return listening->wanted == 0 || listening->seen < listening->wanted;
}

static bool take_bytes(void *context, const char *data, size_t length)
{
    struct listening *listening = context;
    bool more = true;
    while (more && length > 0) {
        const char *start = data;
        enum frame_reader_result result = frame_reader_feed(&listening->reader, &data, &length);
        if (listening->raw)
            (void)fwrite(start, 1, (size_t)(data - start), stdout);
        if (result == FRAME_READER_FAULT)
            listening->fault = listening->reader.fault;
        more =
            result != FRAME_READER_FAULT && (result != FRAME_READER_FRAME || take_frame(listening));
    }
    if (fflush(stdout) != 0) {
        listening->fault = "standard output cannot be written";
        return false;
    }
    return more;
}

/* ---- the stream ---- */

static void write_body(struct bytes *body, const char *clid, int topics, char *const *topic)
{
    bytes_append_text(body, "{");
    if (clid != NULL) {
        bytes_append_text(body, "\"clid\":");
        bytes_append_json_string(body, clid, strlen(clid));
        bytes_append_text(body, ",");
    }
    bytes_append_text(body, "\"ep\":[");
    for (int i = 0; i < topics; i++) {
        bytes_append_text(body, i > 0 ? "," : "");
        bytes_append_json_string(body, topic[i], strlen(topic[i]));
    }
    bytes_append_text(body, "]}");
}

static int tell_refusal(const struct http_client_answer *answer)
{
    json_t *reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    const char *error = json_string_value(json_object_get(reply, "error"));
    int status = command_fail("refused, %ld: %s", answer->status,
                              error != NULL ? error : "this does not look like esn-fanout");
    json_decref(reply);
    return status;
}

static int tell_end(const struct listening *listening, const struct http_client_answer *answer)
{
    if (answer->status != 200)
        return tell_refusal(answer);
    if (listening->fault != NULL)
        return command_fail("the stream cannot be read: %s", listening->fault);
    if (answer->ended_by_taker)
        return COMMAND_GOOD;
    if (!frame_reader_is_between(&listening->reader))
        return command_fail("the stream ended inside a frame");
    (void)fprintf(stderr, "esnctl: the stream has ended; listen again to go on\n");
    if (listening->wanted == 0)
        return COMMAND_GOOD;
    return command_fail("%" PRIu64 " of %" PRIu64 " events came", listening->seen,
                        listening->wanted);
}

static int hold_stream(struct listening *listening, const struct bytes *body)
{
    struct http_client_request request = {
        .body = body->data, .body_length = body->length, .take = take_bytes, .context = listening};
    struct http_client_answer answer;
    if (!settings_aim(&listening->settings, NULL, &request))
        return COMMAND_FAILED;
    int status;
    if (http_client_perform(&request, &answer))
        status = tell_end(listening, &answer);
    else if (answer.status == 200)
        status = command_fail("the stream was cut: %s", answer.error);
    else
        status = command_fail("%s", answer.error);
    http_client_answer_free(&answer);
    return status;
}

static int listen_to(struct listening *listening, int topics, char *const *topic)
{
    struct bytes body = BYTES_EMPTY;
    for (int i = 0; i < topics; i++) {
        if (!utf8_is_valid(topic[i], strlen(topic[i])))
            return command_usage(&command_listen, "a TOPIC should be UTF-8");
    }
    if (listening->clid != NULL && !utf8_is_valid(listening->clid, strlen(listening->clid)))
        return command_usage(&command_listen, "--clid should be UTF-8");
    if (!settings_load(&listening->settings))
        return COMMAND_FAILED;
    write_body(&body, listening->clid, topics, topic);
    int status = body.failed ? command_fail("out of memory") : hold_stream(listening, &body);
    bytes_free(&body);
    return status;
}

/* ---- options ---- */

static bool read_count(const char *text, uint64_t *count)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return false;
    *count = strtoull(text, NULL, 10);
    return *count > 0;
}

static bool take_option(struct listening *listening, int option)
{
    switch (option) {
    case OPTION_COUNT:
        return read_count(optarg, &listening->wanted);
    case OPTION_ALL:
        listening->all = true;
        return true;
    case OPTION_RAW:
        listening->raw = true;
        return true;
    case OPTION_CLID:
        listening->clid = optarg;
        return true;
    default:
        return settings_take_option(&listening->settings, option);
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"url", required_argument, NULL, SETTINGS_OPTION_URL},
        {"count", required_argument, NULL, OPTION_COUNT},
        {"all", no_argument, NULL, OPTION_ALL},
        {"raw", no_argument, NULL, OPTION_RAW},
        {"clid", required_argument, NULL, OPTION_CLID},
        {NULL, 0, NULL, 0},
    };
    struct listening listening = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_listen);
        if (!take_option(&listening, option))
            return option == OPTION_COUNT
                       ? command_usage(&command_listen, "--count should be a number above 0")
                       : command_usage_option(&command_listen);
    }
    if (optind == argc)
        return command_usage(&command_listen, "needs a TOPIC at least");
    int status = listen_to(&listening, argc - optind, argv + optind);
    settings_free(&listening.settings);
    frame_reader_free(&listening.reader);
    bytes_free(&listening.line);
    return status;
}

const struct command command_listen = {"listen", "subscribe, and print events as they come", help,
                                       run};
