#include "bus_call.h"

#include "bus/bus_config.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Says what is wrong with the sockets of this machine, when that is why nobody answered. */
static void explain_sockets(char *const *endpoints)
{
    for (; *endpoints != NULL; endpoints++) {
        if (strncmp(*endpoints, "ipc://", 6) == 0 && access(*endpoints + 6, R_OK | W_OK) != 0)
            (void)fprintf(stderr, "esnctl: %s: %m\n", *endpoints + 6);
    }
}

void bus_call_explain(const struct config *config)
{
    if (config->bus_engine == CONFIG_BUS_REDIS)
        return;
    explain_sockets(config->bus_events);
    explain_sockets(config->bus_acks);
}

static int send_one(const struct config *config, struct bus_publisher *publisher,
                    struct bus_event *event)
{
    unsigned limit = (unsigned)config->publish_time;
    if (bus_publish(publisher, event, 1, limit, limit))
        return COMMAND_GOOD;
    if (event->acknowledged)
        return COMMAND_GOOD;
    if (config->bus_engine == CONFIG_BUS_REDIS)
        return command_fail("Redis did not take it within %u ms: %s", limit,
                            bus_publisher_trouble(publisher));
    bus_call_explain(config);
    return command_fail("no daemon took it within %u ms; does esn-fanout run, on the endpoints of "
                        "[bus]?",
                        limit);
}

int bus_call(const struct config *config, struct bus_event *event)
{
    struct bus_config bus;
    char error[BUS_ERROR_SIZE];
    if (!bus_config_load(&bus, config, BUS_HANDLER, error))
        return command_fail("%s", error);
    struct bus_publisher *publisher = bus_publisher_open(&bus.options, error);
    int status = publisher != NULL ? send_one(config, publisher, event) : command_fail("%s", error);
    bus_publisher_close(&publisher);
    bus_config_free(&bus);
    return status;
}
