/* `POST /event` from request to answer: who asks, what is published, what the daemon said. */
#ifndef ESN_PUBLISH_EVENT_H
#define ESN_PUBLISH_EVENT_H

#include "event_settings.h"
#include "handler_request.h"
#include "publish_queue.h"

/* What one thread serves with. */
struct publish_service {
    const struct event_settings *settings;
    struct publish_queue *queue; /* shared by the threads of a process */
};

/* Serves one request with exactly one answer. */
void publish_event_handle(struct publish_service *service, struct handler_request *request);

#endif
