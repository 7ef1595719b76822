/* Which of the topics that somebody subscribes to was meant for another one: the usual slips. Pure. */
#ifndef ESN_NEAR_TOPIC_H
#define ESN_NEAR_TOPIC_H

#include <stddef.h>

enum near_topic {
    NEAR_NOT,
    NEAR_LETTERS, /* a letter or two apart, or one swap */
    NEAR_LEVELS,  /* the beginning of it or beyond it: it would take `#` or `+` */
    NEAR_SLASH,   /* but for slashes at an end, or two where one stands */
    NEAR_CASE     /* but for capital letters */
};

/* How near `requested`, which does not match it, is to `emitted`; the greatest that applies. */
enum near_topic near_topic_is(const char *requested, size_t requested_length, const char *emitted,
                              size_t emitted_length);
/* A few words for it; "" for NEAR_NOT. */
const char *near_topic_words(enum near_topic near);

#endif
