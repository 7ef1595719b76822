/* esnctl report: asks the daemon who had an event, on the bus as the handlers do it. */
#include "bus_call.h"
#include "bytes.h"
#include "commands.h"
#include "event_id.h"
#include "report_merge.h"
#include "report_view.h"
#include "settings.h"

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
    else if (status == COMMAND_GOOD && !report_merge(&text))
        status = command_fail("the daemon's answer is none of this version");
    else if (status == COMMAND_GOOD)
        status = report_view_print(&text, settings->json);
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
