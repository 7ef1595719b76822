#include "net/net.h"

#include "messages.h"
#include "net/send_batch.h"

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
    int error = loop_open(&net->loop);
    if (error)
        return error;
    deadlines_start(&net->deadlines, loop_now(&net->loop));
    net->deadlines.has_time = has_time;
    net->deadlines.time_context = net;
    return 0;
}

void net_close(struct net *net)
{
    send_batch_close(&net->writes.batch);
    free(net->writes.marked);
    net->writes = (struct write_queue){0};
    frame_pool_close(&net->frames);
    address_limits_free(&net->addresses);
    if (uv_loop_close(&net->loop.uv) != 0)
        message_error("the event loop still holds handles");
}
