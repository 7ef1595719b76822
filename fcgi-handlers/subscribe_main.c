/* esn-subscribe: finds out who subscribes and hands them to the daemon with a ticket. */
#include "admit_subscriber.h"
#include "handler_main.h"
#include "messages.h"
#include "subscribe_settings.h"

static const char help[] =
    "Usage: esn-subscribe [--config FILE] [--listen ADDRESS] [--workers N]\n"
    "       esn-subscribe [--config FILE] --check-config\n"
    "Takes subscriptions for a web server, finds out whose their bind key is, and hands them over\n"
    "to the fan-out daemon with a signed ticket. It never holds a client.\n"
    "\n"
    "  -c, --config FILE     configuration (default: $ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  -l, --listen ADDRESS  serve FastCGI on unix:PATH, host:port or [ipv6]:port, with workers "
    "of\n"
    "                        its own; without it, FastCGI on descriptor 0 or one CGI request,\n"
    "                        whatever the web server started it for\n"
    "  -w, --workers N       processes that serve, each one request at a time (default: 4 with\n"
    "                        --listen; on descriptor 0, one process without a supervisor)\n"
    "      --check-config    say whether the configuration is good, and end\n"
    "  -h, --help            this text\n"
    "  -V, --version         version\n"
    "\n"
    "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end it after the\n"
    "requests at hand; SIGHUP reads the configuration and keys again.\n"
    "\n"
    "Try it:  esn-subscribe --listen unix:/run/es-web-notify/subscribe.sock\n"
    "         esnctl listen --url https://example.org/notify/ a/b\n"
    "\n"
    "See esn-subscribe(8), es-web-notify.conf(5), esnctl(1).";

static const struct config *config_of(const void *settings)
{
    const struct subscribe_settings *own = settings;
    return &own->config;
}

static void *load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    return subscribe_settings_load(path, error);
}

static void unload(void *settings)
{
    struct subscribe_settings *own = settings;
    subscribe_settings_free(&own);
}

static void warn(const void *settings)
{
    const struct subscribe_settings *own = settings;
    if (own->config.binding_mode == CONFIG_BINDING_SERVER && own->config.binding_url == NULL)
        message_warning("no binding server is configured: subscribers with a bind key are refused");
}

static unsigned threads(const void *settings)
{
    return (unsigned)config_of(settings)->subscribe_threads;
}

static void *open_shared(const void *settings, bool lasting)
{
    (void)lasting;
    return admit_subscriber_open(settings);
}

static void close_shared(void *shared)
{
    struct subscribe_shared *own = shared;
    admit_subscriber_close(&own);
}

static void *begin(const void *settings, void *shared)
{
    return admit_subscriber_begin(settings, shared);
}

static void handle(void *service, struct handler_request *request)
{
    admit_subscriber_handle(service, request);
}

static void end(void *service)
{
    struct subscribe_service *own = service;
    admit_subscriber_end(&own);
}

int main(int argc, char **argv)
{
    static const struct handler_program program = {.name = "esn-subscribe",
                                                   .help = help,
                                                   .load = load,
                                                   .unload = unload,
                                                   .config = config_of,
                                                   .warn = warn,
                                                   .threads = threads,
                                                   .open = open_shared,
                                                   .close = close_shared,
                                                   .begin = begin,
                                                   .handle = handle,
                                                   .end = end};
    return handler_main(&program, argc, argv);
}
