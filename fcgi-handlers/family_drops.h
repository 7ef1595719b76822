/* Tells the daemon that a family of tokens has ended: its streams end, and its access tokens of
 * before are refused for as long as one of them could be good. One for all threads of a process. */
#ifndef ESN_FAMILY_DROPS_H
#define ESN_FAMILY_DROPS_H

#include "subscribe_settings.h"

struct family_drops;

/* Opens the bus with the first drop. Settings outlive it. NULL without memory. */
struct family_drops *family_drops_open(const struct subscribe_settings *settings);
void family_drops_close(struct family_drops **drops);
/* Waits for the daemon as long as [publish] time_limit; one that does not take it is said in the
 * log. */
void family_drops_send(struct family_drops *drops, const char *sid);

#endif
