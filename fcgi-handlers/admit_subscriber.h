/* `POST /` behind a web server, from request to hand-off: who asks, the ticket, the way on. */
#ifndef ESN_ADMIT_SUBSCRIBER_H
#define ESN_ADMIT_SUBSCRIBER_H

#include "handler_request.h"
#include "subscribe_settings.h"

/* What the threads of a process share, and what each serves with. */
struct subscribe_shared;
struct subscribe_service;

/* NULL without memory. */
struct subscribe_shared *admit_subscriber_open(const struct subscribe_settings *settings);
void admit_subscriber_close(struct subscribe_shared **shared);

/* NULL, and said in the log, without memory or when the key file has gone meanwhile. */
struct subscribe_service *admit_subscriber_begin(const struct subscribe_settings *settings,
                                                 struct subscribe_shared *shared);
void admit_subscriber_end(struct subscribe_service **service);

/* Serves one request with exactly one answer. */
void admit_subscriber_handle(struct subscribe_service *service, struct handler_request *request);

#endif
