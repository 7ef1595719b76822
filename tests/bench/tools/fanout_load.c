/* fanout_load: what a server spends on each delivery, each connection and each subscription.
 *
 * Holds N subscriber streams in one epoll process and publishes stamped events, in stages that each
 * add subscribers. For each stage one line of JSON says what it cost. `fanout_load --help` has the
 * options; tests/bench/run is who uses it. */
#include "dial.h"
#include "process_cost.h"
#include "publisher.h"
#include "subscribers.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGE_MAX = 16, WARM_UP_EVENTS = 4, STALL_LIMIT_MS = 10000, FILES_BESIDE_STREAMS = 128 };

struct stage {
    unsigned subscribers;
    unsigned events; /* 0: only hold the streams */
    unsigned window; /* events in flight */
};

struct options {
    struct subscribers_options subscribers;
    struct publisher_options publisher;
    struct process_set server;
    const char *request;
    struct stage stages[STAGE_MAX];
    size_t stage_count;
    double rate;        /* events a second; 0: as the window allows */
    unsigned settle_ms; /* before memory is read */
    const char *csv;    /* raw latencies of the last stage */
};

struct load {
    const struct options *options;
    struct subscribers *subscribers;
    struct publisher *publisher;
    struct tally tally;
    uint32_t sequence; /* of the next event */
    uint32_t sent;     /* of this run */
};

static const char usage[] =
    "usage: fanout_load --port PORT --request FILE --subscribed HEX --stage N:EVENTS:WINDOW ...\n"
    "  --port PORT         subscribers connect to 127.0.0.1:PORT\n"
    "  --tls               over TLS, with a whole handshake for each\n"
    "  --request FILE      what each sends; {{ID}} becomes its number\n"
    "  --subscribed HEX    bytes of the answer after which it hears events\n"
    "  --stage N:M:W       have N subscribers, then M events, W in flight (several times)\n"
    "  --server PID,...    processes whose time and memory are read\n"
    "  --publish FILE      an event, with ~000000000000000000000000~ where its stamp goes\n"
    "  --publish-port PORT --publishers COUNT --hello FILE --greeted HEX\n"
    "  --command TEXT      publish by this program instead: it reads stamps from standard input\n"
    "                      (neither: events are published by somebody else)\n"
    "  --rate R            R events a second, whatever is in flight\n"
    "  --settle MS         wait before memory is read (default 300)\n"
    "  --csv FILE          sent_ns,late_ns of each delivery of the last stage\n";

static bool parse_stage(struct options *options, const char *text)
{
    struct stage stage;
    char beyond;
    if (options->stage_count == STAGE_MAX ||
        sscanf(text, "%u:%u:%u%c", &stage.subscribers, &stage.events, &stage.window, &beyond) !=
            3 ||
        stage.window == 0)
        return false;
    options->stages[options->stage_count++] = stage;
    if (stage.subscribers > options->subscribers.maximum)
        options->subscribers.maximum = stage.subscribers;
    return true;
}

static bool take_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'p':
        options->subscribers.port = (unsigned)atoi(value);
        return true;
    case 'T':
        options->subscribers.tls = true;
        return true;
    case 'r':
        options->request = value;
        return true;
    case 'm':
        return marker_parse(&options->subscribers.subscribed, value);
    case 's':
        return parse_stage(options, value);
    case 'i':
        return process_set_parse(&options->server, value);
    case 'f':
        options->publisher.message = value;
        return true;
    case 'P':
        options->publisher.port = (unsigned)atoi(value);
        return true;
    case 'K':
        options->publisher.connections = (size_t)atoi(value);
        return options->publisher.connections > 0;
    case 'h':
        options->publisher.hello = value;
        return true;
    case 'g':
        return marker_parse(&options->publisher.greeted, value);
    case 'c':
        options->publisher.command = value;
        return true;
    case 'R':
        options->rate = atof(value);
        return options->rate > 0;
    case 't':
        options->settle_ms = (unsigned)atoi(value);
        return true;
    case 'o':
        options->csv = value;
        return true;
    default:
        return false;
    }
}

static bool parse_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {{"port", required_argument, NULL, 'p'},
                                          {"tls", no_argument, NULL, 'T'},
                                          {"request", required_argument, NULL, 'r'},
                                          {"subscribed", required_argument, NULL, 'm'},
                                          {"stage", required_argument, NULL, 's'},
                                          {"server", required_argument, NULL, 'i'},
                                          {"publish", required_argument, NULL, 'f'},
                                          {"publish-port", required_argument, NULL, 'P'},
                                          {"publishers", required_argument, NULL, 'K'},
                                          {"hello", required_argument, NULL, 'h'},
                                          {"greeted", required_argument, NULL, 'g'},
                                          {"command", required_argument, NULL, 'c'},
                                          {"rate", required_argument, NULL, 'R'},
                                          {"settle", required_argument, NULL, 't'},
                                          {"csv", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    int option;
    options->publisher.connections = 1;
    options->settle_ms = 300;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (!take_option(options, option, optarg))
            return false;
    if (options->publisher.port == 0)
        options->publisher.port = options->subscribers.port;
    return optind == argc && options->subscribers.port != 0 && options->request != NULL &&
           options->subscribers.subscribed.length > 0 && options->stage_count > 0 &&
           options->subscribers.maximum > 0;
}

static bool read_for(struct load *load, unsigned ms)
{
    uint64_t end = monotonic_ns() + (uint64_t)ms * 1000000;
    for (uint64_t now = monotonic_ns(); now < end; now = monotonic_ns())
        if (!subscribers_read(load->subscribers, (int)((end - now) / 1000000) + 1))
            return false;
    return true;
}

static bool send_next(struct load *load)
{
    struct stamp stamp = {.sequence = load->sequence++, .sent_ns = monotonic_ns()};
    load->sent++;
    return publisher_send(load->publisher, &stamp);
}

static bool somebody_else_publishes(const struct load *load)
{
    return load->options->publisher.message == NULL && load->options->publisher.command == NULL;
}

/* How many events may be sent now. */
static uint32_t room(const struct load *load, unsigned window, uint64_t began)
{
    uint32_t left = load->tally.events - load->sent;
    uint32_t due;
    if (somebody_else_publishes(load))
        return 0;
    if (load->options->rate > 0) {
        due = (uint32_t)((double)(monotonic_ns() - began) * load->options->rate / 1e9) + 1;
        due = due > load->sent ? due - load->sent : 0;
    } else {
        uint32_t in_flight = load->sent - load->tally.complete;
        due = window > in_flight ? window - in_flight : 0;
    }
    return due < left ? due : left;
}

/* Sends `events` events and waits until every subscriber had each. */
static bool run_events(struct load *load, unsigned events, unsigned window, unsigned receivers,
                       bool keep_times)
{
    struct tally *tally = &load->tally;
    uint64_t began = monotonic_ns(), heard = began, deliveries = 0;
    load->sent = 0;
    if (!tally_begin(tally, load->sequence, events, receivers, keep_times))
        return false;
    while (tally->deliveries < tally_expected(tally)) {
        for (uint32_t i = room(load, window, began); i > 0; i--)
            if (!send_next(load))
                return false;
        if (!subscribers_read(load->subscribers, load->options->rate > 0 ? 1 : 100))
            return false;
        uint64_t now = monotonic_ns();
        if (tally->deliveries > deliveries)
            heard = now;
        else if (now - heard > (uint64_t)STALL_LIMIT_MS * 1000000)
            break;
        deliveries = tally->deliveries;
    }
    if (tally->deliveries == tally_expected(tally) && tally->doubles == 0)
        return true;
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " deliveries, %" PRIu64 " doubles; last answer: %s\n",
            tally->deliveries, tally_expected(tally), tally->doubles,
            publisher_last_answer(load->publisher));
    return false;
}

struct stage_result {
    uint64_t connect_cpu_ns, connect_wall_ns; /* of the subscribers that this stage added */
    unsigned added;
    uint64_t pss_kib, slab_kib;
    uint64_t cpu_ns, wall_ns, bytes; /* of the stage's events */
};

static bool grow_stage(struct load *load, const struct stage *stage, unsigned had,
                       struct stage_result *result)
{
    const struct process_set *server = &load->options->server;
    uint64_t cpu_before, cpu_after, began = monotonic_ns();
    if (!process_set_cpu_ns(server, &cpu_before) ||
        !subscribers_grow(load->subscribers, stage->subscribers))
        return false;
    result->connect_wall_ns = monotonic_ns() - began;
    if (!read_for(load, load->options->settle_ms) || !process_set_cpu_ns(server, &cpu_after))
        return false;
    result->connect_cpu_ns = cpu_after - cpu_before;
    result->added = stage->subscribers > had ? stage->subscribers - had : 0;
    return process_set_pss_kib(server, &result->pss_kib) && kernel_slab_kib(&result->slab_kib);
}

static bool publish_stage(struct load *load, const struct stage *stage, bool last,
                          struct stage_result *result)
{
    const struct process_set *server = &load->options->server;
    unsigned warm_up = stage->window > WARM_UP_EVENTS ? stage->window : WARM_UP_EVENTS;
    uint64_t cpu_before, cpu_after;
    if (stage->events == 0)
        return true;
    if (!somebody_else_publishes(load) && load->options->rate <= 0 &&
        (!run_events(load, warm_up, stage->window, stage->subscribers, false) ||
         !read_for(load, 50)))
        return false;
    uint64_t bytes = subscribers_bytes(load->subscribers);
    uint64_t began = monotonic_ns();
    if (!process_set_cpu_ns(server, &cpu_before) ||
        !run_events(load, stage->events, stage->window, stage->subscribers,
                    last && load->options->csv != NULL))
        return false;
    result->wall_ns = monotonic_ns() - began;
    /* What the server does after its last write belongs to the events too. */
    if (!read_for(load, 50) || !process_set_cpu_ns(server, &cpu_after))
        return false;
    result->cpu_ns = cpu_after - cpu_before;
    result->bytes = subscribers_bytes(load->subscribers) - bytes;
    return true;
}

static void print_stage(struct load *load, const struct stage *stage,
                        const struct stage_result *result)
{
    double deliveries = (double)stage->events * stage->subscribers;
    tally_sort(&load->tally);
    printf("{\"subscribers\":%u,\"events\":%u,\"window\":%u,\"added\":%u,\"pss_kib\":%" PRIu64
           ",\"slab_kib\":%" PRIu64,
           stage->subscribers, stage->events, stage->window, result->added, result->pss_kib,
           result->slab_kib);
    if (result->added > 0)
        printf(",\"connect_cpu_us\":%.3f,\"connect_wall_us\":%.3f",
               (double)result->connect_cpu_ns / 1e3 / result->added,
               (double)result->connect_wall_ns / 1e3 / result->added);
    if (stage->events > 0)
        printf(",\"cpu_us\":%.4f,\"rate\":%.0f,\"bytes\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
               "\"max_us\":%.1f",
               (double)result->cpu_ns / 1e3 / deliveries,
               deliveries * 1e9 / (double)result->wall_ns, (double)result->bytes / deliveries,
               (double)tally_late_ns(&load->tally, 0.5) / 1e3,
               (double)tally_late_ns(&load->tally, 0.99) / 1e3,
               (double)tally_late_ns(&load->tally, 1) / 1e3);
    puts("}");
    fflush(stdout);
}

static bool write_csv(const struct load *load)
{
    if (load->options->csv == NULL || load->tally.sent_ns == NULL)
        return true;
    FILE *out = fopen(load->options->csv, "w");
    if (out == NULL) {
        perror(load->options->csv);
        return false;
    }
    bool ok = tally_write_csv(&load->tally, out);
    return fclose(out) == 0 && ok;
}

static void read_answers(void *context)
{
    publisher_read_answers(context);
}

/* Memory and time of the server before the first stream: what the stages are compared with. */
static bool print_before(const struct load *load)
{
    uint64_t pss, slab;
    if (!process_set_pss_kib(&load->options->server, &pss) || !kernel_slab_kib(&slab))
        return false;
    printf("{\"subscribers\":0,\"pss_kib\":%" PRIu64 ",\"slab_kib\":%" PRIu64 "}\n", pss, slab);
    return fflush(stdout) == 0;
}

static bool run_stages(struct load *load)
{
    const struct options *options = load->options;
    unsigned had = 0;
    for (size_t i = 0; i < options->stage_count; i++) {
        const struct stage *stage = &options->stages[i];
        bool last = i + 1 == options->stage_count;
        struct stage_result result = {0};
        if (!grow_stage(load, stage, had, &result))
            return false;
        /* Whoever else publishes waits for this word. */
        if (somebody_else_publishes(load) && stage->events > 0)
            fputs("listening\n", stderr);
        if (!publish_stage(load, stage, last, &result))
            return false;
        if (last && !write_csv(load))
            return false;
        print_stage(load, stage, &result);
        had = stage->subscribers;
    }
    return true;
}

static bool open_load(struct load *load)
{
    load->publisher = publisher_open(&load->options->publisher);
    if (load->publisher == NULL || !print_before(load))
        return false;
    load->subscribers = subscribers_create(&load->options->subscribers);
    int answers = publisher_descriptor(load->publisher);
    return load->subscribers != NULL &&
           (answers < 0 ||
            subscribers_watch(load->subscribers, answers, read_answers, load->publisher));
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct message request;
    if (!parse_options(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!dial_allow_files(options.subscribers.maximum + FILES_BESIDE_STREAMS) ||
        !message_load(&request, options.request))
        return 1;
    struct load load = {.options = &options};
    options.subscribers.request = &request;
    options.subscribers.tally = &load.tally;
    bool ok = open_load(&load) && run_stages(&load);
    ok = publisher_close(&load.publisher) && ok;
    subscribers_free(&load.subscribers);
    tally_free(&load.tally);
    message_free(&request);
    return ok ? 0 : 1;
}
