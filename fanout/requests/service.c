#include "requests/service.h"

#include "clock.h"
#include "net/connection.h"

struct service *service_of(const struct connection *connection)
{
    return connection->net->service;
}

struct ticket_gate_time service_ticket_time(const struct service *service)
{
    return (struct ticket_gate_time){.wall_ms = clock_wall_ms(),
                                     .open_ms =
                                         loop_now(&service->net->loop) - service->started_at_ms};
}
