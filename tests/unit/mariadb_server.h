/* A MariaDB of a test's own: data, sockets and certificates in a folder under /tmp, run as an
 * ordinary user. */
#ifndef ESN_TEST_MARIADB_SERVER_H
#define ESN_TEST_MARIADB_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct mariadb_server {
    char folder[64];
    char socket[96];
    char ca[96]; /* PEM file of the authority that signed the server's certificate for 127.0.0.1 */
    char other_ca[96];  /* PEM file of another one */
    unsigned port;      /* on 127.0.0.1 */
    const char *option; /* one more of mariadbd's, from the next start on; NULL: none */
    pid_t pid;          /* 0: not running */
};

/* Makes the data folder and the certificates. Ends the test program with a message when it cannot.
 */
void mariadb_server_create(struct mariadb_server *server);
/* Starts it and waits until it listens; without TLS when `tls` is false. */
void mariadb_server_start(struct mariadb_server *server, bool tls);
/* Sends the signal and waits until the server has ended. */
void mariadb_server_stop(struct mariadb_server *server, int signal);
/* Stops it if it runs, and removes the folder. */
void mariadb_server_remove(struct mariadb_server *server);

#endif
