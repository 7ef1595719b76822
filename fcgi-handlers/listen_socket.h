/* Listening sockets of the handlers' own. */
#ifndef ESN_LISTEN_SOCKET_H
#define ESN_LISTEN_SOCKET_H

enum { LISTEN_ERROR_SIZE = 256 };

/* Listens on "unix:PATH" (socket file of this mode; one that nobody answers on is replaced),
 * "host:port" or
 * "[ipv6]:port". The descriptor, or -1 with a sentence in error. */
int listen_socket_open(const char *address, unsigned mode, char error[LISTEN_ERROR_SIZE]);
/* Removes the socket file, if the address has one. */
void listen_socket_remove(const char *address);

#endif
