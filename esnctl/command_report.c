/* esnctl report: asks the daemon who had an event, on the bus as the handlers do it. */
#include "bus_call.h"
#include "bytes.h"
#include "commands.h"
#include "event_id.h"
#include "settings.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl report [OPTION...] ID\n"
    "\n"
    "Says who had the event with this id, which was posted with \"report\": how many streams it "
    "was\n"
    "sent to, how many of their clients have said that they had it, and which have not.\n"
    "\n"
    "Options:\n"
    "  --json         say it as JSON, as GET /event/ID does\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Example:\n"
    "  esnctl report 1795381250409-7\n"
    "\n"
    "Exit status: 0 good, 1 failed or not known, 2 usage.\n";

static void print_stream(const json_t *stream)
{
    const char *user = json_string_value(json_object_get(stream, "uid"));

    (void)printf("%-18lld %-5s %8lld ms  %s%s%s\n",
                 (long long)json_integer_value(json_object_get(stream, "connid")),
                 json_string_value(json_object_get(stream, "state")),
                 (long long)json_integer_value(json_object_get(stream, "ms")),
                 user != NULL ? user : "", user != NULL ? "  " : "",
                 json_string_value(json_object_get(stream, "clid")));
}

static int print_report(const struct bytes *text)
{
    json_t *report = json_loadb(text->data, text->length, 0, NULL);
    const json_t *missing = json_object_get(report, "missing"), *stream;
    size_t i;

    if (!json_is_array(missing)) {
        json_decref(report);
        return command_fail("the daemon's answer is none of this version");
    }
    (void)printf("sent %lld, had %lld, missing %zu",
                 (long long)json_integer_value(json_object_get(report, "sent")),
                 (long long)json_integer_value(json_object_get(report, "had")),
                 json_array_size(missing));
    const json_t *more = json_object_get(report, "more");
    if (more != NULL)
        (void)printf(" and %lld more", (long long)json_integer_value(more));
    (void)printf("\n");
    json_array_foreach(missing, i, stream) print_stream(stream);
    json_decref(report);
    return COMMAND_GOOD;
}

static int ask(const struct settings *settings, const struct question *question)
{
    unsigned char record[QUESTION_SIZE];
    struct bytes text = BYTES_EMPTY;
    struct bus_event asked = bus_event_of_question(question, 0, record, &text);
    int status = bus_call(&settings->config, &asked);

    if (status == COMMAND_GOOD && asked.ack.status == ACK_UNKNOWN)
        status = command_fail("no report of this event: it was posted without, longer ago than "
                              "[log] report_time, or before the daemon was started");
    else if (status == COMMAND_GOOD && (asked.ack.status != ACK_DELIVERED || text.failed))
        status = command_fail("the daemon is overloaded");
    else if (status == COMMAND_GOOD && settings->json)
        (void)fwrite(text.data, 1, text.length, stdout);
    else if (status == COMMAND_GOOD)
        status = print_report(&text);
    bytes_free(&text);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {NULL, 0, NULL, 0},
    };
    struct question question = {.kind = QUESTION_REPORT};
    struct settings settings = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_report);
        if (!settings_take_option(&settings, option))
            return command_usage_option(&command_report);
    }
    if (argc - optind != 1)
        return command_usage(&command_report, "needs the ID of an event");
    if (!event_id_read(argv[optind], strlen(argv[optind]), &question.epoch, &question.sequence))
        return command_usage(&command_report, "\"%s\" is no id of an event", argv[optind]);
    int status = settings_load(&settings) ? ask(&settings, &question) : COMMAND_FAILED;
    settings_free(&settings);
    return status;
}

const struct command command_report = {"report", "say who had an event", help, run};
