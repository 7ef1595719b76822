/* esnctl top: the daemon live, in a terminal. */
#include "clock.h"
#include "commands.h"
#include "settings.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char top_help[] =
    "Usage: esnctl top [OPTION...]\n"
    "\n"
    "Shows streams, rates, slow clients and the busiest topics, anew every second until Ctrl-C.\n"
    "Into a pipe or file it writes one picture after the other.\n"
    "\n"
    "Options:\n"
    "  --every SECONDS    how often, 1 to 3600 (default: 1)\n"
    "  --times N          how often in all, then end (default: for ever)\n"
    "  --url URL          the daemon's address (default: the first of [fanout] listen)\n"
    "  --token-file FILE  file with the admin token (default: [admin] token_file)\n"
    "  --config FILE      configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help             this text\n"
    "\n"
    "Examples:\n"
    "  esnctl top\n"
    "  esnctl top --every 10 --times 6 > minute.txt\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_EVERY = SETTINGS_OPTION_OWN, OPTION_TIMES };
enum { DEFAULT_LINES = 24, HEAD_LINES = 10, NAME_COLUMNS = 48 };

struct top {
    struct settings settings;
    long every, times; /* seconds; 0: for ever */
    bool is_terminal;
    json_t *before; /* the picture of before; NULL: this is the first */
    uint64_t before_ms;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* ---- one picture ---- */

static json_int_t number(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(state, name));
}

/* A second, since the picture before. */
static double rate(const struct top *top, const json_t *state, const char *name, uint64_t now_ms)
{
    if (top->before == NULL || now_ms <= top->before_ms)
        return 0;
    json_int_t grown = number(state, name) - number(top->before, name);
    return grown > 0 ? (double)grown * 1000 / (double)(now_ms - top->before_ms) : 0;
}

/* What a publisher has chosen cannot command the terminal: controls, of which some are two bytes. */
static void print_name(const char *name)
{
    int columns = 0;
    for (; name != NULL && *name != '\0' && columns < NAME_COLUMNS; name++) {
        unsigned char byte = (unsigned char)*name;
        bool is_long = byte == 0xc2 && ((unsigned char)name[1] & 0xe0) == 0x80;
        (void)putchar(byte < ' ' || byte == 0x7f || is_long ? '?' : byte);
        name += is_long;
        columns += (byte & 0xc0) != 0x80;
    }
    (void)printf("%*s", NAME_COLUMNS - columns, "");
}

static void print_head(const struct top *top, json_t *state, uint64_t now_ms)
{
    const json_t *turns = json_object_get(state, "turns");
    const json_t *strangers = json_object_get(state, "strangers");
    const json_t *longest = json_object_get(turns, "longest_of_minute");
    json_int_t up = number(state, "uptime_ms") / 1000;
    (void)printf("esn-fanout %s, up %lldd %02lld:%02lld:%02lld, longest turn of a minute %.1f ms\n",
                 json_string_value(json_object_get(state, "version")), up / 86400, up / 3600 % 24,
                 up / 60 % 60, up % 60, (double)number(longest, "cpu_us") / 1000);
    (void)printf("streams %lld", number(state, "connections"));
    const char *transport;
    json_t *count;
    json_object_foreach(json_object_get(state, "transports"), transport,
                        count) if (json_integer_value(count) > 0)(void)
        printf("  %s %lld", transport, json_integer_value(count));
    (void)printf("\nsockets %lld of %lld, topics %lld, catching up %lld, waiting for slow clients "
                 "%.1f MB\n",
                 number(state, "sockets"), number(state, "max_sockets"), number(state, "topics"),
                 number(state, "catching_up"), (double)number(strangers, "pending_bytes") / 1e6);
    (void)printf("a second: events %.1f, deliveries %.1f, streams begun %.1f, not taken %.1f, "
                 "limited %.1f\n",
                 rate(top, state, "events", now_ms), rate(top, state, "deliveries", now_ms),
                 rate(top, state, "streams_begun", now_ms),
                 rate(top, state, "events_not_taken", now_ms),
                 rate(top, state, "events_limited", now_ms));
}

static void print_slow(const json_t *slow, size_t most)
{
    (void)printf("\n%-20s %12s %10s  %s\n", "SLOW STREAM", "WAITING", "SECONDS", "ADDRESS");
    for (size_t i = 0; i < json_array_size(slow) && i < most; i++) {
        const json_t *one = json_array_get(slow, i);
        (void)printf("%-20lld %12lld %10.1f  %s\n", number(one, "connid"),
                     number(one, "pending_bytes"), (double)number(one, "ms") / 1000,
                     json_string_value(json_object_get(one, "address")));
    }
    if (json_array_size(slow) == 0)
        (void)puts("none");
}

static void print_topics(const json_t *topics, size_t most)
{
    (void)printf("\n%-*s %10s %10s\n", NAME_COLUMNS, "BUSIEST TOPIC", "EVENTS/S", "RECEIVERS");
    for (size_t i = 0; i < json_array_size(topics) && i < most; i++) {
        const json_t *one = json_array_get(topics, i);
        print_name(json_string_value(json_object_get(one, "topic")));
        (void)printf(" %10.1f %10lld\n", json_real_value(json_object_get(one, "rate")),
                     number(one, "receivers"));
    }
    if (json_array_size(topics) == 0)
        (void)puts("none of late");
}

static size_t lines_of_terminal(const struct top *top)
{
    struct winsize size;
    bool known = top->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    size_t lines = known && size.ws_row > 0 ? size.ws_row : DEFAULT_LINES;
    return lines > HEAD_LINES + 4 ? lines - HEAD_LINES : 4;
}

static void print_picture(const struct top *top, json_t *state, uint64_t now_ms)
{
    const json_t *slow = json_object_get(state, "slowest_streams");
    size_t lines = lines_of_terminal(top);
    size_t of_slow = json_array_size(slow) < lines / 3 ? json_array_size(slow) : lines / 3;
    if (top->is_terminal)
        (void)fputs("\033[H\033[J", stdout);
    print_head(top, state, now_ms);
    print_slow(slow, of_slow);
    print_topics(json_object_get(state, "busiest_topics"), lines - of_slow - 1);
    if (!top->is_terminal)
        (void)putchar('\n');
    (void)fflush(stdout);
}

/* ---- again and again ---- */

static int take_answer(void *context, const struct http_client_answer *answer)
{
    struct top *top = context;
    uint64_t now = clock_monotonic_ms();
    json_t *state = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    if (answer->status != 200 || !json_is_object(json_object_get(state, "turns"))) {
        int status = settings_tell_refusal(answer->status, state);
        json_decref(state);
        return status;
    }
    print_picture(top, state, now);
    json_decref(top->before);
    top->before = state;
    top->before_ms = now;
    return COMMAND_GOOD;
}

static int show(struct top *top)
{
    struct http_client_request request = {0};
    return settings_aim(&top->settings, "/state", &request)
               ? settings_exchange(&request, take_answer, top)
               : COMMAND_FAILED;
}

static int watch(struct top *top)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct settings *settings = &top->settings;
    int status = COMMAND_GOOD;
    if (!settings_load(settings) ||
        !settings_load_tokens(settings, settings->config.admin_token_file))
        return COMMAND_FAILED;
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0)
        return command_fail("cannot wait for Ctrl-C: %s", strerror(errno));
    for (long done = 0; status == COMMAND_GOOD && !is_over;) {
        status = show(top);
        if (++done == top->times)
            break;
        if (status == COMMAND_GOOD && !is_over)
            (void)poll(NULL, 0, (int)(top->every * 1000));
    }
    json_decref(top->before);
    return status;
}

static bool read_number(long *out, const char *text, long most)
{
    char *rest;
    errno = 0;
    *out = strtol(text, &rest, 10);
    return errno == 0 && *rest == '\0' && rest != text && *out >= 1 && *out <= most;
}

static int run_top(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        SETTINGS_OPTIONS_HTTP,
        {"every", required_argument, NULL, OPTION_EVERY},
        {"times", required_argument, NULL, OPTION_TIMES},
        {NULL, 0, NULL, 0},
    };
    struct top top = {.every = 1, .is_terminal = isatty(STDOUT_FILENO) == 1};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_top);
        if (option == OPTION_EVERY && !read_number(&top.every, optarg, 3600))
            return command_usage(&command_top, "--every should be 1 to 3600 seconds");
        if (option == OPTION_TIMES && !read_number(&top.times, optarg, 1000000000))
            return command_usage(&command_top, "--times should be a number from 1 on");
        if (option != OPTION_EVERY && option != OPTION_TIMES &&
            !settings_take_option(&top.settings, option))
            return command_usage_option(&command_top);
    }
    if (optind < argc)
        return command_usage(&command_top, "takes no argument: %s", argv[optind]);
    int status = watch(&top);
    settings_free(&top.settings);
    return status;
}

const struct command command_top = {"top", "streams, rates, slow clients, busiest topics, live",
                                    top_help, run_top};
