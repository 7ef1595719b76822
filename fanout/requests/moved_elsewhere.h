/* A client came back to another daemon as a stream that it had here: what is left of that ends. */
#ifndef ESN_MOVED_ELSEWHERE_H
#define ESN_MOVED_ELSEWHERE_H

#include <stdint.h>

struct service;

/* least: the generation of the secret that it showed there, or MOVED_STREAM_NONE: it comes back to nobody. Not while
 * topics are walked. */
void moved_elsewhere_note(struct service *service, uint64_t connid, uint32_t least, unsigned node);

#endif
