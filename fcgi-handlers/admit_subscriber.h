/* `POST /` behind a web server, from request to hand-off: who asks, the ticket, the way on. */
#ifndef ESN_ADMIT_SUBSCRIBER_H
#define ESN_ADMIT_SUBSCRIBER_H

#include "handler_main.h"

/* Settings: struct subscribe_settings. */
extern const struct handler_service admit_subscriber_service;

#endif
