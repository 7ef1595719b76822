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

/* Reads a request, which is kept until it is answered, or refuses it and finishes it. True: up to
 * PUBLISH_TOGETHER may be taken before they are answered; false: what this one asks for takes its
 * time, and the others should not have to wait for it. */
enum { PUBLISH_TOGETHER = 16 };
bool publish_event_take(struct publish_service *service, struct handler_request *request);
/* Publishes what the requests that were taken ask for, in one go, gives each exactly one answer and
 * finishes it. One that takes its time comes after the others. */
void publish_event_answer(struct publish_service *service);

#endif
