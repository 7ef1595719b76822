/* The user that the services run as: what root may read says nothing about what they may. */
#ifndef ESN_SERVICE_USER_H
#define ESN_SERVICE_USER_H

#include <stdbool.h>

/* Of the units (deploy/systemd) and docs/install.md. */
#define SERVICE_USER "es-web-notify"

enum { SERVICE_USER_ERROR_SIZE = 256 };

/* Turns root into this user, for good, with its groups; NULL: into SERVICE_USER, when there is one.
 * A process that is not root stays what it is, unless a name is given. False with a sentence in
 * error. */
bool service_user_become(const char *name, char error[SERVICE_USER_ERROR_SIZE]);
/* Whether this process runs as SERVICE_USER. */
bool service_user_is_current(void);
/* The name of the user that this process runs as; lives until the next call. */
const char *service_user_current(void);

#endif
