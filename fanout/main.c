/* esn-fanout: reads options and configuration, serves, and says how it ended. */
#include "config/config.h"
#include "config/config_check.h"
#include "config/config_messages.h"
#include "messages.h"
#include "net/tls_memory.h"
#include "secret.h"
#include "server.h"
#include "service_notify.h"
#include "service_user.h"
#include "tls_files.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static void print_help(FILE *out)
{
    fprintf(
        out,
        "Usage: esn-fanout [--config FILE] [--check-config]\n"
        "Holds the streams of all subscribers and brings events from the bus to them.\n"
        "\n"
        "  -c, --config FILE   configuration (default: $ESN_CONF, else " SYSCONFDIR
        "/es-web-notify.conf)\n"
        "      --check-config  say whether the configuration is good, and end; root looks as the "
        "user\n"
        "                      esn-fanout, when there is one\n"
        "  -h, --help          this text\n"
        "  -V, --version       version\n"
        "\n"
        "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end every stream\n"
        "cleanly; SIGHUP reads the configuration and the tokens again; SIGUSR1 ends the streams "
        "alone,\n"
        "before a web server is restarted: each client is told when to come back; SIGUSR2 starts "
        "the\n"
        "program anew, which takes over without a client noticing (esnctl upgrade).\n"
        "See esn-fanout(8), es-web-notify.conf(5), esnctl(1).\n");
}

/* What it had taken of the program before is that one's still, so nothing is closed, or removed. */
static _Noreturn void leave_to_the_other(struct heir *heir, const char *why)
{
    heir_refuse(heir, why);
    message_end_background();
    _exit(EXIT_FAILURE);
}

static int serve(struct config *config, struct heir *heir, char **arguments)
{
    struct server *server = malloc(sizeof *server);
    char error[SERVER_ERROR_SIZE] = "out of memory";

    if (server == NULL || !server_open_as_heir(server, config, heir, error)) {
        message_error(heir != NULL ? "cannot take over" : "cannot start",
                      message_text("error", error));
        if (heir != NULL)
            leave_to_the_other(heir, error);
        free(server);
        return EXIT_FAILURE;
    }
    upgrade_set_program(&server->upgrade, arguments, heir != NULL);
    heir_free(&heir);
    message_info("ready", message_text("version", PACKAGE_VERSION),
                 message_number("max_connections", (int64_t)server->net.max_connections));
    service_notify("READY=1");
    server_run(server);
    server_close(server);
    free(server);
    message_info("stopped");
    return EXIT_SUCCESS;
}

static bool check_tokens(const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct secret_list list;
    bool good = secret_list_load(&list, path, error);
    if (good)
        secret_list_free(&list);
    return good;
}

static bool check_bus_key(const char *path, bool is_public, char error[CONFIG_ERROR_SIZE])
{
    char key[SECRET_BUS_KEY_SIZE];
    bool good = secret_bus_key_load(key, path, is_public, error);
    explicit_bzero(key, sizeof key);
    return good;
}

static bool check_certificates(const struct config *config, char error[CONFIG_ERROR_SIZE])
{
    _Static_assert((int)TLS_FILES_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    for (size_t i = 0; config->tls_cert[i] != NULL; i++) {
        SSL_CTX *rules =
            tls_files_load(config->tls_cert[i], config->tls_key[i], TLS1_2_VERSION, error);
        if (rules == NULL)
            return false;
        SSL_CTX_free(rules);
    }
    return true;
}

/* What the daemon reads and writes, as the user that it runs as. */
static int check(const char *path)
{
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    _Static_assert((int)SECRET_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    if (!service_user_become("esn-fanout", error) || !config_load(&config, path, error)) {
        fprintf(stderr, "%s\n", error);
        return EXIT_USAGE;
    }
    bool good = check_tokens(config.admin_token_file, error) &&
                check_tokens(config.ticket_secret_file, error) &&
                check_bus_key(config.bus_public_key_file, true, error) &&
                check_bus_key(config.bus_secret_key_file, false, error) &&
                check_certificates(&config, error) && config_check_log_folder(&config, error);
    if (good)
        printf("%s: good for the user %s\n", config.path, service_user_current());
    else
        fprintf(stderr, "%s\n", error);
    config_free(&config);
    return good ? EXIT_SUCCESS : EXIT_USAGE;
}

struct options {
    const char *path;
    bool only_check;
};

enum { GO_ON = -1 };

/* GO_ON, or the status with which to exit at once. */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:hV", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->path = optarg;
            break;
        case 'k':
            options->only_check = true;
            break;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        case 'V':
            printf("esn-fanout %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            fprintf(stderr, "See esn-fanout --help\n");
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return GO_ON;
    fprintf(stderr, "esn-fanout: unexpected argument: %s\nSee esn-fanout --help\n", argv[optind]);
    return EXIT_USAGE;
}

/* What is as large has pages of its own, which go back to the system when it is freed. Else the
 * bodies of a crowd of strangers would go back together when the last of them is freed, some
 * hundred megabytes in one turn of the loop; and what a table grows into would have to be cleared. */
static void give_back_in_pieces(void)
{
    enum { OWN_PAGES = 64 * 1024 };

    if (mallopt(M_MMAP_THRESHOLD, OWN_PAGES) != 1)
        message_warning("memory goes back to the system in large pieces");
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int status = read_options(argc, argv, &options);
    if (status != GO_ON)
        return status;
    if (options.only_check)
        return check(config_path(options.path));
    struct heir *heir = heir_open();
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    if (!config_load(&config, config_path(options.path), error)) {
        fprintf(stderr, "%s\n", error);
        heir_refuse(heir, error);
        heir_free(&heir);
        return EXIT_USAGE;
    }
    config_messages_apply(&config, "esn-fanout");
    /* Both are told by errno: a client that is gone, a log on disk that may not grow. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        message_warning("cannot ignore SIGPIPE and SIGXFSZ");
    if (!message_write_in_background(config.message_buffer))
        message_warning("no thread for messages: whoever reads them can hold the daemon up");
    give_back_in_pieces();
    if (config.listen_tls[0] != NULL || config.listen_lines_tls[0] != NULL)
        tls_memory_count();
    status = serve(&config, heir, argv);
    message_end_background();
    return status;
}
