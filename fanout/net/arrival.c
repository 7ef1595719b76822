#include "net/arrival.h"

void arrival_look(struct arrival *arrival, const struct net *net)
{
    const struct net_proxies *proxies = &net->proxies;

    arrival->is_trusted =
        arrival->has_address ? address_range_has(proxies->ranges, proxies->count, &arrival->address)
                             : proxies->is_local && !arrival->is_tcp;
    /* On the others no header says whose they are. */
    arrival->is_proxy = arrival->is_trusted && !arrival->speaks_lines && !arrival->is_for_metrics;
}

enum address_verdict arrival_enter(const struct arrival *arrival, struct net *net,
                                   struct counted_address **counted)
{
    *counted = NULL;
    if (!arrival->has_address || arrival->is_proxy || arrival->says_for_whom)
        return ADDRESS_ADMITTED;
    return address_limits_enter(&net->addresses, &arrival->address,
                                net->config->max_connections_per_address, loop_now(&net->loop),
                                counted);
}
