/* The doorbell: applications send a datagram after COMMIT, whose content is nobody's business. It
 * only ends a wait, so that a stranger who rings has the table looked at, no more often than the
 * shortest pause between two looks allows. */
#ifndef ESN_DOORBELL_H
#define ESN_DOORBELL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { DOORBELL_ERROR_SIZE = 400 };

struct doorbell {
    int descriptor; /* -1: there is none, or it is somebody else's */
    char *path;     /* of a socket file of our own; NULL: none */
};

/* On descriptor 0 when that is a datagram socket (systemd); else at "unix:PATH" (a file of this
 * mode) or "host:port"; else, with NULL, nowhere. One that somebody else has, as a worker beside this
 * one, is not opened. False with a sentence in error. */
bool doorbell_open(struct doorbell *doorbell, const char *address, unsigned mode,
                   char error[DOORBELL_ERROR_SIZE]);
void doorbell_close(struct doorbell *doorbell);

/* Waits so many milliseconds, or until somebody rings, unless `deaf`, or a signal comes that
 * `waiting` lets through. True: somebody rang; all rings until now are taken. */
bool doorbell_wait(struct doorbell *doorbell, uint64_t wait_ms, bool deaf, const sigset_t *waiting);

#endif
