#include "requests/client_address.h"

#include "bytes.h"
#include "http/forwarded.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "retry_after.h"

#include <sys/socket.h>

/* Lines of the same name are one list (RFC 9110, section 5.3). */
static bool join_lines(const struct http_request *request, enum http_header header,
                       struct bytes *list)
{
    const char *value = http_request_header(request, header);

    for (; value != NULL; value = http_request_next_header(request, header, value)) {
        if (list->length > 0)
            bytes_append_text(list, ",");
        bytes_append_text(list, value);
    }
    return list->length > 0 && bytes_terminate(list) != NULL;
}

static bool find_forwarded(const struct connection *connection, const struct http_request *request,
                           struct ip_address *client)
{
    const struct net *net = connection->net;
    enum forwarded_form form = (enum forwarded_form)net->config->proxy_header;
    enum http_header header =
        form == FORWARDED_RFC_7239 ? HTTP_HEADER_FORWARDED : HTTP_HEADER_X_FORWARDED_FOR;
    struct bytes list = BYTES_EMPTY;
    bool found =
        join_lines(request, header, &list) &&
        forwarded_find_client(client, list.data, form, net->proxies.ranges, net->proxies.count);

    bytes_free(&list);
    return found;
}

/* Of an IPv6 address only its network is remembered, which is no answer to who it is. */
static bool find_announced(const struct connection *connection, struct ip_address *client)
{
    const struct counted_address *counted = connection_address(connection);

    if (counted == NULL || !ip_address_is_ipv4(&counted->network))
        return false;
    *client = counted->network;
    return true;
}

/* It asks for itself. */
static bool find_peer(const struct connection *connection, struct ip_address *client)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;

    if (connection->proxy != 0) {
        *client = connection->net->known_proxies.list[connection->proxy - 1];
        return true;
    }
    if (connection->announced)
        return find_announced(connection, client);
    return getpeername(connection->descriptor, (struct sockaddr *)&peer, &size) == 0 &&
           ip_address_of_socket(client, (const struct sockaddr *)&peer);
}

static void refuse_address(struct connection *connection)
{
    connection->close_reason = CLOSE_ADDRESS;
    http_reply_error_with(connection, NULL, 503, "Too many connections from this address",
                          RETRY_AFTER "5");
}

bool client_address_enter(struct connection *connection, const struct http_request *request)
{
    struct net *net = connection->net;
    struct ip_address client;
    struct counted_address *counted;

    if (!connection->from_proxy)
        return true;
    if (!find_forwarded(connection, request, &client) && !find_peer(connection, &client))
        return true;
    if (address_limits_enter(&net->addresses, &client, net->config->max_connections_per_address,
                             loop_now(&net->loop), &counted) == ADDRESS_HAS_MOST) {
        refuse_address(connection);
        return false;
    }
    connection_set_address(connection, counted);
    return true;
}

void client_address_leave(struct connection *connection)
{
    if (connection->from_proxy && connection_address(connection) != NULL)
        connection_set_address(connection, NULL);
}

bool client_address_find(const struct connection *connection, const struct http_request *request,
                         struct ip_address *client)
{
    if (connection->from_proxy && find_forwarded(connection, request, client))
        return true;
    return http_request_header(request, HTTP_HEADER_X_FORWARDED_FOR) == NULL &&
           http_request_header(request, HTTP_HEADER_FORWARDED) == NULL &&
           find_peer(connection, client);
}
