/* `POST /event` from request to answer: who asks, what is published, what the daemon said. */
#ifndef ESN_PUBLISH_EVENT_H
#define ESN_PUBLISH_EVENT_H

#include "handler_main.h"

/* Publishes what the requests that were taken ask for, in one go; one that takes its time comes
 * after the others. The bus is opened before the first request when more than one will be served;
 * one that cannot be opened is logged, and each event tries again. Settings: struct event_settings.
 */
extern const struct handler_service publish_event_service;

#endif
