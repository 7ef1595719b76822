/* TLS of one connection, against OpenSSL's own client on a socket pair. */
#include "failing_memory.h"
#include "net/net.h"
#include "net/tls_memory.h"
#include "net/tls_session.h"
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT = 64 * 1024 };

static size_t no_random_of; /* so many bytes at once; 0: there are always some */

bool __real_secret_random(void *out, size_t size);
bool __wrap_secret_random(void *out, size_t size);

bool __wrap_secret_random(void *out, size_t size)
{
    return size != no_random_of && __real_secret_random(out, size);
}

struct scene {
    struct tls_pair pair;
    char *none[1];
    struct tls_context *context;
    struct tls_session *session;
    SSL_CTX *rules;
    SSL *client;
    int ours, theirs;
    char heard[TEXT]; /* what the session gave */
    size_t heard_length;
    ssize_t last; /* of tls_session_read() */
};

static void scene_open(struct scene *scene)
{
    int pair[2];

    memset(scene, 0, sizeof *scene);
    tls_pair_make(&scene->pair);
    scene->context = tls_pair_open(&scene->pair);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    scene->ours = pair[0];
    scene->theirs = pair[1];
    scene->session = tls_session_new(scene->context, scene->ours);
    assert_non_null(scene->session);
    scene->rules = SSL_CTX_new(TLS_client_method());
    assert_non_null(scene->rules);
    scene->client = SSL_new(scene->rules);
    assert_non_null(scene->client);
    assert_int_equal(SSL_set_fd(scene->client, scene->theirs), 1);
    SSL_set_connect_state(scene->client);
}

static void scene_close(struct scene *scene)
{
    tls_session_free(&scene->session);
    assert_null(scene->session);
    assert_int_equal(tls_context_counters(scene->context)->sessions, 0);
    SSL_free(scene->client);
    SSL_CTX_free(scene->rules);
    tls_context_close(&scene->context);
    assert_null(scene->context);
    assert_int_equal(close(scene->ours), 0);
    assert_int_equal(close(scene->theirs), 0);
    tls_pair_remove(&scene->pair);
}

/* Gives the session what its socket has, `piece` bytes at a time. */
static void scene_read(struct scene *scene, size_t piece)
{
    char sealed[TEXT];
    ssize_t count = recv(scene->ours, sealed, sizeof sealed, MSG_DONTWAIT);

    for (ssize_t at = 0; at < count; at += (ssize_t)piece) {
        size_t left = (size_t)(count - at);
        const char *bytes;
        tls_session_give(scene->session, sealed + at, left < piece ? left : piece);
        while ((scene->last = tls_session_read(scene->session, &bytes)) > 0) {
            memcpy(scene->heard + scene->heard_length, bytes, (size_t)scene->last);
            scene->heard_length += (size_t)scene->last;
        }
    }
}

static void scene_shake_hands(struct scene *scene, size_t piece)
{
    for (int i = 0; i < 10 && !(scene->session->is_ready && SSL_is_init_finished(scene->client));
         i++) {
        (void)SSL_do_handshake(scene->client);
        scene_read(scene, piece);
    }
    assert_true(scene->session->is_ready);
    assert_int_equal(tls_context_counters(scene->context)->handshakes, 1);
}

static void bytes_go_both_ways_however_they_are_cut(void **state)
{
    static const size_t pieces[] = {1, 7, 1000, TEXT};

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct scene scene;
        char text[32] = "";
        scene_open(&scene);
        assert_false(tls_session_write(scene.session, "early", 5));
        scene_shake_hands(&scene, pieces[i]);
        assert_int_equal(SSL_write(scene.client, "hello", 5), 5);
        assert_int_equal(SSL_write(scene.client, " there", 6), 6);
        scene_read(&scene, pieces[i]);
        assert_int_equal(scene.last, TLS_READ_NOTHING);
        assert_int_equal(scene.heard_length, 11);
        assert_memory_equal(scene.heard, "hello there", 11);
        assert_true(tls_session_write(scene.session, "and back", 8));
        assert_int_equal(SSL_read(scene.client, text, sizeof text), 8);
        assert_string_equal(text, "and back");
        scene_close(&scene);
    }
}

/* Sessions are in their clients' tickets; who takes none has none. */
static void without_tickets_nothing_is_kept_of_a_session(void **state)
{
    struct scene scene;
    unsigned length = 1;

    (void)state;
    scene_open(&scene);
    assert_int_equal(SSL_set_max_proto_version(scene.client, TLS1_2_VERSION), 1);
    (void)SSL_set_options(scene.client, SSL_OP_NO_TICKET);
    scene_shake_hands(&scene, TEXT);
    assert_int_equal(SSL_version(scene.client), TLS1_2_VERSION);
    (void)SSL_SESSION_get_id(SSL_get_session(scene.client), &length);
    assert_int_equal(length, 0);
    scene_close(&scene);
}

static void sealed(struct scene *scene, char *texts, size_t length)
{
    assert_true(tls_session_write(scene->session, texts, length));
}

/* The socket is full: what is sealed waits, in order, and what is sealed after it waits behind. */
static void what_the_socket_does_not_take_waits_in_order(void **state)
{
    struct scene scene;
    static char sent[40 * TLS_RECORD], got[sizeof sent];
    size_t at = 0, taken = 0, length = 0;

    (void)state;
    scene_open(&scene);
    scene_shake_hands(&scene, TEXT);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 31 >> 3);
    while (scene.session->waiting == NULL && at < sizeof sent) {
        sealed(&scene, sent + at, TLS_RECORD);
        at += TLS_RECORD;
    }
    assert_non_null(scene.session->waiting);
    sealed(&scene, sent + at, 100);
    at += 100;
    char *waiting = tls_session_take_waiting(scene.session, &length);
    assert_true(length > 100);
    assert_null(scene.session->waiting);
    for (size_t put = 0; taken < at;) {
        ssize_t count =
            put < length ? send(scene.ours, waiting + put, length - put, MSG_DONTWAIT) : 0;
        put += count > 0 ? (size_t)count : 0;
        int read = SSL_read(scene.client, got + taken, (int)(sizeof got - taken));
        assert_true(read > 0);
        taken += (size_t)read;
    }
    free(waiting);
    assert_int_equal(taken, at);
    assert_memory_equal(got, sent, at);
    scene.session->destination = TLS_TO_WAITING;
    sealed(&scene, sent, 10);
    assert_non_null(scene.session->waiting); /* though there is room */
    scene_close(&scene);
}

static void each_end_says_that_nothing_more_comes(void **state)
{
    struct scene scene;
    char byte;

    (void)state;
    scene_open(&scene);
    scene_shake_hands(&scene, TEXT);
    assert_int_equal(SSL_shutdown(scene.client), 0);
    scene_read(&scene, TEXT);
    assert_int_equal(scene.last, TLS_READ_END);
    tls_session_end(scene.session);
    assert_int_equal(SSL_read(scene.client, &byte, 1), 0);
    assert_int_equal(SSL_get_error(scene.client, 0), SSL_ERROR_ZERO_RETURN);
    scene_close(&scene);
}

static void give_garbage(struct scene *scene, const char *bytes)
{
    const char *opened;

    tls_session_give(scene->session, bytes, strlen(bytes));
    scene->last = tls_session_read(scene->session, &opened);
}

static void what_is_no_tls_is_counted_by_kind(void **state)
{
    static const struct {
        const char *bytes;
        enum tls_failure failure;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", TLS_FAILED_PLAIN},
        {"no TLS at all", TLS_FAILED_VERSION},
        {"\x16\x03\x01\x01\x05nonsense, and so many bytes of it that a record's head is whole",
         TLS_UNFINISHED}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        char answer[256] = "";
        scene_open(&scene);
        give_garbage(&scene, cases[i].bytes);
        const struct tls_counters *counters = tls_context_counters(scene.context);
        if (cases[i].failure == TLS_UNFINISHED) {
            assert_int_equal(scene.last, TLS_READ_NOTHING);
            tls_session_free(&scene.session);
        } else {
            assert_int_equal(scene.last, TLS_READ_FAILED);
            assert_false(tls_session_write(scene.session, "x", 1));
        }
        for (int failure = 0; failure < TLS_FAILURES; failure++)
            assert_int_equal(counters->failed[failure], failure == (int)cases[i].failure);
        (void)recv(scene.theirs, answer, sizeof answer - 1, MSG_DONTWAIT);
        assert_int_equal(strncmp(answer, "HTTP/1.1 400 ", 13) == 0,
                         cases[i].failure == TLS_FAILED_PLAIN);
        scene_close(&scene);
    }
}

static void a_socket_that_is_gone_is_no_failure_of_tls(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_shake_hands(&scene, TEXT);
    assert_int_equal(shutdown(scene.ours, SHUT_WR), 0);
    assert_false(tls_session_write(scene.session, "x", 1));
    assert_true(scene.session->is_cut);
    assert_false(tls_session_write(scene.session, "x", 1));
    for (int failure = 0; failure < TLS_FAILURES; failure++)
        assert_int_equal(tls_context_counters(scene.context)->failed[failure], 0);
    scene_close(&scene);
}

static void faulty_files_leave_what_was_there(void **state)
{
    struct scene scene;
    char error[TLS_ERROR_SIZE];

    (void)state;
    scene_open(&scene);
    assert_int_equal(chmod(scene.pair.key, 0644), 0);
    assert_false(tls_context_reload(scene.context, &scene.pair.config, error));
    assert_non_null(strstr(error, scene.pair.key));
    tls_pair_spoil(&scene.pair);
    char words[TLS_ERROR_SIZE];
    (void)snprintf(words, sizeof words, "%s: is not the key of the certificate in %s",
                   scene.pair.key, scene.pair.certificate);
    assert_false(tls_context_reload(scene.context, &scene.pair.config, error));
    assert_string_equal(error, words);
    scene.pair.config.tls_cert = scene.none;
    assert_false(tls_context_reload(scene.context, &scene.pair.config, error));
    assert_string_equal(error, "no certificate");
    scene_shake_hands(&scene, TEXT);
    scene_close(&scene);
}

static void certificates_are_read_for_whatever_comes_by_tls(void **state)
{
    static char address[] = "127.0.0.1:1", *some[] = {address, NULL}, *none[] = {NULL};
    static struct net net;
    struct tls_pair pair;
    char error[NET_ERROR_SIZE] = "";

    (void)state;
    tls_pair_make(&pair);
    net.config = &pair.config;
    for (unsigned uses = 0; uses < 4; uses++) {
        pair.config.listen_tls = (uses & 1) != 0 ? some : none;
        pair.config.listen_lines_tls = (uses & 2) != 0 ? some : none;
        assert_true(net_load_tls(&net, error));
        assert_int_equal(net.tls != NULL, uses != 0);
        tls_context_close(&net.tls);
    }
    tls_pair_remove(&pair);
}

/* Else its ticket would be sealed with whatever was in memory. */
static void without_random_bytes_for_the_keys_of_tickets_nobody_comes_in(void **state)
{
    enum { TICKET_KEY = 80 };
    struct scene scene;

    (void)state;
    scene_open(&scene);
    no_random_of = TICKET_KEY;
    for (int i = 0; i < 10; i++) {
        (void)SSL_do_handshake(scene.client);
        scene_read(&scene, TEXT);
    }
    no_random_of = 0;
    assert_false(scene.session->is_ready);
    assert_int_equal(scene.last, TLS_READ_FAILED);
    ERR_clear_error();
    scene_close(&scene);
}

/* In processes of their own, for what the first session makes stays. The next one comes in. */
static void the_first_one_without_memory_is_none(void **state)
{
    enum { FIRST = 8 };
    struct tls_pair pair;

    (void)state;
    tls_pair_make(&pair);
    struct tls_context *context = tls_pair_open(&pair);
    for (uint64_t n = 1; n <= FIRST; n++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)signal(SIGSEGV, SIG_DFL); /* the parent shall see it */
            failing_memory_at(n);
            const struct tls_session *first = tls_session_new(context, -1);
            (void)failing_memory_stop();
            const struct tls_session *next = tls_session_new(context, -1);
            _exit(next == NULL || (first != NULL && first->ssl == NULL));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    tls_context_close(&context);
    tls_pair_remove(&pair);
}

/* Each allocation fails once, those of OpenSSL too. */
static void one_without_memory_is_none(void **state)
{
    enum { NO_END = 5000 };
    struct scene scene;
    bool failed = true;

    (void)state;
    scene_open(&scene);
    for (uint64_t n = 1; failed; n++) {
        assert_true(n < NO_END);
        failing_memory_at(n);
        struct tls_session *session = tls_session_new(scene.context, scene.ours);
        failed = failing_memory_stop();
        assert_int_equal(tls_context_counters(scene.context)->sessions, session != NULL ? 2 : 1);
        if (session != NULL)
            assert_non_null(session->ssl);
        else
            assert_true(failed);
        tls_session_free(&session);
        ERR_clear_error();
    }
    scene_close(&scene);
}

/* What OpenSSL holds is counted, however it grows. */
static void memory_is_counted_as_it_grows_and_goes(void **state)
{
    enum { SMALL = 100, LARGE = 100000 };
    uint64_t before = tls_memory_bytes();
    char *memory = OPENSSL_malloc(SMALL);

    (void)state;
    assert_non_null(memory);
    assert_in_range(tls_memory_bytes() - before, SMALL, SMALL + 64);
    memory = OPENSSL_realloc(memory, LARGE);
    assert_non_null(memory);
    assert_in_range(tls_memory_bytes() - before, LARGE, 2 * LARGE);
    memory = OPENSSL_realloc(memory, SMALL);
    assert_non_null(memory);
    assert_in_range(tls_memory_bytes() - before, SMALL, LARGE - 1);
    OPENSSL_free(memory);
    assert_int_equal(tls_memory_bytes(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_without_memory_is_none),
        cmocka_unit_test(one_without_memory_is_none),
        cmocka_unit_test(memory_is_counted_as_it_grows_and_goes),
        cmocka_unit_test(bytes_go_both_ways_however_they_are_cut),
        cmocka_unit_test(without_tickets_nothing_is_kept_of_a_session),
        cmocka_unit_test(what_the_socket_does_not_take_waits_in_order),
        cmocka_unit_test(each_end_says_that_nothing_more_comes),
        cmocka_unit_test(what_is_no_tls_is_counted_by_kind),
        cmocka_unit_test(a_socket_that_is_gone_is_no_failure_of_tls),
        cmocka_unit_test(faulty_files_leave_what_was_there),
        cmocka_unit_test(certificates_are_read_for_whatever_comes_by_tls),
        cmocka_unit_test(without_random_bytes_for_the_keys_of_tickets_nobody_comes_in),
    };

    tls_memory_count();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
