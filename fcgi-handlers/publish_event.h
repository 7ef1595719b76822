/* `POST /event` from request to answer: who asks, what is published, what the daemon said. */
#ifndef ESN_PUBLISH_EVENT_H
#define ESN_PUBLISH_EVENT_H

#include "event_settings.h"
#include "handler_request.h"

/* What the threads of a process publish with together, and each by itself. */
struct publish_shared;
struct publish_service;

/* `connect`: open the bus now, so that it is ready before the first request; else the first event
 * does. A bus that cannot be opened is logged, and each event tries again. NULL without memory. */
struct publish_shared *publish_event_open(const struct event_settings *settings, bool connect);
void publish_event_close(struct publish_shared **shared);

/* NULL, and said in the log, without memory or when the key file has gone meanwhile. */
struct publish_service *publish_event_begin(const struct event_settings *settings,
                                            struct publish_shared *shared);
void publish_event_end(struct publish_service **service);

/* Serves one request with exactly one answer. */
void publish_event_handle(struct publish_service *service, struct handler_request *request);

#endif
