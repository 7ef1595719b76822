/* An answer that takes its time on a slow line is not cut off while the client reads it, however
 * long that takes; one that nobody reads is. No clock: deadlines are called by hand. */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/connection.h"

enum { ANSWER_SIZE = 900000, DEADLINES = 8, PIECE = 65536 };

static void find_slow(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle), **found = context;

    if (connection != NULL && !uv_is_closing(handle) && connection->backlog != NULL)
        *found = connection;
}

static struct connection *slow_one(struct daemon *daemon)
{
    struct connection *found = NULL;

    uv_walk(&daemon->server->net.loop.uv, find_slow, &found);
    return found;
}

static bool somebody_is_slow(void *context)
{
    return slow_one(context) != NULL;
}

static void read_piece(const struct client *client)
{
    static char piece[PIECE];

    for (size_t length = 0; length < sizeof piece;) {
        ssize_t got = recv(client->descriptor, piece, sizeof piece - length, 0);
        if (got <= 0)
            return;
        length += (size_t)got;
    }
}

/* The client has asked for an answer larger than what the system keeps. */
static void check_answer(struct daemon *daemon, const struct client *client)
{
    uint64_t closed = daemon->server->net.counters.closed[CLOSE_SLOW];

    daemon_turn_until(daemon, somebody_is_slow, daemon);
    for (int i = 0; i < DEADLINES; i++) {
        read_piece(client);
        daemon_turn(daemon);
        daemon_turn_until(daemon, somebody_is_slow, daemon); /* with the next piece, perhaps */
        struct connection *connection = slow_one(daemon);
        assert_non_null(connection);
        connection_on_deadline(&connection->deadline, NULL);
        assert_int_equal(daemon->server->net.counters.closed[CLOSE_SLOW], closed);
    }
    daemon_turn(daemon);
    struct connection *connection = slow_one(daemon);
    assert_non_null(connection);
    connection_on_deadline(&connection->deadline, NULL);
    assert_int_equal(daemon->server->net.counters.closed[CLOSE_SLOW], closed + 1);
}

static void an_answer_to_a_poll(void **state)
{
    struct daemon daemon;
    struct client client;
    char *json = malloc(ANSWER_SIZE + 64);

    (void)state;
    assert_non_null(json);
    daemon_start(&daemon, "");
    (void)snprintf(json, ANSWER_SIZE + 64, "{\"type\":\"large\",\"detail\":\"%0*u\"}", ANSWER_SIZE,
                   0U);
    (void)daemon_publish(&daemon, "a", json);
    client_open(&client, &daemon);
    assert_true(client_send_text(&client,
                                 "POST /poll HTTP/1.1\r\nHost: h\r\nContent-Length: 28\r\n\r\n"
                                 "{\"ep\":[\"a\"],\"last_id\":\"0-0\"}"));
    check_answer(&daemon, &client);
    client_close(&client);
    daemon_stop(&daemon);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_a_poll),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
