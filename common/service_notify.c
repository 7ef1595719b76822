#include "service_notify.h"

#include "messages.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_state(const char *path, const char *state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof name.sun_path)
        return ENAMETOOLONG;
    memcpy(name.sun_path, path, length);
    if (path[0] == '@') /* of the abstract namespace, unix(7) */
        name.sun_path[0] = '\0';
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return errno;
    ssize_t sent =
        sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&name,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    int error = sent < 0 ? errno : 0;
    (void)close(descriptor);
    return error;
}

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || *path == '\0')
        return;
    int error = send_state(path, state);
    if (error != 0)
        message_warning("cannot tell the service manager", message_text("state", state),
                        message_error_code(error));
}
