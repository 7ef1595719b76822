/* Who makes most of the work at present, for /state: the busiest topics, and the slowest clients. */
#ifndef ESN_BUSIEST_H
#define ESN_BUSIEST_H

#include <jansson.h>

struct service;

/* New references; NULL without memory. */
json_t *busiest_topics(const struct service *service);
json_t *slowest_streams(const struct service *service);

#endif
