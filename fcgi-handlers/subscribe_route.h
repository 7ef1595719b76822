/* What a request to esn-subscribe asks for, by its path and method: a stream of some transport, a
 * ticket, or a renewal. Pure. */
#ifndef ESN_SUBSCRIBE_ROUTE_H
#define ESN_SUBSCRIBE_ROUTE_H

#include <stdbool.h>

enum subscribe_purpose {
    SUBSCRIBE_STREAM, /* of a transport of the daemon's */
    SUBSCRIBE_TICKET, /* the ticket alone, for a transport that follows no redirection */
    SUBSCRIBE_TOKEN,  /* access and refresh tokens */
    SUBSCRIBE_ALIVE   /* belongs to the daemon */
};

struct subscribe_route {
    enum subscribe_purpose purpose;
    const char *path; /* the daemon's, without its first "/" */
    bool takes_body;  /* the subscription may be the body of a POST */
    bool takes_query; /* it may stand in the query of a GET */
    bool redirects;   /* its clients follow a redirection */
};

/* uri: REQUEST_URI, of which the last part of the path counts; NULL counts as "/". */
const struct subscribe_route *subscribe_route_of(const char *uri);

#endif
