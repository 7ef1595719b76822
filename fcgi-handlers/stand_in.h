/* What is said in the daemon's place, when the web server asked it for a stream and it is away:
 * Apache's ErrorDocument leads to esn-subscribe then. */
#ifndef ESN_STAND_IN_H
#define ESN_STAND_IN_H

#include "config/config.h"
#include "handler_request.h"

#include <stdbool.h>

/* True when the request stands for one that ended with 502, 503 or 504 (REDIRECT_STATUS, which no
 * client can set); it has been answered. Who accepts an event stream gets an empty one with the
 * time after which to come back, since EventSource is closed for good by any other status than 200
 * (HTML standard, section 9.2.3); others 503 and Retry-After. */
bool stand_in_answer(struct handler_request *request, const struct config *config);

#endif
