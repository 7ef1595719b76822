/* Refresh tokens: their texts, what is asked with them, and what becomes of a family in a store. */
#include "refresh_store.h"
#include "refresh_token.h"
#include "sealed_text.h"
#include "ticket.h"
#include "token_families.h"
#include "token_request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1700000000 };

static const unsigned char key[JWS_SIGNER_KEY_SIZE] = "a key", other_key[JWS_SIGNER_KEY_SIZE] = "b";
static const char family_id[REFRESH_FAMILY_SIZE] = "00112233445566778899aabbccddeeff";

/* ---- texts ---- */

static void write_token(char text[REFRESH_TOKEN_SIZE], uint32_t number)
{
    struct refresh_token token = {.number = number};
    memcpy(token.family, family_id, sizeof token.family);
    assert_true(refresh_token_write(text, &token, key));
}

static void test_texts(void **state)
{
    (void)state;
    char text[REFRESH_TOKEN_SIZE], changed[REFRESH_TOKEN_SIZE];
    struct refresh_token token;
    bool is_ours;
    write_token(text, 999999999);
    size_t length = strlen(text);
    assert_true(refresh_token_read(&token, text, length, key, &is_ours));
    assert_true(is_ours);
    assert_string_equal(token.family, family_id);
    assert_int_equal(token.number, 999999999);
    assert_true(refresh_token_read(&token, text, length, other_key, &is_ours));
    assert_false(is_ours);
    for (size_t i = 0; i < length; i++) {
        memcpy(changed, text, sizeof changed);
        changed[i] = changed[i] == '1' ? '2' : '1';
        if (refresh_token_read(&token, changed, length, key, &is_ours))
            assert_false(is_ours);
        assert_false(refresh_token_read(&token, text, i, key, &is_ours) && is_ours);
    }
    text[length] = 'x';
    assert_false(refresh_token_read(&token, text, length + 1, key, &is_ours));
    text[length] = '\0';
    assert_false(refresh_token_read(&token, text, length + 1, key, &is_ours));
    assert_false(refresh_token_read(&token, "", 0, key, &is_ours));
}

/* What has not the shape of one is not even looked for. */
static void test_texts_of_another_shape(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *text;
    } changes[] = {{0, "g"},   {31, "/"}, {32, ":"},  {33, "0"},  {33, "/"}, {33, ":"},
                   {33, "-1"}, {34, "x"}, {35, "33"}, {36, "xx"}, {99, "g"}};
    char text[REFRESH_TOKEN_SIZE], changed[REFRESH_TOKEN_SIZE];
    struct refresh_token token;
    bool is_ours;
    write_token(text, 12);
    assert_int_equal(text[32], '.');
    assert_int_equal(text[35], '.');
    assert_int_equal(strlen(text), 100);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memcpy(changed, text, sizeof changed);
        memcpy(changed + changes[i].at, changes[i].text, strlen(changes[i].text));
        if (refresh_token_read(&token, changed, strlen(changed), key, &is_ours))
            fail_msg("taken: %s", changed);
        assert_false(is_ours);
    }
}

/* ---- requests ---- */

static void expect_fault(const char *body, const char *cookies, const char *fault)
{
    struct token_request request;
    const char *found = token_request_read(&request, body, strlen(body), cookies);
    if (found == NULL || fault == NULL)
        assert_ptr_equal(found, fault);
    else
        assert_string_equal(found, fault);
    token_request_free(&request);
}

static void test_requests(void **state)
{
    (void)state;
    expect_fault("{\"bind_key\": \"k\"}", NULL, NULL);
    expect_fault("{\"refresh_token\": \"t\", \"proof\": \"0123456789abcdef\", \"other\": 1}", NULL,
                 NULL);
    expect_fault("", NULL, "the body should be a JSON object");
    expect_fault("[]", "", "the body should be a JSON object");
    expect_fault("{}", NULL, "bind_key or refresh_token missing");
    expect_fault("", "", "bind_key or refresh_token missing");
    expect_fault("{}", "a=b; " TOKEN_COOKIE "=t;c=d", NULL);
    expect_fault("", TOKEN_COOKIE "=t", NULL);
    expect_fault("{}", "x" TOKEN_COOKIE "=t", "bind_key or refresh_token missing");
    expect_fault("{}", TOKEN_COOKIE "=", "bind_key or refresh_token missing");
    expect_fault("{}", ";;; ;", "bind_key or refresh_token missing");
    expect_fault("{\"proof\": \"short\"}", NULL, "proof should be a text of 16 to 256 characters");
    expect_fault("{\"bind_key\": \"k\", \"refresh_token\": \"t\"}", NULL,
                 "either bind_key or refresh_token, not both");
    char large[1000];
    (void)snprintf(large, sizeof large, TOKEN_COOKIE "=%0500d", 7);
    expect_fault("{}", large, "bind_key or refresh_token missing");
}

static void test_sites(void **state)
{
    (void)state;
    assert_true(token_request_is_of_site("https://shop.example", "Shop.example", "8080"));
    assert_true(token_request_is_of_site("http://127.0.0.1:8080", "127.0.0.1:8080", "8080"));
    assert_false(token_request_is_of_site("https://shop.example", "shop.example:8443", "8080"));
    assert_true(token_request_is_of_site("https://shop.example:8080", "shop.example", "8080"));
    assert_true(token_request_is_of_site("https://[::1]:8080", "[::1]", "8080"));
    assert_false(token_request_is_of_site("https://shop.example:8081", "shop.example", "8080"));
    assert_false(token_request_is_of_site("https://shop.example:8080", "shop.example", NULL));
    assert_false(token_request_is_of_site("https://shop.example.evil", "shop.example", "8080"));
    assert_false(token_request_is_of_site("null", "null", "8080"));
    assert_false(token_request_is_of_site(NULL, "shop.example", "8080"));
    assert_false(token_request_is_of_site("https://", "", "8080"));
    assert_false(token_request_is_of_site("https://shop.example", NULL, "8080"));
}

static void test_sealed_texts(void **state)
{
    (void)state;
    char text[SEALED_TEXT_MAX + 1], large[SEALED_TEXT_MAX + 2] = "";
    char *sealed = sealed_text_make("kq2vgq1m8t4fjk0rn3h6p5s7ua", key);
    char *again = sealed_text_make("kq2vgq1m8t4fjk0rn3h6p5s7ua", key);
    assert_string_not_equal(sealed, again);
    assert_true(sealed_text_open(text, sealed, key));
    assert_string_equal(text, "kq2vgq1m8t4fjk0rn3h6p5s7ua");
    assert_false(sealed_text_open(text, sealed, other_key));
    for (size_t i = 0; sealed[i] != '\0'; i++) {
        char was = sealed[i];
        sealed[i] = was == '0' ? '1' : '0';
        assert_false(sealed_text_open(text, sealed, key));
        assert_string_equal(text, "");
        sealed[i] = was;
    }
    sealed[56] = '\0';
    assert_false(sealed_text_open(text, sealed, key));
    assert_false(sealed_text_open(text, "", key));
    free(sealed);
    free(again);
    memset(large, 'x', sizeof large - 1);
    assert_null(sealed_text_make(large, key));
    large[SEALED_TEXT_MAX] = '\0';
    sealed = sealed_text_make(large, key);
    assert_true(sealed_text_open(text, sealed, key));
    assert_string_equal(text, large);
    free(sealed);
}

/* ---- families ---- */

struct scene {
    char folder[32], path[64];
    struct config config;
    struct refresh_store *store;
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    char error[REFRESH_STORE_ERROR_SIZE];
    strcpy(scene->folder, "/tmp/refresh-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->path, sizeof scene->path, "%s/tokens.db", scene->folder);
    scene->config.token_store_file = scene->path;
    scene->store = refresh_sqlite.open(&scene->config, NULL, error);
    assert_non_null(scene->store);
    struct refresh_family family = {.user = "ana", .expires_ms = NOW + 100000, .used_ms = NOW};
    memcpy(family.id, family_id, sizeof family.id);
    char claims[] = "{\"sub\":[\"a/b\"]}";
    char session[] = "sealed";
    family.claims = claims;
    family.session = session;
    assert_true(refresh_sqlite.begin(scene->store, &family, "hash 1", error));
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    char command[64];
    refresh_sqlite.close(scene->store);
    (void)snprintf(command, sizeof command, "rm -rf %s", scene->folder);
    free(scene);
    return system(command);
}

static enum refresh_result use(const struct scene *scene, const char *hash, const char *next,
                               const char *proof, bool was_ours, uint64_t now_ms)
{
    struct refresh_family family;
    char error[REFRESH_STORE_ERROR_SIZE];
    const struct refresh_use asked = {.family = family_id,
                                      .hash = hash,
                                      .next_hash = next,
                                      .proof = proof,
                                      .was_ours = was_ours,
                                      .now_ms = now_ms};
    enum refresh_result result = refresh_sqlite.use(scene->store, &asked, &family, error);
    if (result == REFRESH_DONE || result == REFRESH_REPEATED) {
        assert_string_equal(family.id, family_id);
        assert_string_equal(family.user, "ana");
        assert_string_equal(family.claims, "{\"sub\":[\"a/b\"]}");
        assert_int_equal(family.expires_ms, NOW + 100000);
    }
    refresh_family_free(&family);
    return result;
}

static void test_one_after_the_other(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 1), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 2", "hash 3", "", true, NOW + 2), REFRESH_DONE);
    assert_int_equal(use(scene, "forged", "hash 4", "", false, NOW + 3), REFRESH_UNKNOWN);
    assert_int_equal(use(scene, "hash 3", "hash 4", "", false, NOW + 4), REFRESH_DONE);
}

static void test_a_second_use_ends_all(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 1), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 2), REFRESH_REUSED);
    assert_int_equal(use(scene, "hash 2", "hash 3", "", true, NOW + 3), REFRESH_UNKNOWN);
}

static void test_an_old_one_ends_all(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 1), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 2", "hash 3", "", true, NOW + 2), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 3), REFRESH_REUSED);
    assert_int_equal(use(scene, "hash 3", "hash 4", "", true, NOW + 4), REFRESH_UNKNOWN);
}

/* Who asks first need not be the first to be let in. */
static void test_who_asked_before_may_come_after(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 2), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 1), REFRESH_REPEATED);
}

static void test_a_lost_answer_is_repeated(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 1), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 2), REFRESH_REPEATED);
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 1 + REFRESH_REPEAT_MS),
                     REFRESH_REPEATED);
    assert_int_equal(use(scene, "hash 2", "hash 3", "", true, NOW + 20000), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 20001), REFRESH_REUSED);
}

static void test_a_lost_answer_is_not_repeated_for_long_or_for_others(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "proof", true, NOW + 1), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 1", "hash 2", "other", true, NOW + 2), REFRESH_REUSED);
}

static void test_a_family_expires(void **state)
{
    const struct scene *scene = *state;
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 99999), REFRESH_DONE);
    assert_int_equal(use(scene, "hash 2", "hash 3", "", true, NOW + 100000), REFRESH_UNKNOWN);
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 100001), REFRESH_UNKNOWN);
}

static void test_revoking(void **state)
{
    const struct scene *scene = *state;
    char error[REFRESH_STORE_ERROR_SIZE];
    struct refresh_use asked = {.family = family_id, .hash = "forged"};
    struct refresh_family family;
    assert_int_equal(refresh_sqlite.revoke(scene->store, &asked, &family, error), REFRESH_UNKNOWN);
    asked.hash = "hash 1";
    assert_int_equal(refresh_sqlite.revoke(scene->store, &asked, &family, error), REFRESH_DONE);
    assert_string_equal(family.id, family_id);
    assert_string_equal(family.session, "sealed");
    refresh_family_free(&family);
    assert_int_equal(refresh_sqlite.revoke(scene->store, &asked, &family, error), REFRESH_UNKNOWN);
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW + 1), REFRESH_UNKNOWN);
}

static void test_old_families_are_forgotten(void **state)
{
    const struct scene *scene = *state;
    char error[REFRESH_STORE_ERROR_SIZE];
    struct refresh_family family = {.id = "fresh", .user = "ana", .expires_ms = NOW + 900000};
    family.used_ms = NOW + 100000;
    assert_true(refresh_sqlite.begin(scene->store, &family, "hash", error));
    assert_false(refresh_sqlite.begin(scene->store, &family, "hash", error));
    assert_non_null(strstr(error, "UNIQUE"));
    assert_int_equal(use(scene, "hash 1", "hash 2", "", true, NOW), REFRESH_UNKNOWN);
}

/* ---- behind their gate ---- */

/* Nobody listens at a port that was just given back. */
static unsigned short closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(file, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(file, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(file), 0);
    return ntohs(address.sin_port);
}

static void test_families_are_in_the_store_that_is_configured(void **state)
{
    const struct scene *scene = *state;
    struct config config = {.token_store = CONFIG_TOKEN_STORE_SQLITE,
                            .token_store_file = scene->config.token_store_file,
                            .subscribe_threads = 1,
                            .redis_connect_time = 60000,
                            .redis_time = 60000};
    struct redis_config redis = {.options = {.connect_ms = 60000, .limit_ms = 60000}};
    char url[64];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u/", (unsigned)closed_port());
    assert_null(redis_url_read(&redis.options.url, url));
    const struct refresh_use asked = {.family = family_id,
                                      .hash = "hash 1",
                                      .next_hash = "hash 2",
                                      .proof = "",
                                      .was_ours = true,
                                      .now_ms = NOW + 1};
    static const enum refresh_result wanted[] = {REFRESH_DONE, REFRESH_UNAVAILABLE};
    for (int i = 0; i < 2; i++) {
        struct refresh_family family;
        struct token_families_common *common = token_families_common_open(&config);
        assert_non_null(common);
        struct token_families *families = token_families_open(&config, &redis, common);
        assert_non_null(families);
        assert_int_equal(token_families_use(families, &asked, &family), wanted[i]);
        refresh_family_free(&family);
        token_families_close(&families);
        token_families_common_close(&common);
        config.token_store = CONFIG_TOKEN_STORE_REDIS;
    }
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts_of_another_shape),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_sealed_texts),
        SCENE(test_one_after_the_other),
        SCENE(test_a_second_use_ends_all),
        SCENE(test_an_old_one_ends_all),
        SCENE(test_who_asked_before_may_come_after),
        SCENE(test_a_lost_answer_is_repeated),
        SCENE(test_a_lost_answer_is_not_repeated_for_long_or_for_others),
        SCENE(test_a_family_expires),
        SCENE(test_revoking),
        SCENE(test_old_families_are_forgotten),
        SCENE(test_families_are_in_the_store_that_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
