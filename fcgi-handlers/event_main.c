/* esn-event: takes events that backends post. */
#include "event_settings.h"
#include "handler_main.h"
#include "messages.h"
#include "publish_event.h"

static const char help[] =
    "Usage: esn-event [--config FILE] [--listen ADDRESS] [--workers N]\n"
    "       esn-event [--config FILE] --check-config\n"
    "Takes events that backends post, hands them to the fan-out daemon and answers how many\n"
    "subscribers they reach.\n"
    "\n"
    "  -c, --config FILE     configuration (default: $ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  -l, --listen ADDRESS  serve FastCGI on unix:PATH, host:port or [ipv6]:port, with workers "
    "of\n"
    "                        its own; without it, FastCGI on descriptor 0 or one CGI request,\n"
    "                        whatever the web server started it for\n"
    "  -w, --workers N       processes that serve (default: 4 with --listen; on descriptor 0, one\n"
    "                        process without a supervisor)\n"
    "      --check-config    say whether the configuration is good, and end\n"
    "  -h, --help            this text\n"
    "  -V, --version         version\n"
    "\n"
    "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end it after the\n"
    "requests at hand; SIGHUP reads the configuration, tokens and keys again.\n"
    "\n"
    "Try it:  esn-event --listen unix:/run/es-web-notify/event.sock\n"
    "         curl -d '{\"ep\":[\"a/b\"],\"e\":{\"type\":\"hello\"}}' "
    "https://example.org/notify/event?token=TOKEN\n"
    "\n"
    "See esn-event(8), es-web-notify.conf(5), esnctl(1).";

static const struct config *config_of(const void *settings)
{
    const struct event_settings *own = settings;
    return &own->config;
}

static void *load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    return event_settings_load(path, error);
}

static void unload(void *settings)
{
    struct event_settings *own = settings;
    event_settings_free(&own);
}

static void warn(const void *settings)
{
    const struct event_settings *own = settings;
    if (publishers_count(own->publishers) == 0)
        message_warning("no entry token is configured: every post is answered 404");
}

static unsigned threads(const void *settings)
{
    return (unsigned)config_of(settings)->publish_threads;
}

static void *open_shared(const void *settings, bool lasting)
{
    return publish_event_open(settings, lasting);
}

static void close_shared(void *shared)
{
    struct publish_shared *own = shared;
    publish_event_close(&own);
}

static void *begin(const void *settings, void *shared)
{
    return publish_event_begin(settings, shared);
}

static bool take(void *service, struct handler_request *request)
{
    return publish_event_take(service, request);
}

static void answer(void *service)
{
    publish_event_answer(service);
}

static void end(void *service)
{
    struct publish_service *own = service;
    publish_event_end(&own);
}

int main(int argc, char **argv)
{
    static const struct handler_program program = {.name = "esn-event",
                                                   .help = help,
                                                   .load = load,
                                                   .unload = unload,
                                                   .config = config_of,
                                                   .warn = warn,
                                                   .threads = threads,
                                                   .open = open_shared,
                                                   .close = close_shared,
                                                   .begin = begin,
                                                   .together = PUBLISH_TOGETHER,
                                                   .take = take,
                                                   .answer = answer,
                                                   .end = end};
    return handler_main(&program, argc, argv);
}
