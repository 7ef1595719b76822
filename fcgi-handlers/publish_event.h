/* `POST /event` from request to answer: who asks, what is published, what the daemon said. */
#ifndef ESN_PUBLISH_EVENT_H
#define ESN_PUBLISH_EVENT_H

#include "event_settings.h"
#include "handler_request.h"

struct publish_service {
    const struct event_settings *settings;
    struct bus_publisher *bus; /* NULL until publish_event_connect() or the first event */
    bool trouble;              /* the log says that events are not acknowledged */
};

/* Opens the bus, so that it is ready before the first request. False (and logged) when it cannot;
 * each event tries again. */
bool publish_event_connect(struct publish_service *service);
void publish_event_disconnect(struct publish_service *service);

/* Serves one request with exactly one answer. */
void publish_event_handle(struct publish_service *service, struct handler_request *request);

#endif
