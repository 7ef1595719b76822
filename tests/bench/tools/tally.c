#include "tally.h"

#include <inttypes.h>
#include <stdlib.h>

bool tally_begin(struct tally *tally, uint32_t first, uint32_t events, uint32_t receivers,
                 bool keep_times)
{
    tally_free(tally);
    tally->first = first;
    tally->events = events;
    tally->receivers = receivers;
    tally->arrivals = calloc((size_t)events + 1, sizeof *tally->arrivals);
    tally->latency_ns = malloc((tally_expected(tally) + 1) * sizeof *tally->latency_ns);
    if (keep_times)
        tally->sent_ns = malloc((tally_expected(tally) + 1) * sizeof *tally->sent_ns);
    return tally->arrivals != NULL && tally->latency_ns != NULL &&
           (!keep_times || tally->sent_ns != NULL);
}

void tally_free(struct tally *tally)
{
    free(tally->arrivals);
    free(tally->latency_ns);
    free(tally->sent_ns);
    *tally = (struct tally){0};
}

void tally_count(struct tally *tally, const struct stamp *stamp, uint64_t now_ns)
{
    uint32_t event = stamp->sequence - tally->first;
    if (event >= tally->events) {
        tally->strangers++;
        return;
    }
    if (tally->arrivals[event] == tally->receivers) {
        tally->doubles++;
        return;
    }
    if (tally->sent_ns != NULL)
        tally->sent_ns[tally->deliveries] = stamp->sent_ns;
    tally->latency_ns[tally->deliveries++] = now_ns - stamp->sent_ns;
    if (++tally->arrivals[event] == tally->receivers)
        tally->complete++;
}

bool tally_write_csv(const struct tally *tally, FILE *out)
{
    fputs("sent_ns,late_ns\n", out);
    for (uint64_t i = 0; i < tally->deliveries; i++)
        fprintf(out, "%" PRIu64 ",%" PRIu64 "\n", tally->sent_ns[i], tally->latency_ns[i]);
    return fflush(out) == 0 && !ferror(out);
}

static int compare_ns(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

void tally_sort(struct tally *tally)
{
    qsort(tally->latency_ns, tally->deliveries, sizeof *tally->latency_ns, compare_ns);
}

uint64_t tally_late_ns(const struct tally *tally, double share)
{
    if (tally->deliveries == 0)
        return 0;
    uint64_t rank = (uint64_t)((double)tally->deliveries * share);
    return tally->latency_ns[rank < tally->deliveries ? rank : tally->deliveries - 1];
}
