/* esn-outbox: publishes what transactions of the application leave in a table of its database. */
#include "clock.h"
#include "config/config_messages.h"
#include "doorbell.h"
#include "messages.h"
#include "outbox/outbox_table.h"
#include "outbox_settings.h"
#include "outbox_worker.h"
#include "pace.h"
#include "service_notify.h"
#include "service_user.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2, DOORBELL_MODE = 0660 };

static const char help[] =
    "Usage: esn-outbox [--config FILE] [--check-config]\n"
    "Publishes the rows that transactions of the application leave in its table outgoing_events,\n"
    "as soon as they are committed, and deletes them when the daemon has acknowledged them.\n"
    "\n"
    "  -c, --config FILE   configuration (default: $ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "      --check-config  say whether the configuration is good, and end; root looks as the user\n"
    "                      esn-outbox, when there is one\n"
    "  -h, --help          this text\n"
    "  -V, --version       version\n"
    "\n"
    "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end it after the rows\n"
    "at hand; SIGHUP reads the configuration again. Of several one works, and the others take "
    "over\n"
    "at once when it ends. A datagram socket on descriptor 0 (systemd) is its doorbell.\n"
    "\n"
    "Try it:  esnctl outbox create-tables && esn-outbox\n"
    "\n"
    "See esn-outbox(8), es-web-notify.conf(5), esnctl(1).";

static volatile sig_atomic_t stop_wanted, reload_wanted;

static void take_signal(int number)
{
    if (number == SIGHUP)
        reload_wanted = 1;
    else
        stop_wanted = 1;
}

/* They come while it waits, and at no other time. */
static bool watch_signals(sigset_t *waiting)
{
    const struct sigaction taken = {.sa_handler = take_signal}, ignored = {.sa_handler = SIG_IGN};
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &blocked, waiting) != 0 || sigaction(SIGTERM, &taken, NULL) != 0 ||
        sigaction(SIGINT, &taken, NULL) != 0 || sigaction(SIGHUP, &taken, NULL) != 0 ||
        sigaction(SIGPIPE, &ignored, NULL) != 0)
        return false;
    (void)sigdelset(waiting, SIGTERM);
    (void)sigdelset(waiting, SIGINT);
    (void)sigdelset(waiting, SIGHUP);
    return true;
}

/* ---- serving ---- */

struct outbox {
    const char *config_path;
    struct outbox_settings *settings;
    struct outbox_worker *worker;
    struct doorbell doorbell;
    struct pace pace;
    sigset_t waiting;
};

static const struct config *config_of(const struct outbox *outbox)
{
    return &outbox->settings->event.config;
}

static void configure_log(const struct outbox *outbox)
{
    const struct config *config = config_of(outbox);
    config_messages_apply(config, "esn-outbox");
}

/* What cannot be read changes nothing. */
static void reload(struct outbox *outbox)
{
    char error[CONFIG_ERROR_SIZE];
    struct outbox_settings *settings = outbox_settings_load(outbox->config_path, error);
    struct outbox_worker *worker = settings != NULL ? outbox_worker_open(settings, error) : NULL;
    reload_wanted = 0;
    if (worker == NULL) {
        outbox_settings_free(&settings);
        message_error("configuration is kept as it was", message_text("reason", error));
        return;
    }
    outbox_worker_settle(outbox->worker);
    outbox_worker_close(&outbox->worker);
    outbox_settings_free(&outbox->settings);
    outbox->worker = worker;
    outbox->settings = settings;
    configure_log(outbox);
    message_info("configuration read again", message_text("file", outbox->config_path));
}

/* Whoever works has the doorbell, as soon as the one before has left it. */
static void take_doorbell(struct outbox *outbox, enum outbox_turn turn)
{
    const char *address = config_of(outbox)->outbox_doorbell;
    char error[DOORBELL_ERROR_SIZE];
    if (turn != TURN_STANDBY && outbox->doorbell.descriptor < 0 && address != NULL)
        (void)doorbell_open(&outbox->doorbell, address, DOORBELL_MODE, error);
}

static void work(struct outbox *outbox)
{
    while (stop_wanted == 0) {
        enum outbox_turn turn = outbox_worker_turn(outbox->worker, &stop_wanted);
        take_doorbell(outbox, turn);
        uint64_t pause = pace_next(&outbox->pace, config_of(outbox), turn,
                                   outbox_worker_wait_ms(outbox->worker));
        if (doorbell_wait(&outbox->doorbell, pause, pace_is_deaf(turn), &outbox->waiting))
            pace_hurry(&outbox->pace);
        if (reload_wanted != 0)
            reload(outbox);
    }
    outbox_worker_settle(outbox->worker);
}

static int serve(struct outbox *outbox)
{
    char error[CONFIG_ERROR_SIZE];
    _Static_assert((int)DOORBELL_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    if (!watch_signals(&outbox->waiting)) {
        message_error("cannot start", message_error_code(errno));
        return EXIT_FAILURE;
    }
    const char *address = config_of(outbox)->outbox_doorbell;
    outbox->worker = outbox_worker_open(outbox->settings, error);
    if (outbox->worker == NULL ||
        !doorbell_open(&outbox->doorbell, address, DOORBELL_MODE, error)) {
        message_error("cannot start", message_text("reason", error));
        outbox_worker_close(&outbox->worker);
        return EXIT_FAILURE;
    }
    message_info(
        "ready", message_text("version", PACKAGE_VERSION),
        message_text("doorbell", outbox->doorbell.descriptor == 0 ? "descriptor 0" : address));
    service_notify("READY=1");
    work(outbox);
    doorbell_close(&outbox->doorbell);
    outbox_worker_close(&outbox->worker);
    message_info("stopped");
    return EXIT_SUCCESS;
}

/* That the tables are there, for us. */
static int check_table(const struct outbox *outbox)
{
    const struct outbox_limits limits = {.rows = 1, .bytes = 1};
    struct outbox_table *table = outbox_table_open(&outbox->settings->database.options, &limits);
    struct outbox_counts counts;
    bool good = table != NULL && outbox_table_count(table, &counts) == SQL_OK;
    if (good)
        printf("%s: good for the user %s\n", outbox->config_path, service_user_current());
    else
        fprintf(stderr, "[outbox]: %s; are its tables there (esnctl outbox create-tables)?\n",
                table != NULL ? outbox_table_error(table) : "out of memory");
    outbox_table_close(&table);
    return good ? EXIT_SUCCESS : EXIT_USAGE;
}

static int start(const char *config, bool check_only)
{
    struct outbox outbox = {.config_path = config_path(config)};
    char error[CONFIG_ERROR_SIZE];
    int status = EXIT_SUCCESS;
    _Static_assert((int)SERVICE_USER_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    if (!check_only || service_user_become("esn-outbox", error))
        outbox.settings = outbox_settings_load(outbox.config_path, error);
    if (outbox.settings == NULL) {
        fprintf(stderr, "%s\n", error);
        return EXIT_USAGE;
    }
    if (check_only) {
        status = check_table(&outbox);
    } else {
        configure_log(&outbox);
        status = serve(&outbox);
    }
    outbox_settings_free(&outbox.settings);
    return status;
}

static int usage(const char *fault, const char *word)
{
    if (fault != NULL)
        fprintf(stderr, "esn-outbox: %s%s\n", fault, word);
    fprintf(stderr, "See esn-outbox --help\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {NULL, 0, NULL, 0}};
    const char *config = NULL;
    bool check_only = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'k':
            check_only = true;
            break;
        case 'h':
            puts(help);
            return EXIT_SUCCESS;
        case 'V':
            printf("esn-outbox %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            return usage(NULL, "");
        }
    }
    return optind < argc ? usage("unexpected argument: ", argv[optind]) : start(config, check_only);
}
