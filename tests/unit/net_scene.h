/* Connections by themselves: a loop, what they share, and users of the test's own at socket pairs.
 * Nothing happens between two turns. */
#ifndef ESN_TEST_NET_SCENE_H
#define ESN_TEST_NET_SCENE_H

#include "config/config.h"
#include "net/connection.h"
#include "net/net.h"

#include <stdbool.h>
#include <stddef.h>

struct net_scene {
    struct config config;
    struct net net;
    uv_check_t after_sleep;
    bool leaves_put_off; /* whom a turn had no time for is left to the test */
};

/* What a connection's user was told, and what it is to say. */
struct scene_client {
    int peer;       /* the other end; owned by the test */
    char text[256]; /* input, as much as fits */
    size_t length;  /* of all input */
    unsigned inputs, dues, drains, stops, lefts;
    uint64_t deadline;
    bool holds_back;  /* before_write says no */
    bool goes_silent; /* when it is due it is closed */
    struct connection connection;
};

/* With the defaults of the configuration. */
void net_scene_open(struct net_scene *scene);
/* Closes what is left, and asserts that nothing is held any more. */
void net_scene_close(struct net_scene *scene);
/* Writes what is queued, one turn of the loop without sleeping (others, while somebody could not be
 * read in it), and writes again. */
void net_scene_turn(struct net_scene *scene);
/* Turns until it is true, at most half a minute; asserts that it became true. */
void net_scene_turn_until(struct net_scene *scene, bool (*is_true)(void *), void *context);

/* A connection in this state at one end of a socket pair. The client is freed with it: count what
 * it was told in a copy when that matters. */
struct scene_client *net_scene_connect(struct net_scene *scene, enum connection_state state);
struct scene_client *scene_client_of(struct connection *connection);
void scene_client_send(const struct scene_client *client, const char *text);
/* Takes what has come to the other end, without waiting; its length. *ended: the end has come, too.
 */
size_t scene_client_take(int peer, char *text, size_t size, bool *ended);

/* Of all clients together, also of those that are freed. */
extern struct scene_totals {
    unsigned dues, drains, stops, lefts;
} scene_totals;

#endif
