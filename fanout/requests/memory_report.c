#include "requests/memory_report.h"

#include "bytes.h"
#include "events/delivery.h"
#include "events/intake.h"
#include "events/node_notes.h"
#include "events/nodes.h"
#include "events/replay.h"
#include "events/seen_events.h"
#include "heap.h"
#include "http/http_reply.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "net/tls_memory.h"
#include "net/tls_session.h"
#include "requests/service.h"
#include "streams/streams.h"
#include "used_tickets.h"

#include <malloc.h>

struct part {
    const char *name;
    uint64_t (*bytes)(const struct service *service);
};

static uint64_t heap_used(void)
{
    struct mallinfo2 heap = mallinfo2();

    return heap.uordblks + heap.hblkhd;
}

static uint64_t connections_part(const struct service *service)
{
    return service->net->connections * heap_taken(sizeof(struct stream)) +
           connection_backlog_bytes(service->net) + connection_marks_bytes(service->net);
}

static uint64_t addresses_part(const struct service *service)
{
    return address_limits_bytes(&service->net->addresses);
}

static uint64_t tls_part(const struct service *service)
{
    struct tls_context *tls = service->net->tls;

    return tls == NULL ? 0
                       : tls_memory_bytes() + tls_context_counters(tls)->sessions *
                                                  heap_taken(sizeof(struct tls_session));
}

static uint64_t streams_part(const struct service *service)
{
    return streams_bytes(service->streams);
}

static uint64_t topics_part(const struct service *service)
{
    uint64_t bytes = 0;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        bytes += topic_index_bytes(&service->streams->topics[kind]);
    return bytes;
}

static uint64_t presence_part(const struct service *service)
{
    const struct nodes *nodes = service->nodes;

    return presence_bytes(&service->streams->presence) +
           (nodes != NULL && nodes->notes != NULL ? node_notes_bytes(nodes->notes) : 0);
}

static uint64_t departed_part(const struct service *service)
{
    return departed_bytes(&service->streams->departed) +
           stream_secrets_bytes(&service->streams->secrets) +
           revocations_bytes(&service->streams->revocations);
}

static uint64_t reports_part(const struct service *service)
{
    return reports_bytes(&service->streams->reports);
}

static uint64_t decisions_part(const struct service *service)
{
    return decisions_bytes(&service->streams->decisions);
}

static uint64_t polls_part(const struct service *service)
{
    return poll_gap_bytes(&service->streams->polls);
}

static uint64_t tickets_part(const struct service *service)
{
    return used_tickets_bytes(service->tickets.used);
}

static uint64_t frames_part(const struct service *service)
{
    return frame_pool_bytes(&service->net->frames) + delivery_bytes(service->delivery);
}

static uint64_t bodies_part(const struct service *service)
{
    return service->bodies.used;
}

static uint64_t replay_part(const struct service *service)
{
    return replay_bytes(service->replays);
}

static uint64_t log_part(const struct service *service)
{
    return event_log_heap_bytes(service->log) + intake_bytes(service->intake);
}

static uint64_t kept_part(const struct service *service)
{
    return last_values_heap_bytes(&service->log->values);
}

static uint64_t seen_events_part(const struct service *service)
{
    return seen_events_bytes(service->seen);
}

static const struct part parts[] = {
    {"connections", connections_part},
    {"streams", streams_part},
    {"topics", topics_part},
    {"presence", presence_part},
    {"departed", departed_part},
    {"polls_between", polls_part},
    {"used_tickets", tickets_part},
    {"frames", frames_part},
    {"addresses", addresses_part},
    {"bodies", bodies_part},
    {"replay", replay_part},
    {"log", log_part},
    {"kept", kept_part},
    {"seen_events", seen_events_part},
    {"reports", reports_part},
    {"decisions", decisions_part},
    {"tls", tls_part},
};

static uint64_t sum_of_parts(const struct service *service)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum += parts[i].bytes(service);
    return sum;
}

uint64_t memory_report_unexplained(const struct service *service)
{
    uint64_t used = heap_used(), sum = sum_of_parts(service);

    return used > sum ? used - sum : 0;
}

static uint64_t resident_bytes(void)
{
    size_t bytes = 0;

    return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

static void append(struct bytes *json, const char *name, uint64_t value)
{
    bytes_append_format(json, "%s\n  \"%s\": %llu", json->length > 0 ? "," : "{", name,
                        (unsigned long long)value);
}

void memory_report_answer(struct connection *connection, const struct http_request *request)
{
    const struct service *service = service_of(connection);
    struct mallinfo2 heap = mallinfo2();
    struct bytes json = BYTES_EMPTY;

    append(&json, "resident", resident_bytes());
    append(&json, "heap_used", heap_used());
    append(&json, "heap_free", heap.fordblks);
    append(&json, "explained", service->heap_at_start + sum_of_parts(service));
    append(&json, "at_start", service->heap_at_start);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        append(&json, parts[i].name, parts[i].bytes(service));
    append(&json, "connection", sizeof(struct stream));
    bytes_append_text(&json, "\n}");
    if (json.failed)
        http_reply_error(connection, request, 503, "Out of memory");
    else
        http_reply_json(connection, request, 200, "OK", json.data, json.length);
    bytes_free(&json);
}
