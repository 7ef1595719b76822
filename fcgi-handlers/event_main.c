/* esn-event: takes events that backends post. */
#include "event_settings.h"
#include "handler_main.h"
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
    "      --check-config    say whether the configuration is good, and end; root looks as the "
    "user\n"
    "                        esn-event, when there is one\n"
    "  -h, --help            this text\n"
    "  -V, --version         version\n"
    "\n"
    "Stays in the foreground and logs to standard error. SIGTERM and SIGINT end it after the\n"
    "requests at hand; SIGHUP reads the configuration, tokens and keys again.\n"
    "\n"
    "Try it:  esn-event --listen unix:/run/es-web-notify/event.sock\n"
    "         curl -d '{\"ep\":[\"a/b\"],\"e\":{\"type\":\"hello\"}}' "
    "https://example.org/notify/event -H 'Authorization: Bearer TOKEN'\n"
    "\n"
    "See esn-event(8), es-web-notify.conf(5), esnctl(1).";

int main(int argc, char **argv)
{
    static const struct handler_program program = {.name = "esn-event",
                                                   .help = help,
                                                   .settings = &event_settings_kind,
                                                   .service = &publish_event_service};
    return handler_main(&program, argc, argv);
}
