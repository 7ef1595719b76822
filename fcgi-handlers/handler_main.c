#include "handler_main.h"

#include "handler_reply.h"
#include "listen_socket.h"
#include "log.h"
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
    const struct handler_program *program;
    const char *config_path;
    void *settings;
    int listener; /* HANDLER_CGI: none */
    bool supervised;
};

static atomic_int stop_wanted, reload_wanted; /* set by signals, read by all threads */

static void on_signal(int signal_number)
{
    if (signal_number == SIGHUP)
        reload_wanted = 1;
    else if (signal_number != SIGUSR1) /* which only wakes a thread up */
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
    sigaddset(&blocked, SIGUSR1);
    if (!supervised) {
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGHUP);
        if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGHUP, &action, NULL) != 0)
            return false;
    }
    return sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0 &&
           sigaction(SIGTERM, &action, NULL) == 0;
}

static void configure_log(const struct handler *handler)
{
    const struct config *config = handler->program->config(handler->settings);
    log_configure(handler->program->name, (enum log_level)config->log_level,
                  (enum log_destination)config->log_destination);
}

/* True when the settings are new ones. */
static bool reload_settings(void *context)
{
    struct handler *handler = context;
    char error[CONFIG_ERROR_SIZE];
    void *fresh = handler->program->load(handler->config_path, error);
    if (fresh == NULL) {
        log_error("configuration is kept as it was", log_text("reason", error));
        return false;
    }
    handler->program->unload(handler->settings);
    handler->settings = fresh;
    configure_log(handler);
    log_info("configuration read again", log_text("file", handler->config_path));
    return true;
}

/* ---- threads ---- */

/* The threads of one process. Each waits for a request by itself. A signal comes to any one that
 * waits; that one wakes the first, and the first the others. */
struct crew {
    struct handler *handler;
    void *shared;
    sigset_t waiting;
    pthread_t first;
    unsigned count;
    atomic_int failed;
};

struct member {
    struct crew *crew;
    struct handler_request *request;
    void *service;
    pthread_t thread;
    bool started;
};

/* 1: a request; 0: none yet; -1: it is time to end. */
static int wait_for_request(struct member *member)
{
    struct crew *crew = member->crew;
    int here = -1;
    if (!stop_wanted && !crew->failed)
        here = handler_request_accept(member->request, &crew->waiting);
    if (here < 0 && !stop_wanted && !crew->failed) {
        log_error("cannot accept requests", log_error_code(errno));
        crew->failed = 1;
    }
    if (here < 0)
        (void)pthread_kill(crew->first, SIGUSR1);
    return here;
}

static bool open_shared(struct crew *crew)
{
    const struct handler *handler = crew->handler;
    crew->shared = handler->program->open(handler->settings, handler->listener != HANDLER_CGI);
    if (crew->shared == NULL)
        log_error("cannot prepare for requests", log_text("reason", "out of memory"));
    return crew->shared != NULL;
}

static bool begin(struct member *member)
{
    const struct handler *handler = member->crew->handler;
    member->service = handler->program->begin(handler->settings, member->crew->shared);
    return member->service != NULL;
}

static void end(struct member *member)
{
    if (member->service != NULL)
        member->crew->handler->program->end(member->service);
    member->service = NULL;
}

static void close_shared(struct crew *crew)
{
    if (crew->shared != NULL)
        crew->handler->program->close(crew->shared);
    crew->shared = NULL;
}

/* Of a process without a supervisor, which has one thread. */
static void reload_between_requests(struct member *member)
{
    reload_wanted = 0;
    end(member);
    close_shared(member->crew);
    (void)reload_settings(member->crew->handler);
    if (!open_shared(member->crew) || !begin(member))
        member->crew->failed = 1;
}

static void *take_requests(void *context)
{
    struct member *member = context;
    const struct handler *handler = member->crew->handler;
    int here;
    while ((here = wait_for_request(member)) >= 0) {
        if (here > 0) {
            handler->program->handle(member->service, member->request);
            handler_request_finish(member->request);
        } else if (handler->listener == HANDLER_CGI) {
            break;
        }
        if (reload_wanted && member->crew->count == 1)
            reload_between_requests(member);
    }
    return NULL;
}

static bool open_members(struct crew *crew, struct member *members)
{
    for (unsigned i = 0; i < crew->count; i++) {
        members[i].crew = crew;
        members[i].request = crew->count > 1
                                 ? handler_request_open_among_others(crew->handler->listener)
                                 : handler_request_open(crew->handler->listener);
        if (members[i].request == NULL) {
            log_error("cannot prepare for requests", log_error_code(errno));
            return false;
        }
        if (!begin(&members[i]))
            return false;
    }
    return true;
}

static void close_members(struct crew *crew, struct member *members)
{
    for (unsigned i = 0; i < crew->count && members[i].crew != NULL; i++) {
        end(&members[i]);
        handler_request_close(&members[i].request);
    }
    free(members);
}

/* The calling thread is the first member. Signals are blocked in all of them until they wait, so
 * that none comes too early. */
static void run_crew(struct crew *crew, struct member *members)
{
    crew->first = pthread_self();
    for (unsigned i = 1; i < crew->count; i++) {
        int error = pthread_create(&members[i].thread, NULL, take_requests, &members[i]);
        members[i].started = error == 0;
        if (error != 0)
            log_error("cannot start a thread", log_error_code(error));
    }
    (void)take_requests(&members[0]);
    for (unsigned i = 1; i < crew->count; i++) {
        if (members[i].started) {
            (void)pthread_kill(members[i].thread, SIGUSR1);
            (void)pthread_join(members[i].thread, NULL);
        }
    }
}

static int serve(void *context)
{
    struct handler *handler = context;
    struct crew crew = {.handler = handler};
    /* A web server's own process manager gives each process one request at a time. */
    crew.count = handler->supervised ? handler->program->threads(handler->settings) : 1;
    struct member *members = calloc(crew.count, sizeof *members);
    bool ready = members != NULL && prepare_signals(&crew.waiting, handler->supervised);
    if (!ready)
        log_error("cannot prepare for requests", log_error_code(errno));
    ready = ready && open_shared(&crew) && open_members(&crew, members);
    if (ready)
        run_crew(&crew, members);
    if (members != NULL)
        close_members(&crew, members);
    close_shared(&crew);
    return ready && !crew.failed ? EXIT_SUCCESS : EXIT_FAILURE;
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
        handler->listener = listen_socket_open(
            options->listen, (unsigned)handler->program->config(handler->settings)->bus_mode,
            error);
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
    handler->program->warn(handler->settings);
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

static int start_configured(struct handler *handler, const struct options *options, bool cgi)
{
    char error[CONFIG_ERROR_SIZE];
    int status = EXIT_SUCCESS;
    handler->settings = handler->program->load(handler->config_path, error);
    if (handler->settings == NULL)
        return fail_configuration(error, cgi);
    if (options->check_only) {
        printf("%s: good\n", handler->config_path);
    } else {
        configure_log(handler);
        status = serve_as_started(handler, options, cgi);
    }
    handler->program->unload(handler->settings);
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
