/* A trouble that begins and ends, which the log says once when it begins and once when it is over, and not at each of
 * those who meet it. Any thread may note it. */
#ifndef ESN_TROUBLE_H
#define ESN_TROUBLE_H

#include <stdatomic.h>
#include <stdbool.h>

/* Zeroed: none. */
struct trouble {
    atomic_bool is_on;
};

enum trouble_change { TROUBLE_STAYS, TROUBLE_BEGINS, TROUBLE_ENDS };

/* Notes whether it is there now; what has changed by that is to be said. Of many threads one is told. */
static inline enum trouble_change trouble_note(struct trouble *trouble, bool is_there)
{
    if (atomic_exchange(&trouble->is_on, is_there) == is_there)
        return TROUBLE_STAYS;
    return is_there ? TROUBLE_BEGINS : TROUBLE_ENDS;
}

static inline bool trouble_is_on(const struct trouble *trouble)
{
    return atomic_load(&trouble->is_on);
}

#endif
