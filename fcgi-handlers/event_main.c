/* esn-event: options, configuration, and the loop that takes requests. */
#include "event_settings.h"
#include "handler_reply.h"
#include "handler_request.h"
#include "listen_socket.h"
#include "log.h"
#include "publish_event.h"
#include "workers.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, DEFAULT_WORKERS = 4, MOST_WORKERS = 1000 };

struct options {
    const char *config;
    const char *listen;
    unsigned workers; /* 0: not given */
    bool check_only;
};

struct handler {
    const char *config_path;
    struct event_settings settings;
    int listener; /* HANDLER_CGI: none */
    bool supervised;
};

static atomic_int stop_wanted, reload_wanted; /* set by signals, read by all threads */

static void on_signal(int signal_number)
{
    if (signal_number == SIGHUP)
        reload_wanted = 1;
    else
        stop_wanted = 1;
}

/* ---- serving ---- */

/* The signals come only while no request is at hand. */
static bool prepare_signals(sigset_t *waiting, bool supervised)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(waiting);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    if (!supervised) {
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGHUP);
        if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGHUP, &action, NULL) != 0)
            return false;
    }
    return sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0;
}

static void configure_log(const struct config *config)
{
    log_configure("esn-event", (enum log_level)config->log_level,
                  (enum log_destination)config->log_destination);
}

/* True when the settings are new ones. */
static bool reload_settings(void *context)
{
    struct handler *handler = context;
    struct event_settings fresh;
    char error[CONFIG_ERROR_SIZE];
    if (!event_settings_load(&fresh, handler->config_path, error)) {
        log_error("configuration is kept as it was", log_text("reason", error));
        return false;
    }
    event_settings_free(&handler->settings);
    handler->settings = fresh;
    configure_log(&handler->settings.config);
    log_info("configuration read again", log_text("file", handler->config_path));
    return true;
}

/* ---- threads ---- */

/* The threads of one process. One of them at a time waits for a request; it lets the next one wait
 * before it serves its own. Signals come to whichever waits. */
struct crew {
    struct handler *handler;
    struct publish_service service;
    sigset_t waiting;
    pthread_mutex_t turn;
    unsigned count;
    atomic_int failed;
};

struct member {
    struct crew *crew;
    struct handler_request *request;
    pthread_t thread;
    bool started;
};

/* 1: a request; 0: none yet; -1: it is time to end. */
static int wait_for_request(struct member *member)
{
    struct crew *crew = member->crew;
    int here = -1;
    if (crew->count > 1)
        handler_request_release_peer(member->request);
    (void)pthread_mutex_lock(&crew->turn);
    if (!stop_wanted && !crew->failed) {
        here = handler_request_accept(member->request, &crew->waiting);
        if (here < 0) {
            log_error("cannot accept requests", log_error_code(errno));
            crew->failed = 1;
        }
    }
    (void)pthread_mutex_unlock(&crew->turn);
    return here;
}

static void reload_between_requests(struct crew *crew)
{
    struct handler *handler = crew->handler;
    reload_wanted = 0;
    publish_queue_free(&crew->service.queue);
    (void)reload_settings(handler);
    struct bus_options options = event_settings_bus(&handler->settings);
    crew->service.queue = publish_queue_new(&options, &handler->settings.config);
    if (crew->service.queue == NULL)
        crew->failed = 1;
}

static void *take_requests(void *context)
{
    struct member *member = context;
    struct crew *crew = member->crew;
    int here;
    while ((here = wait_for_request(member)) >= 0) {
        if (here > 0) {
            publish_event_handle(&crew->service, member->request);
            handler_request_finish(member->request);
        } else if (crew->handler->listener == HANDLER_CGI) {
            break;
        }
        if (reload_wanted && crew->count == 1)
            reload_between_requests(crew);
    }
    return NULL;
}

static bool open_requests(struct crew *crew, struct member *members)
{
    for (unsigned i = 0; i < crew->count; i++) {
        members[i].crew = crew;
        members[i].request = handler_request_open(crew->handler->listener);
        if (members[i].request == NULL)
            return false;
    }
    return true;
}

/* The calling thread is the first member. */
static void run_crew(struct crew *crew, struct member *members)
{
    for (unsigned i = 1; i < crew->count; i++) {
        int error = pthread_create(&members[i].thread, NULL, take_requests, &members[i]);
        members[i].started = error == 0;
        if (error != 0)
            log_error("cannot start a thread", log_error_code(error));
    }
    (void)take_requests(&members[0]);
    for (unsigned i = 1; i < crew->count; i++)
        if (members[i].started)
            (void)pthread_join(members[i].thread, NULL);
}

static bool open_crew(struct crew *crew)
{
    struct bus_options options = event_settings_bus(&crew->handler->settings);
    crew->service.queue = publish_queue_new(&options, &crew->handler->settings.config);
    /* A CGI process may have nothing to publish: it connects when it has. */
    if (crew->service.queue != NULL && crew->handler->listener != HANDLER_CGI)
        (void)publish_queue_connect(crew->service.queue);
    return crew->service.queue != NULL && pthread_mutex_init(&crew->turn, NULL) == 0 &&
           prepare_signals(&crew->waiting, crew->handler->supervised);
}

static int serve(void *context)
{
    struct handler *handler = context;
    /* A web server's own process manager gives each process one request at a time. */
    unsigned count = handler->supervised ? (unsigned)handler->settings.config.publish_threads : 1;
    struct crew crew = {.handler = handler, .service.settings = &handler->settings, .count = count};
    struct member *members = calloc(count, sizeof *members);
    if (members != NULL && open_crew(&crew) && open_requests(&crew, members)) {
        run_crew(&crew, members);
    } else {
        log_error("cannot prepare for requests", log_error_code(errno));
        crew.failed = 1;
    }
    for (unsigned i = 0; members != NULL && i < count; i++)
        handler_request_close(&members[i].request);
    free(members);
    publish_queue_free(&crew.service.queue);
    return crew.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int serve_with_workers(struct handler *handler, const struct options *options)
{
    unsigned count = options->workers > 0 ? options->workers : DEFAULT_WORKERS;
    const struct workers_plan plan = {
        .count = count, .serve = serve, .reload = reload_settings, .context = handler};
    handler->supervised = true;
    handler->listener = STDIN_FILENO;
    if (options->listen != NULL) {
        char error[LISTEN_ERROR_SIZE];
        handler->listener =
            listen_socket_open(options->listen, (unsigned)handler->settings.config.bus_mode, error);
        if (handler->listener < 0) {
            log_error("cannot start", log_text("reason", error));
            return EXIT_FAILURE;
        }
    }
    log_info("ready", log_text("version", PACKAGE_VERSION),
             log_text("listen", options->listen != NULL ? options->listen : "descriptor 0"),
             log_number("workers", count));
    int status = workers_run(&plan);
    if (options->listen != NULL)
        listen_socket_remove(options->listen);
    log_info("stopped");
    return status;
}

/* ---- starting ---- */

static int serve_as_started(struct handler *handler, const struct options *options, bool cgi)
{
    if (handler->settings.tokens.count == 0)
        log_warning("no entry token is configured: every post is answered 404");
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        log_warning("cannot ignore SIGPIPE", log_error_code(errno));
    if (options->listen != NULL || (options->workers > 0 && !cgi))
        return serve_with_workers(handler, options);
    handler->listener = cgi ? HANDLER_CGI : STDIN_FILENO;
    return serve(handler);
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

static int start(const struct options *options)
{
    bool by_web_server = getenv("REQUEST_METHOD") != NULL;
    bool cgi = options->listen == NULL && !options->check_only && handler_is_cgi();
    if (cgi && !by_web_server) {
        fputs("esn-event: descriptor 0 is no listening socket and there is no CGI request.\n"
              "Let a web server start it, or give it --listen. See esn-event --help\n",
              stderr);
        return EXIT_USAGE;
    }
    struct handler handler = {.config_path = config_path(options->config)};
    char error[CONFIG_ERROR_SIZE];
    if (!event_settings_load(&handler.settings, handler.config_path, error))
        return fail_configuration(error, cgi);
    int status = EXIT_SUCCESS;
    if (options->check_only) {
        printf("%s: good\n", handler.config_path);
    } else {
        configure_log(&handler.settings.config);
        status = serve_as_started(&handler, options, cgi);
    }
    event_settings_free(&handler.settings);
    return status;
}

static void print_help(void)
{
    puts(
        "Usage: esn-event [--config FILE] [--listen ADDRESS] [--workers N]\n"
        "       esn-event [--config FILE] --check-config\n"
        "Takes events that backends post, hands them to the fan-out daemon and answers how many\n"
        "subscribers they reach.\n"
        "\n"
        "  -c, --config FILE     configuration (default: $ESN_CONF, else " SYSCONFDIR
        "/es-web-notify.conf)\n"
        "  -l, --listen ADDRESS  serve FastCGI on unix:PATH, host:port or [ipv6]:port, with "
        "workers of\n"
        "                        its own; without it, FastCGI on descriptor 0 or one CGI request,\n"
        "                        whatever the web server started it for\n"
        "  -w, --workers N       processes that serve, each one request at a time (default: 4 "
        "with\n"
        "                        --listen; on descriptor 0, one process without a supervisor)\n"
        "      --check-config    say whether the configuration is good, and end\n"
        "  -h, --help            this text\n"
        "  -V, --version         version\n"
        "\n"
        "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end it after the\n"
        "requests at hand; SIGHUP reads the configuration and the tokens again.\n"
        "\n"
        "Try it:  esn-event --listen unix:/run/es-web-notify/event.sock\n"
        "         curl -d '{\"ep\":[\"a/b\"],\"e\":{\"type\":\"hello\"}}' "
        "https://example.org/notify/event?token=TOKEN\n"
        "\n"
        "See esn-event(8), es-web-notify.conf(5), esnctl(1).");
}

static bool read_workers(struct options *options, const char *text)
{
    char *rest;
    errno = 0;
    unsigned long count = strtoul(text, &rest, 10);
    if (errno != 0 || *text < '1' || *text > '9' || *rest != '\0' || count > MOST_WORKERS) {
        fprintf(stderr, "esn-event: --workers should be a number from 1 to %d\n", MOST_WORKERS);
        return false;
    }
    options->workers = (unsigned)count;
    return true;
}

int main(int argc, char **argv)
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
        return start(&options);
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
                return EXIT_USAGE;
            break;
        case 'k':
            options.check_only = true;
            break;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        case 'V':
            printf("esn-event %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            fputs("See esn-event --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "esn-event: unexpected argument: %s\nSee esn-event --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    return start(&options);
}
