/* Listening sockets of our own: at addresses, and as files. */
#ifndef ESN_LISTEN_SOCKET_H
#define ESN_LISTEN_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum { LISTEN_ERROR_SIZE = 400, LISTEN_MOST = 16, LISTEN_NAME_SIZE = 128 };

/* What one configured address stands for. */
struct listen_sockets {
    int descriptors[LISTEN_MOST]; /* non-blocking; owned by whoever has the struct */
    size_t count;
};

struct listen_options {
    unsigned mode;    /* of a file */
    int backlog;      /* 0: the sockets are bound alone, and listen(2) is left to the caller */
    bool leaves_ipv4; /* "[::]:port" takes IPv4 too, unless another address beside it does */
};

/* Listens on "unix:PATH" (a file; one that nobody answers on any more is replaced), "host:port" or
 * "[ipv6]:port". A name stands for each of its addresses; those that this machine does not have are
 * passed over as long as one is left. False with a sentence in error; then nothing is open. */
bool listen_socket_open(struct listen_sockets *sockets, const char *address,
                        struct listen_options options, char error[LISTEN_ERROR_SIZE]);
void listen_socket_close(struct listen_sockets *sockets);
/* Removes the socket file, if the address has one. */
void listen_socket_remove(const char *address);

/* Where it listens, in the words of the configuration, with a numeric address. */
void listen_socket_name(int descriptor, char name[LISTEN_NAME_SIZE]);

/* The path of "unix:PATH", else NULL. */
const char *listen_socket_path(const char *address);
/* Whether somebody answers at a socket file. */
bool listen_socket_is_answered(const char *path);
/* Socket files made from here on have this mode; the answer is for umask(2), to undo it. Only while
 * no other thread makes files. */
mode_t listen_socket_mask(unsigned mode);

#endif
