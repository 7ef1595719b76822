#include "net/refused_client.h"

#include "config/config.h"
#include "cors.h"
#include "retry_after.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *origin_header(const struct config *config)
{
    return cors_is_public(config->web_origins) ? "Access-Control-Allow-Origin: *\r\n" : "";
}

/* For an EventSource, which would be closed for good by any answer but 200. When to come back is
 * spread evenly over refusals that follow each other. */
static int write_event_stream_refusal(const struct net *net, char *out, size_t size)
{
    const uint64_t golden = 0x9e3779b97f4a7c15; /* 2^64 by the golden ratio */
    uint64_t most = net->config->retry_time, least = most / 4;
    uint64_t retry = least + (net->counters.accepted * golden >> 32) % (most - least + 1);
    char field[40];
    int length = snprintf(field, sizeof field, "retry: %llu\n\n", (unsigned long long)retry);

    return snprintf(out, size,
                    "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n%sConnection: close\r\n"
                    "Content-Type: text/event-stream;charset=utf-8\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    origin_header(net->config), length, field);
}

static int write_refusal(char *out, size_t size, const struct config *config,
                         const struct arrival *arrival, const char *words)
{
    char json[96];
    int length = snprintf(json, sizeof json, "{\"error\":\"%s\"}", words);

    if (arrival->speaks_lines)
        return snprintf(out, size, "%s\n", json);
    return snprintf(out, size,
                    "HTTP/1.1 503 %s\r\n" RETRY_AFTER "5\r\n"
                    "%sConnection: close\r\n"
                    "Content-Type: application/json;charset=utf-8\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    words, origin_header(config), length, json);
}

void refused_client_answer(const struct net *net, int descriptor, const struct arrival *arrival,
                           const char *bytes, size_t count, const char *words)
{
    static const char event_stream[] = "text/event-stream";
    char answer[512];

    if (arrival->is_tls) /* where it would be no answer */
        return;
    bool is_event_source =
        count > 0 && memmem(bytes, count, event_stream, sizeof event_stream - 1) != NULL;
    int length = is_event_source && !arrival->speaks_lines
                     ? write_event_stream_refusal(net, answer, sizeof answer)
                     : write_refusal(answer, sizeof answer, net->config, arrival, words);
    (void)send(descriptor, answer, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
