#include "replay_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

uint32_t replay_whisper(struct daemon *daemon, uint64_t connid, const char *topic)
{
    struct event event = {.topic = topic,
                          .topic_length = strlen(topic),
                          .json = "{\"type\":\"whisper\"}",
                          .json_length = 18,
                          .whisper = connid};
    uint32_t receivers;

    assert_true(delivery_publish(&daemon->server->delivery, &event, &receivers));
    return receivers;
}

/* An event on a topic of its own kind, numbered and of so many bytes. */
void replay_publish(struct daemon *daemon, const char *topic, unsigned number, unsigned size)
{
    char json[4200];

    assert_true(size < sizeof json - 100);
    (void)snprintf(json, sizeof json, "{\"type\":\"n\",\"detail\":[%u,\"%0*u\"]}", number,
                   (int)size, 0U);
    (void)daemon_publish(daemon, topic, json);
}

/* Numbers go up by one, from whichever; gives the last one. */
unsigned replay_check(const struct client *client, unsigned first, size_t at_least)
{
    static const char name[] = "\"type\":\"n\",\"detail\":[";
    const char *at = client->text;
    size_t found = 0;

    /* Not strtoul(3) either. */
    for (; (at = client_find(client, at, name)) != NULL; found++) {
        unsigned number = 0;
        for (at += sizeof name - 1; *at >= '0' && *at <= '9'; at++)
            number = number * 10 + (unsigned)(*at - '0');
        assert_int_equal(number, first + found);
    }
    assert_true(found >= at_least);
    return first + (unsigned)found - 1;
}

/* A topic of so many levels, of which each but the last is one of a few. */
void replay_deep_topic(char *topic, unsigned number, unsigned levels)
{
    int length = 0;

    for (unsigned level = 0; level < levels; level++)
        length += snprintf(topic + length, 16, "%u/", (number >> level) % 4);
    (void)snprintf(topic + length, 16, "%u", number);
}
