#include "requests/elsewhere.h"

#include "bytes.h"
#include "config/config.h"
#include "events/nodes.h"
#include "hex.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "nodes/node_record.h"
#include "query.h"
#include "requests/service.h"
#include "streams/streams.h"

#include <string.h>

/* In the query of a request that was sent on. */
static const char sent_on[] = "sent_on";

/* Own way, of a path; 0: the path does not begin with it. */
static size_t way_length(const char *way, const char *path)
{
    size_t length = way != NULL && !node_way_is_address(way) ? strlen(way) : 0;
    return length > 0 && path[0] == '/' && strncmp(path + 1, way, length) == 0 ? length : 0;
}

const char *elsewhere_plain_path(const struct config *config, const char *path)
{
    return path + way_length(config->node_url, path);
}

void elsewhere_write_location(struct bytes *out, const char *own_way, const char *way,
                              const char *path, const char *query)
{
    size_t own = way_length(own_way, path);
    for (size_t i = 0; i < own && !node_way_is_address(way); i++)
        if (own_way[i] == '/')
            bytes_append_text(out, "../");
    bytes_append_format(out, "%s%s?%s%s%s=1", way, path + own + 1, query,
                        query[0] != '\0' ? "&" : "", sent_on);
}

/* NULL: it does not live, or says nothing. */
static const char *find_way(const struct nodes *nodes, unsigned node)
{
    static struct bus_node living[BUS_NODES_MOST];
    size_t count = nodes->inbox != NULL ? bus_inbox_nodes(nodes->inbox, living, BUS_NODES_MOST) : 0;
    for (size_t i = 0; i < count; i++)
        if (living[i].node == node && living[i].url[0] != '\0')
            return living[i].url;
    return NULL;
}

static const char *find_holder(const struct service *service, uint64_t connid, const char *secret,
                               size_t length)
{
    unsigned char bytes[STREAM_SECRET_SIZE];
    unsigned node;
    if (length != 2 * sizeof bytes || !hex_read(bytes, sizeof bytes, secret) ||
        !stream_secrets_maker(&service->streams->secrets, connid, bytes, &node) ||
        node == service->nodes->facts.node)
        return NULL;
    return find_way(service->nodes, node);
}

bool elsewhere_send(struct connection *connection, const struct http_request *request,
                    uint64_t connid, const char *secret, size_t length)
{
    const struct service *service = service_of(connection);
    const char *query = http_request_query_text(request);
    if (service->nodes == NULL || !service->nodes->facts.numbers_events ||
        query_has(query, sent_on))
        return false;
    const char *way = find_holder(service, connid, secret, length);
    if (way == NULL)
        return false;
    struct bytes header = BYTES_EMPTY;
    bytes_append_text(&header, "Location: ");
    elsewhere_write_location(&header, service->config->node_url, way, http_request_path(request),
                             query);
    const char *text = bytes_terminate(&header);
    if (text != NULL)
        http_reply_error_with(connection, request, 307, "The stream is at another daemon", text);
    bytes_free(&header);
    return text != NULL;
}
