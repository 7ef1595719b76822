#include "requests/service.h"

#include "clock.h"
#include "net/connection.h"

struct service *service_of(const struct connection *connection)
{
    return connection->net->service;
}

/* Not the loop's clock, which stands still in a turn: what is signed while a turn lasts would seem
 * older than the start. */
struct ticket_gate_time service_ticket_time(const struct service *service)
{
    uint64_t wall_ms = clock_wall_ms();

    return (struct ticket_gate_time){.wall_ms = wall_ms,
                                     .open_ms = uv_hrtime() / 1000000 - service->started_at_ms};
}
