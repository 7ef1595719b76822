/* Streams without sockets that listen, bus and disk: what serves clients, put together by hand, with
 * transports of the test's own. */
#ifndef ESN_TEST_SERVICE_SCENE_H
#define ESN_TEST_SERVICE_SCENE_H

#include "config/config.h"
#include "events/delivery.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "net/net.h"
#include "requests/leaving.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"

#include <stdbool.h>
#include <stddef.h>

struct service_scene {
    struct config config;
    struct net net;
    struct streams streams;
    struct event_log log;
    struct delivery delivery;
    struct replay_queue replays;
    struct leaving_streams leaving;
    struct service service;
    uv_check_t after_sleep;
};

/* Frames are "<JSON>\n", in two encodings that differ in their tails alone. Ends with "end\n". */
extern const struct transport scene_transport, scene_other_transport;
/* Answers once, as long-poll does. */
extern const struct transport scene_poll;

void service_scene_open(struct service_scene *scene);
/* Closes what is left; asserts that nothing of any stream is held any more. */
void service_scene_close(struct service_scene *scene);
/* Writes what is queued, one turn of the loop without sleeping, gives slices to those that catch up,
 * and writes again. */
void service_scene_turn(struct service_scene *scene);
/* A connection that waits for a request, at one end of a socket pair; *peer is the other one. */
struct connection *service_scene_connect(struct service_scene *scene, int *peer);
/* What has come to the other end, ended by NUL, without waiting; until the next call. */
const char *service_scene_take(int peer);
/* Publishes; returns how many connections have it. */
uint32_t service_scene_publish(struct service_scene *scene, const char *topic, const char *json);

#endif
