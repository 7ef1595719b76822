/* When the server of [token] jwks_url is asked, by how many threads, and who waits for it. */
#include "captured_messages.h"
#include "clock.h"
#include "forged_jwt.h"
#include "token_keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, FOR_EVER_MS = 600000 };

/* ---- keys ---- */

static void write_coordinate(char out[64], EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    unsigned char bytes[32];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    assert_int_equal(BN_bn2binpad(number, bytes, sizeof bytes), sizeof bytes);
    char *text = forged_base64url(bytes, sizeof bytes);
    (void)snprintf(out, 64, "%s", text);
    free(text);
    BN_free(number);
}

/* A JWK Set with this one key. */
static void write_set(char out[512], EVP_PKEY *key, const char *kid)
{
    char x[64], y[64];
    write_coordinate(x, key, OSSL_PKEY_PARAM_EC_PUB_X);
    write_coordinate(y, key, OSSL_PKEY_PARAM_EC_PUB_Y);
    (void)snprintf(
        out, 512,
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}]}",
        kid, x, y);
}

static char *token_of(EVP_PKEY *key, const char *kid)
{
    char header[128];
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    return forged_jwt(header, "{\"sub\":\"ana\",\"exp\":4000000000}", "ES256", NULL, key);
}

/* ---- a server ---- */

struct server {
    int listener;
    pthread_t thread;
    atomic_uint asked;
    atomic_bool hangs;
    pthread_mutex_t lock;
    char set[512]; /* guarded by the lock */
};

static void *serve(void *context)
{
    struct server *server = context;
    int file;
    while ((file = accept(server->listener, NULL, NULL)) >= 0) {
        char text[4096];
        (void)!read(file, text, sizeof text);
        (void)atomic_fetch_add(&server->asked, 1);
        while (atomic_load(&server->hangs))
            (void)usleep(1000);
        (void)pthread_mutex_lock(&server->lock);
        int length =
            snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(server->set), server->set);
        (void)pthread_mutex_unlock(&server->lock);
        (void)send(file, text, (size_t)length, MSG_NOSIGNAL);
        (void)close(file);
    }
    return NULL;
}

struct scene {
    struct server server;
    char url[64];
    struct config config;
    struct token_keys_common *common;
    EVP_PKEY *first, *second;
    char *first_token, *second_token;
};

static void give(struct scene *scene, EVP_PKEY *key, const char *kid)
{
    char set[512];
    write_set(set, key, kid);
    (void)pthread_mutex_lock(&scene->server.lock);
    memcpy(scene->server.set, set, sizeof set);
    (void)pthread_mutex_unlock(&scene->server.lock);
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct server *server = &scene->server;
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 64), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(scene->url, sizeof scene->url, "http://127.0.0.1:%u/",
                   (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    scene->config = (struct config){.token_jwks_url = scene->url,
                                    .token_jwks_time = FOR_EVER_MS,
                                    .token_time = FOR_EVER_MS,
                                    .subscribe_threads = 2 * THREADS};
    scene->first = EVP_EC_gen("P-256");
    scene->second = EVP_EC_gen("P-256");
    scene->first_token = token_of(scene->first, "first");
    scene->second_token = token_of(scene->second, "second");
    give(scene, scene->first, "first");
    scene->common = token_keys_common_open(&scene->config);
    assert_non_null(scene->common);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    token_keys_common_close(&scene->common);
    (void)shutdown(scene->server.listener, SHUT_RDWR);
    (void)pthread_join(scene->server.thread, NULL);
    (void)close(scene->server.listener);
    EVP_PKEY_free(scene->first);
    EVP_PKEY_free(scene->second);
    free(scene->first_token);
    free(scene->second_token);
    free(scene);
    return 0;
}

static enum token_verdict verify(struct scene *scene, const char *token)
{
    static const struct jose_keys *const none[TOKEN_KEYS_OWN];
    struct token_keys *keys = token_keys_open(&scene->config, scene->common, none);
    struct identity identity;
    const char *why;
    enum token_verdict verdict = token_keys_verify(keys, token, strlen(token), &identity, &why);
    if (verdict == TOKEN_GOOD) {
        assert_string_equal(identity.user, "ana");
        identity_free(&identity);
    }
    token_keys_close(&keys);
    return verdict;
}

static unsigned asked(struct scene *scene)
{
    return atomic_load(&scene->server.asked);
}

/* ---- several threads ---- */

struct question {
    struct scene *scene;
    const char *token;
    enum token_verdict verdict;
    pthread_t thread;
};

static void *ask(void *context)
{
    struct question *question = context;
    question->verdict = verify(question->scene, question->token);
    return NULL;
}

static void begin(struct question *question, struct scene *scene, const char *token)
{
    *question = (struct question){.scene = scene, .token = token};
    assert_int_equal(pthread_create(&question->thread, NULL, ask, question), 0);
}

static void expect(struct question *question, enum token_verdict verdict)
{
    assert_int_equal(pthread_join(question->thread, NULL), 0);
    assert_int_equal(question->verdict, verdict);
}

/* ---- tests ---- */

static void test_a_set_is_kept(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    assert_int_equal(asked(scene), 1);
}

static void test_an_unknown_kid_is_asked_for_once_in_a_while(void **state)
{
    struct scene *scene = *state;
    uint64_t began_ms = clock_monotonic_ms();
    assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    for (int i = 0; i < 50; i++)
        assert_int_equal(verify(scene, scene->second_token), TOKEN_REFUSED);
    assert_in_range(asked(scene), 2, 2 + (clock_monotonic_ms() - began_ms) / TOKEN_KEYS_UNKNOWN_MS);
}

/* One that is new a moment after the set was had is asked for at once. */
static void test_a_new_key_is_asked_for_at_once(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    give(scene, scene->second, "second");
    assert_int_equal(verify(scene, scene->second_token), TOKEN_GOOD);
}

/* Strangers with names of their own have used up the questions: whoever comes with a new key is not
 * refused, but told to come again, and what was asked for in vain stays refused. */
static void test_strangers_cannot_have_a_new_key_refused(void **state)
{
    struct scene *scene = *state;
    char *stranger = token_of(scene->second, "stranger");
    scene->config.token_jwks_time = FOR_EVER_MS;
    assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    assert_int_equal(verify(scene, stranger), TOKEN_REFUSED);
    uint64_t asked_ms = clock_monotonic_ms();
    give(scene, scene->second, "second");
    (void)usleep((TOKEN_KEYS_RETRY_MS + 50) * 1000); /* the set is no longer that new */
    enum token_verdict verdict = verify(scene, scene->second_token);
    if (clock_monotonic_ms() - asked_ms < TOKEN_KEYS_UNKNOWN_MS) {
        assert_int_equal(verdict, TOKEN_UNAVAILABLE);
        assert_int_equal(verify(scene, stranger), TOKEN_REFUSED);
    }
    scene->config.token_jwks_time = 0;
    assert_int_equal(verify(scene, scene->second_token), TOKEN_GOOD);
    free(stranger);
}

static void test_one_thread_asks_for_all(void **state)
{
    struct scene *scene = *state;
    struct question questions[THREADS];
    atomic_store(&scene->server.hangs, true);
    for (int i = 0; i < THREADS; i++)
        begin(&questions[i], scene, scene->first_token);
    while (asked(scene) == 0)
        (void)usleep(1000);
    atomic_store(&scene->server.hangs, false);
    for (int i = 0; i < THREADS; i++)
        expect(&questions[i], TOKEN_GOOD);
    assert_int_equal(asked(scene), 1);
}

static void test_nobody_waits_who_has_an_old_set(void **state)
{
    struct scene *scene = *state;
    struct question slow;
    assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    scene->config.token_jwks_time = 0;
    atomic_store(&scene->server.hangs, true);
    (void)usleep(TOKEN_KEYS_RETRY_MS * 1000);
    begin(&slow, scene, scene->first_token);
    while (asked(scene) < 2)
        (void)usleep(1000);
    /* The server answers none of these, and they end all the same. */
    for (int i = 0; i < 50; i++)
        assert_int_equal(verify(scene, scene->first_token), TOKEN_GOOD);
    give(scene, scene->second, "second");
    atomic_store(&scene->server.hangs, false);
    expect(&slow, TOKEN_REFUSED); /* its key was taken away */
    assert_int_equal(verify(scene, scene->second_token), TOKEN_GOOD);
}

static void test_without_a_set_nobody_can_say(void **state)
{
    struct scene *scene = *state;
    scene->server.set[0] = '\0';
    captured_messages_begin();
    for (int i = 0; i < 2; i++)
        assert_int_equal(verify(scene, scene->first_token), TOKEN_UNAVAILABLE);
    unsigned said = captured_messages_count("jwks_url does not answer as it should");
    give(scene, scene->first, "first");
    enum token_verdict verdict = verify(scene, scene->first_token);
    unsigned over = captured_messages_count("jwks_url answers again");
    captured_messages_end();
    assert_int_equal(verdict, TOKEN_GOOD);
    assert_int_equal(said, 1);
    assert_int_equal(over, 1);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_a_set_is_kept),
        SCENE(test_an_unknown_kid_is_asked_for_once_in_a_while),
        SCENE(test_a_new_key_is_asked_for_at_once),
        SCENE(test_strangers_cannot_have_a_new_key_refused),
        SCENE(test_one_thread_asks_for_all),
        SCENE(test_nobody_waits_who_has_an_old_set),
        SCENE(test_without_a_set_nobody_can_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
