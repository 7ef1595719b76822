/* The id of the newest event (docs/protocol.md section 3), from which a page goes on that was
 * rendered by what its backend knew. */
#ifndef ESN_PUBLISH_POSITION_H
#define ESN_PUBLISH_POSITION_H

#include "handler_request.h"
#include "publish_queue.h"

/* Asks the daemon and answers. */
void publish_position_answer(struct handler_request *request, struct publish_queue *queue);

#endif
