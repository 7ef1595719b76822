#include "net/net.h"

#include "messages.h"
#include "net/send_batch.h"
#include "net/tls_context.h"

#include <stdlib.h>
#include <string.h>

static bool has_time(void *context)
{
    struct net *net = context;

    return loop_watch_has_time(&net->loop.watch);
}

int net_open(struct net *net, const struct config *config)
{
    memset(net, 0, sizeof *net);
    net->config = config;
    TAILQ_INIT(&net->by_backlog);
    address_limits_open(&net->addresses);
    int error = loop_open(&net->loop);
    if (error)
        return error;
    deadlines_start(&net->deadlines, loop_now(&net->loop));
    net->deadlines.has_time = has_time;
    net->deadlines.time_context = net;
    return 0;
}

bool net_trust_proxies(struct net *net)
{
    char *const *words = net->config->trusted_proxies;
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    struct net_proxies proxies = {.ranges = calloc(count + 1, sizeof *proxies.ranges)};
    if (proxies.ranges == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "unix") == 0)
            proxies.is_local = true;
        else
            proxies.count += address_range_read(&proxies.ranges[proxies.count], words[i]);
    }
    free(net->proxies.ranges);
    net->proxies = proxies;
    return true;
}

uint8_t net_number_proxy(struct net *net, const struct ip_address *address)
{
    struct net_known_proxies *known = &net->known_proxies;
    uint8_t at = 0;

    while (at < known->count && memcmp(&known->list[at], address, sizeof *address) != 0)
        at++;
    if (at == NET_PROXIES_KNOWN)
        return 0;
    if (at == known->count)
        known->list[known->count++] = *address;
    return at + 1;
}

bool net_load_tls(struct net *net, char error[NET_ERROR_SIZE])
{
    _Static_assert((int)NET_ERROR_SIZE >= (int)TLS_ERROR_SIZE, "a sentence has to fit");
    if (net->config->listen_tls[0] == NULL && net->config->listen_lines_tls[0] == NULL)
        return true;
    if (net->tls != NULL)
        return tls_context_reload(net->tls, net->config, error);
    net->tls = tls_context_open(net->config, error);
    return net->tls != NULL;
}

void net_close(struct net *net)
{
    send_batch_close(&net->writes.batch);
    free(net->writes.marked);
    net->writes = (struct write_queue){0};
    free(net->put_off.waiting);
    net->put_off = (struct put_off_queue){0};
    frame_pool_close(&net->frames);
    address_limits_free(&net->addresses);
    tls_context_close(&net->tls);
    free(net->proxies.ranges);
    net->proxies = (struct net_proxies){0};
    if (uv_loop_close(&net->loop.uv) != 0)
        message_error("the event loop still holds handles");
}
