#include "handler_counters.h"

#include <stdio.h>
#include <sys/mman.h>

enum { STATUSES = 600, RESULTS = ACK_UNKNOWN + 2, UNANSWERED = RESULTS - 1 };

static struct counters {
    uint64_t requests[STATUSES]; /* by status; 0: handed on */
    uint64_t events[RESULTS];    /* by enum ack_status, and UNANSWERED */
    struct histogram request_times;
    struct histogram round_trips;
} * counters; /* NULL: nothing is counted */

bool handler_counters_share(void)
{
    void *memory =
        mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    counters = memory;
    return true;
}

static void count(uint64_t *counter)
{
    (void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void handler_counters_note_request(int status, uint64_t took_ns)
{
    if (counters == NULL || status < 0 || status >= STATUSES)
        return;
    count(&counters->requests[status]);
    histogram_add_shared(&counters->request_times, &histogram_times, took_ns);
}

void handler_counters_note_events(const struct bus_event *events, size_t event_count,
                                  uint64_t took_ns)
{
    bool answered = true;
    if (counters == NULL)
        return;
    for (size_t i = 0; i < event_count; i++) {
        answered = answered && events[i].acknowledged;
        if (events[i].kind == 0) /* an event, and no question */
            count(&counters->events[events[i].acknowledged ? events[i].ack.status : UNANSWERED]);
    }
    if (answered)
        histogram_add_shared(&counters->round_trips, &histogram_times, took_ns);
}

static void write_requests(struct exposition *out)
{
    char status[12];
    exposition_counter(out, "esn_handler_requests", "Requests that were answered, by status.");
    exposition_sample(out, "status", "handed_on", counters->requests[0]);
    for (int i = 1; i < STATUSES; i++) {
        if (counters->requests[i] == 0 && i != 200)
            continue;
        (void)snprintf(status, sizeof status, "%d", i);
        exposition_sample(out, "status", status, counters->requests[i]);
    }
    exposition_histogram(out, "esn_handler_request_seconds",
                         "From the beginning of a request to the end of its answer.",
                         &counters->request_times, &histogram_times);
}

static void write_events(struct exposition *out)
{
    static const struct {
        const char *word;
        int result;
    } results[] = {{"delivered", ACK_DELIVERED}, {"double", ACK_DOUBLE},
                   {"id_of_another", ACK_OTHER}, {"limited", ACK_LIMITED},
                   {"not_stored", ACK_UNSTORED}, {"topic_over_limits", ACK_TOPIC},
                   {"no_memory", ACK_OVERLOAD},  {"unacknowledged", UNANSWERED}};
    exposition_counter(out, "esn_handler_events",
                       "Events given to the bus, by what became of them.");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        exposition_sample(out, "result", results[i].word, counters->events[results[i].result]);
    exposition_histogram(out, "esn_bus_round_trip_seconds",
                         "From giving events to the bus until the last of them was acknowledged.",
                         &counters->round_trips, &histogram_times);
}

void handler_counters_write(struct exposition *out, const char *handler, unsigned workers,
                            bool publishes)
{
    static const char *const labels[] = {"handler", "version"};
    exposition_gauge(out, "esn_handler_build_info", "The handler and version that run; always 1.");
    exposition_sample_of_two(out, labels, (const char *const[]){handler, PACKAGE_VERSION}, 1);
    exposition_one_gauge(out, "esn_handler_workers", "Worker processes.", workers);
    if (counters == NULL)
        return;
    write_requests(out);
    if (publishes)
        write_events(out);
}
