/* A program that was started by the one before it, whose sockets and state it takes over
 * (docs/upgrade.md). */
#ifndef ESN_HEIR_H
#define ESN_HEIR_H

#include "saved_state.h"
#include "upgrade/channel.h"

#include <stdbool.h>
#include <stddef.h>

#define HEIR_VARIABLE "ESN_UPGRADE"

struct heir {
    int channel;
    struct saved_state state; /* once received; borrowed from `bytes` */
    void *bytes;
    size_t length;
    int *descriptors;    /* owned until taken, as their texts say */
    size_t count, taken; /* taken: of the first ones, by whoever counts that */
};

/* Looks into the environment, and clears what is there. NULL: nobody hands over anything. */
struct heir *heir_open(void);
/* Says that it could read the state, and waits for it; `take` gets what comes ahead of it, and says false
 * when that is not as it should be, or without memory. False with a sentence in error. */
bool heir_receive(struct heir *heir, bool (*take)(void *context, struct saved_reader *reader),
                  void *context, char error[CHANNEL_ERROR_SIZE]);
/* Says that it could serve; true: it is to, and the other one does nothing any more. False with a
 * sentence in error. */
bool heir_finish(struct heir *heir, char error[CHANNEL_ERROR_SIZE]);
/* Says why it does not take over: the other one serves on. Harmless on NULL. */
void heir_refuse(struct heir *heir, const char *why);
void heir_free(struct heir **heir);

#endif
