/* Connections by TLS that are written together: what is queued is sealed for each and sent in one
 * system call, with OpenSSL's own clients at the other ends. */
#include "failing_memory.h"
#include "failing_sockets.h"
#include "net_scene.h"
#include "tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/send_batch.h"
#include "net/tls_memory.h"
#include "net/tls_session.h"

enum { MOST = SEND_BATCH_MOST + 6, TEXT = 1 << 20 };

struct listener {
    struct scene_client *client; /* gone when its connection is */
    SSL *ssl;
    int peer;
    char *heard;
    size_t length;
    unsigned records; /* that brought it */
};

struct crowd {
    struct tls_pair pair;
    struct net_scene scene;
    SSL_CTX *rules;
    struct listener listeners[MOST];
    size_t count;
};

/* Takes what has come, without waiting. */
static void hear(struct listener *listener)
{
    int got;

    ERR_clear_error();
    while (listener->length < TEXT &&
           (got = SSL_read(listener->ssl, listener->heard + listener->length,
                           (int)(TEXT - listener->length))) > 0) {
        listener->length += (size_t)got;
        listener->records++;
    }
    ERR_clear_error();
}

static void shake_hands(struct crowd *crowd, struct listener *listener)
{
    listener->ssl = SSL_new(crowd->rules);
    assert_non_null(listener->ssl);
    assert_int_equal(SSL_set_fd(listener->ssl, listener->peer), 1);
    SSL_set_connect_state(listener->ssl);
    const struct tls_session *session = connection_tls(&listener->client->connection);
    for (int i = 0; i < 10 && !session->is_ready; i++) {
        (void)SSL_do_handshake(listener->ssl);
        net_scene_turn(&crowd->scene);
    }
    assert_true(session->is_ready);
    hear(listener); /* its ticket */
    assert_int_equal(listener->length, 0);
}

static void crowd_open(struct crowd *crowd, size_t count, bool in_batches)
{
    memset(crowd, 0, sizeof *crowd);
    net_scene_open(&crowd->scene);
    tls_pair_make(&crowd->pair);
    crowd->scene.net.tls = tls_pair_open(&crowd->pair);
    crowd->scene.config.max_pending = crowd->scene.config.max_pending_soft = 1 << 24;
    crowd->rules = SSL_CTX_new(TLS_client_method());
    assert_non_null(crowd->rules);
    crowd->count = count;
    for (size_t i = 0; i < count; i++) {
        struct listener *listener = &crowd->listeners[i];
        listener->client = net_scene_connect(&crowd->scene, CONNECTION_STREAMING);
        listener->peer = listener->client->peer;
        assert_true(connection_secure(&listener->client->connection));
        listener->heard = malloc(TEXT);
        assert_non_null(listener->heard);
        shake_hands(crowd, listener);
    }
    if (!in_batches)
        return;
    crowd->scene.net.writes.batch = send_batch_open();
    if (crowd->scene.net.writes.batch == NULL)
        fail_msg("no io_uring: %s (kernel.io_uring_disabled, or a container's rules)",
                 strerror(errno));
}

static void crowd_close(struct crowd *crowd)
{
    net_scene_close(&crowd->scene);
    for (size_t i = 0; i < crowd->count; i++) {
        SSL_free(crowd->listeners[i].ssl);
        assert_int_equal(close(crowd->listeners[i].peer), 0);
        free(crowd->listeners[i].heard);
    }
    SSL_CTX_free(crowd->rules);
    tls_pair_remove(&crowd->pair);
}

static size_t batched(const struct crowd *crowd)
{
    return tls_context_batch(crowd->scene.net.tls)->used;
}

static bool queue(struct listener *listener, const char *text, size_t length)
{
    return connection_queue_bytes(&listener->client->connection, text, length);
}

static void expect(struct listener *listener, const char *wanted, size_t length)
{
    hear(listener);
    assert_int_equal(listener->length, length);
    assert_memory_equal(listener->heard, wanted, length);
}

static void each_hears_its_own(bool in_batches)
{
    static struct crowd crowd;
    char texts[MOST][16];

    crowd_open(&crowd, MOST, in_batches);
    for (size_t i = 0; i < MOST; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "to %zu", i);
        assert_true(queue(&crowd.listeners[i], texts[i], strlen(texts[i])));
    }
    assert_true(connection_flush_some(&crowd.scene.net));
    size_t of_first = batched(&crowd);
    assert_true(of_first > 0);
    expect(&crowd.listeners[MOST - 1], "", 0);
    assert_false(connection_flush_some(&crowd.scene.net));
    assert_true(batched(&crowd) < of_first); /* it is begun anew */
    for (size_t i = 0; i < MOST; i++) {
        expect(&crowd.listeners[i], texts[i], strlen(texts[i]));
        assert_int_equal(crowd.listeners[i].client->drains, 1);
    }
    crowd_close(&crowd);
}

static void many_are_sealed_together_and_sent_in_batches(void **state)
{
    (void)state;
    each_hears_its_own(true);
}

static void many_are_sealed_together_and_sent_one_by_one(void **state)
{
    (void)state;
    each_hears_its_own(false);
}

/* Ranges of several segments. */
static void what_is_short_makes_one_record(void **state)
{
    enum { COUNT = 5 };
    static struct crowd crowd;
    struct frame shared;

    (void)state;
    crowd_open(&crowd, COUNT, true);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(queue(&crowd.listeners[i], "one ", 4));
        assert_true(
            frame_store(&crowd.scene.net.frames, FRAME_LINES, "two ", 4, "", 0, "", 0, &shared));
        assert_true(connection_queue(&crowd.listeners[i].client->connection, &shared));
        assert_true(queue(&crowd.listeners[i], "three", 5));
        assert_non_null(crowd.listeners[i].client->connection.output.rest);
    }
    net_scene_turn(&crowd.scene);
    assert_true(batched(&crowd) > 0);
    for (size_t i = 0; i < COUNT; i++) {
        expect(&crowd.listeners[i], "one two three", 13);
        assert_int_equal(crowd.listeners[i].records, 1);
    }
    crowd_close(&crowd);
}

/* The batch has room for some of them, and one has more than a record to hear. */
static void what_is_long_goes_beside_the_batch(void **state)
{
    enum { COUNT = 12, LONGEST = 3 * TLS_RECORD };
    static struct crowd crowd;
    static char text[LONGEST];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 >> 3);
    crowd_open(&crowd, COUNT, true);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(queue(&crowd.listeners[i], text, i == 1 ? LONGEST : TLS_RECORD));
    net_scene_turn(&crowd.scene);
    assert_in_range(batched(&crowd), TLS_BATCH / 2, TLS_BATCH);
    for (size_t i = 0; i < COUNT; i++)
        expect(&crowd.listeners[i], text, i == 1 ? LONGEST : TLS_RECORD);
    crowd_close(&crowd);
}

struct hearing {
    struct crowd *crowd;
    size_t wanted;
};

static bool have_heard_all(void *context)
{
    const struct hearing *hearing = context;
    bool all = true;

    for (size_t i = 0; i < hearing->crowd->count; i++) {
        hear(&hearing->crowd->listeners[i]);
        all = all && hearing->crowd->listeners[i].length >= hearing->wanted;
    }
    return all;
}

/* Until each socket is full, and a little more: that comes too, whole and in order. */
static void fill_sockets(size_t count)
{
    enum { PIECE = 1000 };
    static struct crowd crowd;
    static char text[TEXT];
    size_t length = 0;
    unsigned beyond = 0;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 >> 3);
    crowd_open(&crowd, count, true);
    while (beyond < 3 && length + PIECE <= sizeof text) {
        for (size_t i = 0; i < count; i++)
            assert_true(queue(&crowd.listeners[i], text + length, PIECE));
        length += PIECE;
        net_scene_turn(&crowd.scene);
        beyond += crowd.scene.net.backlogs == count;
    }
    assert_int_equal(crowd.scene.net.backlogs, count);
    struct hearing hearing = {&crowd, length};
    net_scene_turn_until(&crowd.scene, have_heard_all, &hearing);
    for (size_t i = 0; i < count; i++)
        expect(&crowd.listeners[i], text, length);
    net_scene_turn(&crowd.scene);
    assert_int_equal(crowd.scene.net.backlogs, 0);
    crowd_close(&crowd);
}

static void what_a_socket_does_not_take_comes_later(void **state)
{
    (void)state;
    fill_sockets(6);
    fill_sockets(1); /* which is no batch */
}

/* A client may ask for new keys (RFC 8446, section 4.6.3): the answer goes before what is sealed
 * with ours. The end of it all is said, too. */
static void an_answer_of_the_library_goes_along(void **state)
{
    enum { COUNT = 5 };
    static struct crowd crowd;

    (void)state;
    crowd_open(&crowd, COUNT, true);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(SSL_key_update(crowd.listeners[i].ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(crowd.listeners[i].ssl, "?", 1), 1);
    }
    net_scene_turn(&crowd.scene);
    for (int event = 0; event < 2; event++) {
        for (size_t i = 0; i < COUNT; i++)
            assert_true(queue(&crowd.listeners[i], "new", 3));
        net_scene_turn(&crowd.scene);
    }
    for (size_t i = 0; i < COUNT; i++)
        expect(&crowd.listeners[i], "newnew", 6);
    for (size_t i = 0; i < COUNT; i++)
        connection_end_writing(&crowd.listeners[i].client->connection, CLOSE_STREAM_TIME);
    net_scene_turn(&crowd.scene);
    for (size_t i = 0; i < COUNT; i++) {
        hear(&crowd.listeners[i]);
        assert_int_equal(SSL_get_shutdown(crowd.listeners[i].ssl), SSL_RECEIVED_SHUTDOWN);
    }
    crowd_close(&crowd);
}

static bool is_gone(const struct listener *listener)
{
    char byte;

    return recv(listener->peer, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0 || errno != EAGAIN;
}

/* The first event, with a failure somewhere. False without memory for it. */
static bool tell_all(struct crowd *crowd, const char *words, size_t length)
{
    bool queued = true;

    failing_memory_pause(false);
    failing_sockets_work(true);
    for (size_t i = 0; i < crowd->count && queued; i++)
        queued = queue(&crowd->listeners[i], words, length);
    net_scene_turn(&crowd->scene);
    failing_sockets_work(false);
    failing_memory_pause(true);
    return queued;
}

/* Two events. Who is still there heard both, whole; returns how many that are. */
static size_t tell_twice(struct crowd *crowd)
{
    static const char words[] = "the first and the second";
    const size_t all = sizeof words - 1, half = all / 2;
    bool stays[MOST];
    size_t alive = 0;

    if (!tell_all(crowd, words, half))
        return crowd->count;
    for (size_t i = 0; i < crowd->count; i++) {
        hear(&crowd->listeners[i]);
        stays[i] = !is_gone(&crowd->listeners[i]);
        alive += stays[i];
        assert_true(!stays[i] || queue(&crowd->listeners[i], words + half, all - half));
    }
    assert_int_equal(crowd->scene.net.connections, alive);
    net_scene_turn(&crowd->scene);
    for (size_t i = 0; i < crowd->count; i++)
        if (stays[i])
            expect(&crowd->listeners[i], words, all);
    return alive;
}

/* Each write fails once, in every way: what only delays is not noticed, what ends a connection ends
 * that one alone. */
static void fail_each_write(bool in_batches)
{
    enum { COUNT = 5 };
    static struct crowd crowd;

    for (int fault = 0; fault < SOCKET_FAULTS; fault++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            assert_true(n < 100);
            crowd_open(&crowd, COUNT, in_batches);
            failing_sockets_at((enum socket_fault)fault, n);
            size_t alive = tell_twice(&crowd);
            failed = failing_sockets_stop();
            bool ends = fault == SOCKET_RESET || fault == SOCKET_NO_BUFFERS;
            assert_int_equal(alive, COUNT - (size_t)(failed && ends));
            crowd_close(&crowd);
        }
    }
}

static void a_write_that_fails_is_that_ones_alone(void **state)
{
    (void)state;
    fail_each_write(true);
    fail_each_write(false);
}

/* The socket of the first takes nothing, and each allocation fails once: what was to wait for it
 * cannot, or sealing fails, and that one is closed. */
static void one_whose_rest_has_no_room_is_closed(void **state)
{
    enum { COUNT = 5 };
    static struct crowd crowd;
    bool failed = true;

    (void)state;
    for (uint64_t n = 1; failed; n++) {
        assert_true(n < 1000);
        crowd_open(&crowd, COUNT, true);
        failing_memory_pause(true);
        failing_memory_at(n);
        failing_sockets_at(SOCKET_AGAIN, 1);
        size_t alive = tell_twice(&crowd);
        failed = failing_memory_stop();
        (void)failing_sockets_stop();
        assert_in_range(alive, COUNT - (size_t)failed, COUNT);
        crowd_close(&crowd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_sealed_together_and_sent_in_batches),
        cmocka_unit_test(many_are_sealed_together_and_sent_one_by_one),
        cmocka_unit_test(what_is_short_makes_one_record),
        cmocka_unit_test(what_is_long_goes_beside_the_batch),
        cmocka_unit_test(what_a_socket_does_not_take_comes_later),
        cmocka_unit_test(an_answer_of_the_library_goes_along),
        cmocka_unit_test(a_write_that_fails_is_that_ones_alone),
        cmocka_unit_test(one_whose_rest_has_no_room_is_closed),
    };

    tls_memory_count();
    (void)signal(SIGPIPE, SIG_IGN); /* a client tells even one who is gone of the end */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
