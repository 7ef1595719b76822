/* esn-subscribe: finds out who subscribes and hands them to the daemon with a ticket. */
#include "admit_subscriber.h"
#include "handler_main.h"
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
    "      --check-config    say whether the configuration is good, and end; root looks as the "
    "user\n"
    "                        esn-subscribe, when there is one\n"
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

int main(int argc, char **argv)
{
    static const struct handler_program program = {.name = "esn-subscribe",
                                                   .help = help,
                                                   .settings = &subscribe_settings_kind,
                                                   .service = &admit_subscriber_service};
    return handler_main(&program, argc, argv);
}
