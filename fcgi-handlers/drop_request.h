/* The body of `POST /drop`: bytes in, whose streams are to end out, or what is wrong. Pure. */
#ifndef ESN_DROP_REQUEST_H
#define ESN_DROP_REQUEST_H

#include "config/config.h"
#include "drop.h"
#include "publish_request.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>

struct drop_request {
    struct drop drop; /* its name is in user, or in json */
    char user[USER_ID_SIZE];
    struct json_t *json;
};

/* False with *fault set. The caller frees, either way. */
bool drop_request_parse(struct drop_request *request, const char *body, size_t length,
                        const struct config *config, struct publish_fault *fault);
void drop_request_free(struct drop_request *request);

#endif
