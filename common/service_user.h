/* The users that the services run as: what root may read says nothing about what they may. */
#ifndef ESN_SERVICE_USER_H
#define ESN_SERVICE_USER_H

#include <stdbool.h>

enum { SERVICE_USER_ERROR_SIZE = 256 };

/* Turns root into the user of a service, for good, with its groups, when there is one: it has the
 * program's name (deploy/sysusers). A process that is not root stays what it is. False with a
 * sentence in error. */
bool service_user_become(const char *program, char error[SERVICE_USER_ERROR_SIZE]);
/* Becomes this user whatever it was; false also when there is none, or this process may not. */
bool service_user_become_named(const char *name, char error[SERVICE_USER_ERROR_SIZE]);
/* The name of the user that this process runs as; lives until the next call. */
const char *service_user_current(void);

#endif
