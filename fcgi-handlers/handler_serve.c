#include "handler_serve.h"

#include "config/config_messages.h"
#include "handler_watch.h"
#include "messages.h"
#include "metrics_port.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int stop_wanted, reload_wanted; /* set by signals, read by all threads */

static void on_signal(int signal_number)
{
    if (signal_number == SIGHUP)
        reload_wanted = 1;
    else
        stop_wanted = 1;
}

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

const struct config *handler_config(const struct handler *handler)
{
    return handler->settings;
}

void handler_configure_log(const struct handler *handler)
{
    const struct config *config = handler_config(handler);
    config_messages_apply(config, handler->program->name);
}

bool handler_reload(void *context)
{
    struct handler *handler = context;
    char error[CONFIG_ERROR_SIZE];
    void *fresh = handler->program->settings->load(handler->config_path, error);
    if (fresh == NULL) {
        message_error("configuration is kept as it was", message_text("reason", error));
        return false;
    }
    handler->program->settings->unload(handler->settings);
    handler->settings = fresh;
    handler_configure_log(handler);
    message_info("configuration read again", message_text("file", handler->config_path));
    return true;
}

/* ---- threads ---- */

/* The threads of one process. One at a time is at the door, where it serves what has come, and
 * waits when nothing has. When something comes that may take its time, it leaves the door to the
 * next thread and serves that beside it. Signals come to whoever waits at the door, and each of the
 * others sees what they want when it is there. */
struct crew {
    struct handler *handler;
    void *shared;
    sigset_t waiting;
    pthread_mutex_t door;
    struct handler_watch
        *watch; /* NULL: this is the only thread of a process without a supervisor */
    unsigned count;
    size_t together; /* most requests that a thread takes at once */
    bool failed;     /* guarded by the door */
};

struct member {
    struct crew *crew;
    struct handler_request **requests; /* crew->together */
    void *service;
    pthread_t thread;
    bool started;
};

/* A process that is asked to end goes on serving until its web server has closed what it keeps. */
static bool is_to_end(const struct crew *crew)
{
    if (crew->failed || !stop_wanted || crew->watch == NULL)
        return crew->failed || stop_wanted;
    handler_watch_end(crew->watch);
    return handler_watch_is_over(crew->watch);
}

/* 1: a request; 0: there is something else to do; -1: it is time to end. */
static int wait_for_request(struct member *member)
{
    struct crew *crew = member->crew;
    while (!is_to_end(crew)) {
        int here = handler_request_accept(member->requests[0], &crew->waiting);
        if (here > 0)
            return 1;
        if (here < 0) {
            message_error("cannot accept requests", message_error_code(errno));
            crew->failed = true;
        } else if (reload_wanted || crew->handler->listener == HANDLER_CGI) {
            return 0;
        } /* else another process was quicker */
    }
    return -1;
}

/* Begins and takes the first request and what has come after it, as long as reading and answering
 * them does not last. *alone: one whose bytes have not all come. True: stay at the door. */
static bool take_at_door(struct member *member, struct handler_request **alone)
{
    const struct handler_service *service = member->crew->handler->program->service;
    size_t taken = 0;
    bool another, swift = true;
    do {
        struct handler_request *request = member->requests[taken++];
        if (service->take == NULL || !handler_request_is_here(request)) {
            *alone = request;
            return false;
        }
        if (handler_request_begin(request))
            swift = service->take(member->service, request);
        another = swift && taken < member->crew->together &&
                  handler_request_accept(member->requests[taken], NULL) > 0;
    } while (another);
    return swift;
}

static void serve_alone(const struct member *member, struct handler_request *request)
{
    const struct handler_service *service = member->crew->handler->program->service;
    if (!handler_request_begin(request))
        return;
    if (service->take != NULL) {
        (void)service->take(member->service, request);
        service->answer(member->service);
    } else {
        service->handle(member->service, request);
        handler_request_finish(request);
    }
}

/* As wait_for_request(). */
static int serve_next(struct member *member)
{
    struct crew *crew = member->crew;
    void (*answer)(void *service) = crew->handler->program->service->answer;
    struct handler_request *alone = NULL;
    int here;
    (void)pthread_mutex_lock(&crew->door);
    while ((here = wait_for_request(member)) > 0 && take_at_door(member, &alone))
        answer(member->service);
    (void)pthread_mutex_unlock(&crew->door);
    if (here > 0 && answer != NULL)
        answer(member->service);
    if (alone != NULL)
        serve_alone(member, alone);
    return here;
}

static bool open_shared(struct crew *crew)
{
    const struct handler *handler = crew->handler;
    crew->shared =
        handler->program->service->open(handler->settings, handler->listener != HANDLER_CGI);
    if (crew->shared == NULL)
        message_error("cannot prepare for requests", message_text("reason", "out of memory"));
    return crew->shared != NULL;
}

static bool begin(struct member *member)
{
    const struct handler *handler = member->crew->handler;
    for (size_t i = 0; i < member->crew->together; i++)
        handler_request_set_origins(member->requests[i], handler_config(handler)->web_origins);
    member->service = handler->program->service->begin(handler->settings, member->crew->shared);
    return member->service != NULL;
}

static void end(struct member *member)
{
    if (member->service != NULL)
        member->crew->handler->program->service->end(member->service);
    member->service = NULL;
}

static void close_shared(struct crew *crew)
{
    if (crew->shared != NULL)
        crew->handler->program->service->close(crew->shared);
    crew->shared = NULL;
}

/* Of a process without a supervisor, which has one thread. */
static void reload_between_requests(struct member *member)
{
    reload_wanted = 0;
    end(member);
    close_shared(member->crew);
    (void)handler_reload(member->crew->handler);
    if (!open_shared(member->crew) || !begin(member))
        member->crew->failed = true;
}

static void *serve_requests(void *context)
{
    struct member *member = context;
    const struct handler *handler = member->crew->handler;
    int here;
    while ((here = serve_next(member)) >= 0) {
        if (here == 0 && handler->listener == HANDLER_CGI)
            break;
        if (reload_wanted && member->crew->count == 1)
            reload_between_requests(member);
    }
    return NULL;
}

static bool open_requests(struct member *member)
{
    const struct crew *crew = member->crew;
    int listener = crew->handler->listener;
    bool opened = true;
    member->requests = calloc(crew->together, sizeof(struct handler_request *));
    for (size_t i = 0; i < crew->together && opened && member->requests != NULL; i++) {
        member->requests[i] = crew->watch != NULL
                                  ? handler_request_open_among_others(listener, crew->watch)
                                  : handler_request_open(listener);
        opened = member->requests[i] != NULL;
    }
    if (member->requests != NULL && opened)
        return true;
    message_error("cannot prepare for requests", message_error_code(errno));
    return false;
}

static bool open_members(struct crew *crew, struct member *members)
{
    for (unsigned i = 0; i < crew->count; i++) {
        members[i].crew = crew;
        if (!open_requests(&members[i]) || !begin(&members[i]))
            return false;
    }
    return true;
}

static void close_members(struct crew *crew, struct member *members)
{
    for (unsigned i = 0; i < crew->count && members[i].crew != NULL; i++) {
        end(&members[i]);
        for (size_t j = 0; members[i].requests != NULL && j < crew->together; j++)
            handler_request_close(&members[i].requests[j]);
        free(members[i].requests);
    }
    free(members);
}

/* The calling thread is the first member. Signals are blocked in all of them until they wait, so
 * that none comes too early. */
static void run_crew(struct crew *crew, struct member *members)
{
    for (unsigned i = 1; i < crew->count; i++) {
        int error = pthread_create(&members[i].thread, NULL, serve_requests, &members[i]);
        members[i].started = error == 0;
        if (error != 0)
            message_error("cannot start a thread", message_error_code(error));
    }
    crew->handler->serving(crew->handler);
    (void)serve_requests(&members[0]);
    for (unsigned i = 1; i < crew->count; i++) {
        if (members[i].started)
            (void)pthread_join(members[i].thread, NULL);
    }
}

static unsigned most_kept(const struct handler *handler)
{
    unsigned (*kept)(const struct config *config) = handler->program->settings->kept_connections;
    return kept != NULL ? kept(handler_config(handler)) : 0;
}

static bool open_door(struct crew *crew)
{
    const struct handler *handler = crew->handler;
    int error = pthread_mutex_init(&crew->door, NULL);
    if (error != 0) {
        errno = error;
        return false;
    }
    if (handler->supervised)
        crew->watch = handler_watch_open(&handler->sockets, most_kept(handler));
    if (!handler->supervised || crew->watch != NULL)
        return true;
    (void)pthread_mutex_destroy(&crew->door);
    return false;
}

static void close_door(struct crew *crew)
{
    (void)pthread_mutex_destroy(&crew->door);
    handler_watch_close(&crew->watch);
}

static int serve_with_door(struct crew *crew)
{
    struct member *members = calloc(crew->count, sizeof *members);
    bool ready = members != NULL && open_shared(crew) && open_members(crew, members);
    if (ready)
        run_crew(crew, members);
    if (members != NULL)
        close_members(crew, members);
    close_shared(crew);
    return ready && !crew->failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct metrics_port *begin_metrics(const struct handler *handler)
{
    return metrics_port_begin(
        &(struct metrics_port_options){.config = handler_config(handler),
                                       .sockets = &handler->metrics,
                                       .handler = handler->program->name,
                                       .workers = handler->workers,
                                       .publishes = handler->program->settings->publishes});
}

int handler_serve(void *context)
{
    struct handler *handler = context;
    struct crew crew = {.handler = handler};
    /* A web server's own process manager gives each process one request at a time. */
    crew.count =
        handler->supervised ? handler->program->settings->threads(handler_config(handler)) : 1;
    crew.together = handler->supervised && handler->program->service->take != NULL
                        ? handler->program->service->together
                        : 1;
    if (!prepare_signals(&crew.waiting, handler->supervised) || !open_door(&crew)) {
        message_error("cannot prepare for requests", message_error_code(errno));
        return EXIT_FAILURE;
    }
    if (handler->listener != HANDLER_CGI &&
        !message_write_in_background(handler_config(handler)->message_buffer))
        message_warning("no thread for messages: whoever reads them can hold requests up");
    struct metrics_port *metrics = begin_metrics(handler);
    int status = serve_with_door(&crew);
    metrics_port_end(&metrics);
    close_door(&crew);
    message_end_background();
    return status;
}
