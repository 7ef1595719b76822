/* Numbered events in the log of a daemon, and what a client was given of them. */
#ifndef ESN_TEST_REPLAY_SCENE_H
#define ESN_TEST_REPLAY_SCENE_H

#include "daemon.h"

#include <stddef.h>
#include <stdint.h>

/* Gives how many heard it. */
uint32_t replay_whisper(struct daemon *daemon, uint64_t connid, const char *topic);
/* A numbered event of so many bytes and some more. */
void replay_publish(struct daemon *daemon, const char *topic, unsigned number, unsigned size);
/* Asserts that the numbers go up by one, and that there are so many; gives the last one. */
unsigned replay_check(const struct client *client, unsigned first, size_t at_least);
/* A topic of so many levels, of which each but the last is one of a few. */
void replay_deep_topic(char *topic, unsigned number, unsigned levels);

#endif
