#include "handler_main.h"

#include "handler_counters.h"
#include "handler_reply.h"
#include "handler_serve.h"
#include "listen_socket.h"
#include "messages.h"
#include "service_notify.h"
#include "service_user.h"
#include "workers.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    DEFAULT_WORKERS = 4,
    MOST_WORKERS = 1000,
    BACKLOG = 1024,
    STOP_LIMIT_MS = 40000 /* longer than the slowest request */
};

struct options {
    const char *config;
    const char *listen;
    unsigned workers; /* 0: not given */
    bool check_only;
};

static bool open_sockets(const struct handler *handler, struct listen_sockets *sockets,
                         const char *address, const char *use)
{
    const struct config *config = handler_config(handler);
    char error[LISTEN_ERROR_SIZE], name[LISTEN_NAME_SIZE];
    const struct listen_options options = {.mode = (unsigned)config->bus_mode, .backlog = BACKLOG};
    if (!listen_socket_open(sockets, address, options, error)) {
        message_error("cannot start", message_text("reason", error));
        return false;
    }
    for (size_t i = 0; i < sockets->count; i++) {
        listen_socket_name(sockets->descriptors[i], name);
        message_info("listening", message_text("address", name), message_text("for", use));
    }
    return true;
}

/* Workers share both. */
static bool open_metrics(struct handler *handler)
{
    const struct handler_settings *settings = handler->program->settings;
    const char *address =
        settings->metrics_listen != NULL ? settings->metrics_listen(handler_config(handler)) : NULL;
    if (address == NULL)
        return true;
    if (handler_counters_share())
        return open_sockets(handler, &handler->metrics, address, "metrics");
    message_error("cannot count", message_error_code(errno));
    return false;
}

/* ---- with workers ---- */

static void tell_supervisor(const struct handler *handler)
{
    workers_tell_ready(handler->supervisor);
}

static int serve_as_worker(void *context, pid_t supervisor)
{
    struct handler *handler = context;
    handler->supervisor = supervisor;
    handler->serving = tell_supervisor;
    return handler_serve(handler);
}

static void tell_ready(void *context)
{
    const struct handler *handler = context;
    message_info("ready", message_text("version", PACKAGE_VERSION),
                 message_text("listen", handler->listen),
                 message_number("workers", handler->workers));
    service_notify("READY=1");
}

static int serve_with_workers(struct handler *handler, const struct options *options)
{
    unsigned count = options->workers > 0 ? options->workers : DEFAULT_WORKERS;
    const struct workers_plan plan = {.count = count,
                                      .serve = serve_as_worker,
                                      .ready = tell_ready,
                                      .reload = handler_reload,
                                      .context = handler,
                                      .stop_limit_ms = STOP_LIMIT_MS};
    handler->supervised = true;
    handler->workers = count;
    handler->listen = options->listen != NULL ? options->listen : "descriptor 0";
    handler->sockets = (struct listen_sockets){.descriptors = {STDIN_FILENO}, .count = 1};
    if (options->listen != NULL &&
        !open_sockets(handler, &handler->sockets, options->listen, "FastCGI"))
        return EXIT_FAILURE;
    if (!open_metrics(handler))
        return EXIT_FAILURE;
    handler->listener = handler->sockets.descriptors[0];
    int status = workers_run(&plan);
    if (options->listen != NULL)
        listen_socket_remove(options->listen);
    message_info("stopped");
    return status;
}

/* ---- starting ---- */

static void tell_manager(const struct handler *handler)
{
    (void)handler;
    service_notify("READY=1");
}

static int serve_as_started(struct handler *handler, const struct options *options, bool cgi)
{
    handler->program->settings->warn(handler->settings);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        message_warning("cannot ignore SIGPIPE", message_error_code(errno));
    if (options->listen != NULL || (options->workers > 0 && !cgi))
        return serve_with_workers(handler, options);
    handler->listener = cgi ? HANDLER_CGI : STDIN_FILENO;
    handler->serving = tell_manager;
    return handler_serve(handler);
}

/* Whoever started us for one request needs an answer, not an exit status alone. */
static int fail_configuration(const char *error, bool cgi)
{
    fprintf(stderr, "%s\n", error);
    struct handler_request *request = cgi ? handler_request_open(HANDLER_CGI) : NULL;
    if (request != NULL)
        (void)handler_reply_send_error(request, 500, "Server not configured", NULL, NULL);
    handler_request_close(&request);
    return EXIT_USAGE;
}

static int check_only(const struct handler *handler)
{
    const struct handler_settings *settings = handler->program->settings;
    if (settings->check != NULL && !settings->check(handler->settings))
        return EXIT_USAGE;
    printf("%s: good for the user %s\n", handler->config_path, service_user_current());
    return EXIT_SUCCESS;
}

static int start_configured(struct handler *handler, const struct options *options, bool cgi)
{
    char error[CONFIG_ERROR_SIZE];
    int status = EXIT_SUCCESS;
    _Static_assert((int)SERVICE_USER_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    if (!options->check_only || service_user_become(handler->program->name, error))
        handler->settings = handler->program->settings->load(handler->config_path, error);
    if (handler->settings == NULL)
        return fail_configuration(error, cgi);
    if (options->check_only) {
        status = check_only(handler);
    } else {
        handler_configure_log(handler);
        status = serve_as_started(handler, options, cgi);
    }
    handler->program->settings->unload(handler->settings);
    return status;
}

static int start(const struct handler_program *program, const struct options *options)
{
    bool by_web_server = getenv("REQUEST_METHOD") != NULL;
    bool cgi = options->listen == NULL && !options->check_only && handler_is_cgi();
    if (cgi && !by_web_server) {
        fprintf(stderr,
                "%s: descriptor 0 is no listening socket and there is no CGI request.\n"
                "Let a web server start it, or give it --listen. See %s --help\n",
                program->name, program->name);
        return EXIT_USAGE;
    }
    struct handler handler = {.program = program, .config_path = config_path(options->config)};
    return start_configured(&handler, options, cgi);
}

static bool read_workers(struct options *options, const char *text)
{
    char *rest;
    errno = 0;
    unsigned long count = strtoul(text, &rest, 10);
    if (errno != 0 || *text < '1' || *text > '9' || *rest != '\0' || count > MOST_WORKERS)
        return false;
    options->workers = (unsigned)count;
    return true;
}

static int usage(const struct handler_program *program, const char *fault, const char *word)
{
    if (fault != NULL)
        fprintf(stderr, "%s: %s%s\n", program->name, fault, word);
    fprintf(stderr, "See %s --help\n", program->name);
    return EXIT_USAGE;
}

int handler_main(const struct handler_program *program, int argc, char **argv)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"listen", required_argument, NULL, 'l'},
                                                 {"workers", required_argument, NULL, 'w'},
                                                 {"check-config", no_argument, NULL, 'k'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {"version", no_argument, NULL, 'V'},
                                                 {NULL, 0, NULL, 0}};
    struct options options = {0};
    int option;
    /* A CGI web server passes the words of a query without '=' as arguments (RFC 3875, 4.4): not
     * options of ours. */
    if (getenv("GATEWAY_INTERFACE") != NULL)
        return start(program, &options);
    while ((option = getopt_long(argc, argv, "c:l:w:hV", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.config = optarg;
            break;
        case 'l':
            options.listen = optarg;
            break;
        case 'w':
            if (!read_workers(&options, optarg))
                return usage(program, "--workers should be a number from 1 to 1000", "");
            break;
        case 'k':
            options.check_only = true;
            break;
        case 'h':
            puts(program->help);
            return EXIT_SUCCESS;
        case 'V':
            printf("%s %s\n", program->name, PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            return usage(program, NULL, "");
        }
    }
    if (optind < argc)
        return usage(program, "unexpected argument: ", argv[optind]);
    return start(program, &options);
}
