#include "authorise_point.h"

/* An entry token lets its holder publish to every topic that is not bound. Published without its
 * ties, a bound or targeted event would reach people who must not hear it, so it is refused as a
 * whole. */
bool authorise_point(const struct publish_point *point, struct publish_fault *fault)
{
    if (!point->bound && !point->targeted)
        return true;
    *fault = (struct publish_fault){.status = 400, .reason = "Bound topics are not configured"};
    return false;
}
