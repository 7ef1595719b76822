/* Whether one event point of a post may be published: the only place that decides it. */
#ifndef ESN_AUTHORISE_POINT_H
#define ESN_AUTHORISE_POINT_H

#include "publish_request.h"

/* False with *fault set: the whole post is refused. */
bool authorise_point(const struct publish_point *point, struct publish_fault *fault);

#endif
