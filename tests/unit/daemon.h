/* The whole daemon inside a unit test, turned by hand: nothing happens between two turns, so what a
 * test sees does not depend on the clock. Clients are sockets of the test's own. */
#ifndef ESN_TEST_DAEMON_H
#define ESN_TEST_DAEMON_H

#include "server.h"

#include <stdbool.h>
#include <stddef.h>

struct daemon {
    struct server *server;
    char folder[64];
    char socket[96];  /* path of the HTTP socket */
    char lines[96];   /* path of the socket for lines */
    int port;         /* of 127.0.0.1, for HTTP */
    char events[112]; /* endpoints of the bus */
    char acks[112];
};

struct client {
    struct daemon *daemon;
    int descriptor; /* -1: closed by the test */
    char *text;     /* all that came, ended by NUL */
    size_t length, room;
    bool ended; /* the daemon has closed or reset it */
};

/* Starts it with lines for [fanout] of the configuration; asserts that it starts. */
void daemon_start(struct daemon *daemon, const char *fanout_lines);
/* One turn of the loop, without sleeping. */
void daemon_turn(struct daemon *daemon);
/* SIGTERM, then turns until it has ended; asserts that nothing is left of any stream. */
void daemon_stop(struct daemon *daemon);
/* Hands an event to its receivers; returns how many there were. */
uint32_t daemon_publish(struct daemon *daemon, const char *topic, const char *json);
/* Turns until it is true, at most half a minute; asserts that it became true. */
void daemon_turn_until(struct daemon *daemon, bool (*is_true)(void *), void *context);

void client_open(struct client *client, struct daemon *daemon);
/* At the socket for lines. */
void client_open_lines(struct client *client, struct daemon *daemon);
/* HTTP over TCP. */
void client_open_tcp(struct client *client, struct daemon *daemon);
/* Sends all, turning the daemon while the socket is full; false when the daemon closed it. */
bool client_send(struct client *client, const char *bytes, size_t length);
bool client_send_text(struct client *client, const char *text);
/* Sends a subscription with this JSON and waits for its first frame; returns its connection id. */
uint64_t client_subscribe(struct client *client, const char *json);
/* Takes what has come, without turning the daemon. */
void client_receive(struct client *client);
/* Turns the daemon until the text has come; asserts that it does. */
void client_expect(struct client *client, const char *text);
/* Turns the daemon until it closes the connection. */
void client_expect_end(struct client *client);
/* The next place of a text in what was received; NULL without one. It looks piece by piece, since
 * sanitizers look at all that strstr(3) and memmem(3) are given, each time. */
const char *client_find(const struct client *client, const char *from, const char *text);

bool client_has(const struct client *client, const char *text);
/* How often it has come. */
size_t client_count(const struct client *client, const char *text);
/* Forgets what has come so far. */
void client_forget(struct client *client);
void client_close(struct client *client);

#endif
