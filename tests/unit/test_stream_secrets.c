#include "streams/stream_secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <string.h>

#include "saved_state.h"
#include "wall_clock.h"

enum { FIRST = 1000, MAX_AGE = 5000, START = 70 };

static const unsigned char key[STREAM_SECRETS_KEY_SIZE] = "a key of sixteen";
static const unsigned char other_key[STREAM_SECRETS_KEY_SIZE] = "another key of 1";

static void open_with(struct stream_secrets *secrets, const unsigned char *with, uint64_t first)
{
    *secrets = (struct stream_secrets){.max_age_ms = MAX_AGE};
    assert_true(stream_secrets_open(secrets, with, first, START));
}

/* A secret that the daemon before gave to this connection id. */
static void give(unsigned char secret[STREAM_SECRET_SIZE], uint64_t connid)
{
    struct stream_secrets before;

    open_with(&before, key, 1);
    assert_true(stream_secrets_make(&before, connid, NULL, secret));
    stream_secrets_close(&before);
}

static void each_secret_is_another(void **state)
{
    enum { COUNT = 1000 };
    static unsigned char made[COUNT][STREAM_SECRET_SIZE];
    struct stream_secrets secrets;

    (void)state;
    open_with(&secrets, key, FIRST);
    for (int i = 0; i < COUNT; i++) {
        assert_true(stream_secrets_make(&secrets, (uint64_t)(i % 3), NULL, made[i]));
        for (int earlier = 0; earlier < i; earlier++) {
            assert_memory_not_equal(made[i], made[earlier], STREAM_SECRET_SIZE / 2);
            assert_memory_not_equal(made[i] + STREAM_SECRET_SIZE / 2,
                                    made[earlier] + STREAM_SECRET_SIZE / 2, STREAM_SECRET_SIZE / 2);
        }
    }
    stream_secrets_close(&secrets);
}

static void a_secret_of_before_is_known_again_once(void **state)
{
    struct stream_secrets secrets;
    unsigned char first[STREAM_SECRET_SIZE], renewed[STREAM_SECRET_SIZE], other[STREAM_SECRET_SIZE];

    (void)state;
    give(first, 7);
    give(renewed, 7);
    give(other, 8);
    open_with(&secrets, key, FIRST);
    assert_false(stream_secrets_take_back(&secrets, 8, renewed, START));
    assert_true(stream_secrets_take_back(&secrets, 7, renewed, START));
    assert_false(stream_secrets_take_back(&secrets, 7, renewed, START));
    assert_false(stream_secrets_take_back(&secrets, 7, first, START));
    assert_true(stream_secrets_take_back(&secrets, 8, other, START + MAX_AGE));
    assert_false(stream_secrets_take_back(&secrets, 8, other, START + MAX_AGE));
    stream_secrets_close(&secrets);
}

static void nobody_else_is_known(void **state)
{
    struct stream_secrets secrets;
    unsigned char good[STREAM_SECRET_SIZE], own[STREAM_SECRET_SIZE];

    (void)state;
    give(good, 7);
    open_with(&secrets, key, FIRST);
    for (int bit = 0; bit < 8 * STREAM_SECRET_SIZE; bit++) {
        good[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(stream_secrets_take_back(&secrets, 7, good, START));
        good[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    /* Of this daemon's own streams the list of those that ended knows more: only their last. */
    assert_true(stream_secrets_make(&secrets, FIRST, NULL, own));
    assert_false(stream_secrets_take_back(&secrets, FIRST, own, START));
    assert_false(stream_secrets_take_back(&secrets, 7, good, START + MAX_AGE + 1));
    stream_secrets_close(&secrets);
    open_with(&secrets, other_key, FIRST);
    assert_false(stream_secrets_take_back(&secrets, 7, good, START));
    stream_secrets_close(&secrets);
}

static void what_came_back_is_forgotten_when_nobody_can_any_more(void **state)
{
    struct stream_secrets secrets;
    unsigned char secret[STREAM_SECRET_SIZE];

    (void)state;
    open_with(&secrets, key, FIRST);
    for (uint64_t connid = 1; connid < 300; connid++) {
        give(secret, connid);
        assert_true(stream_secrets_take_back(&secrets, connid, secret, START));
    }
    assert_int_equal(secrets.by_connid.count, 299);
    assert_false(stream_secrets_take_back(&secrets, 299, secret, START + MAX_AGE + 1));
    assert_int_equal(secrets.by_connid.count, 0);
    assert_null(secrets.returned);
    stream_secrets_close(&secrets);
}

static void the_one_before_counts_until_the_newest_was_shown(void **state)
{
    struct stream_secrets secrets;
    unsigned char first[STREAM_SECRET_SIZE], lost[STREAM_SECRET_SIZE], second[STREAM_SECRET_SIZE];
    unsigned char newest[STREAM_SECRET_SIZE], stranger[STREAM_SECRET_SIZE];

    (void)state;
    open_with(&secrets, key, FIRST);
    assert_true(stream_secrets_make(&secrets, FIRST, NULL, first));
    assert_true(stream_secrets_count(&secrets, FIRST, first, first));
    /* The answer with the second one is lost: the first is shown again, and then the second. */
    assert_true(stream_secrets_make(&secrets, FIRST, first, lost));
    assert_true(stream_secrets_count(&secrets, FIRST, lost, first));
    assert_true(stream_secrets_make(&secrets, FIRST, first, second));
    assert_memory_not_equal(lost, second, sizeof second);
    assert_true(stream_secrets_count(&secrets, FIRST, second, first));
    memcpy(newest, second, sizeof newest);
    assert_true(stream_secrets_make(&secrets, FIRST, newest, newest));
    assert_false(stream_secrets_count(&secrets, FIRST, newest, first));
    assert_true(stream_secrets_count(&secrets, FIRST, newest, second));
    /* One that is newer than the newest is none, nor is that of another stream. */
    assert_false(stream_secrets_count(&secrets, FIRST, second, newest));
    assert_true(stream_secrets_make(&secrets, FIRST + 1, NULL, stranger));
    assert_false(stream_secrets_count(&secrets, FIRST, first, stranger));
    assert_false(stream_secrets_count(&secrets, FIRST + 1, stranger, first));
    stream_secrets_close(&secrets);
}

static void generations_go_round(void **state)
{
    struct stream_secrets secrets;
    unsigned char secret[STREAM_SECRET_SIZE], former[STREAM_SECRET_SIZE];

    (void)state;
    open_with(&secrets, key, FIRST);
    assert_true(stream_secrets_make(&secrets, FIRST, NULL, secret));
    for (int i = 0; i < 70000; i++) {
        memcpy(former, secret, sizeof former);
        assert_true(stream_secrets_make(&secrets, FIRST, former, secret));
        assert_true(stream_secrets_count(&secrets, FIRST, secret, former));
    }
    stream_secrets_close(&secrets);
}

/* ---- a key that several daemons share ---- */

enum { LIVES_MS = 60000 };

static void open_shared(struct stream_secrets *secrets)
{
    open_with(secrets, key, FIRST);
    secrets->lives_ms = LIVES_MS;
    secrets->moved.max_count = 100;
    secrets->moved.max_age_ms = LIVES_MS;
    stream_secrets_share(secrets, 5);
}

/* Each secret that was shown makes those before it worthless; an answer that was lost does no harm. */
static void with_a_shared_key_the_newest_that_was_shown_counts(void **state)
{
    struct stream_secrets here, there;
    unsigned char made[3][STREAM_SECRET_SIZE], again[STREAM_SECRET_SIZE];

    (void)state;
    open_shared(&here);
    open_shared(&there);
    assert_true(stream_secrets_make(&there, 7, NULL, made[0]));
    assert_true(stream_secrets_make(&there, 7, made[0], made[1]));
    assert_true(stream_secrets_make(&there, 7, made[1], made[2]));
    assert_false(stream_secrets_take_over(&here, 8, NULL, made[0], START));
    assert_true(stream_secrets_take_over(&here, 7, NULL, made[0], START));
    assert_true(stream_secrets_take_over(&here, 7, NULL, made[0], START));
    assert_true(stream_secrets_make(&here, 7, made[0], again));
    assert_true(stream_secrets_take_over(&here, 7, NULL, again, START));
    assert_false(stream_secrets_take_over(&here, 7, NULL, made[0], START));
    /* Where it was here last, only what was made after that elsewhere counts. */
    assert_false(stream_secrets_take_over(&here, 7, again, made[1], START));
    assert_true(stream_secrets_take_over(&here, 7, again, made[2], START));
    assert_true(stream_secrets_refuse(&here, 7, START));
    assert_false(stream_secrets_take_over(&here, 7, NULL, made[2], START));
    /* There it is not known. */
    assert_true(stream_secrets_take_over(&there, 7, NULL, made[2], START));
    stream_secrets_close(&here);
    stream_secrets_close(&there);
}

static void with_a_shared_key_a_secret_grows_old(void **state)
{
    struct stream_secrets secrets;
    unsigned char secret[STREAM_SECRET_SIZE];

    (void)state;
    open_shared(&secrets);
    assert_true(stream_secrets_make(&secrets, 7, NULL, secret));
    wall_clock_set(LIVES_MS / 1000 + 2);
    assert_false(stream_secrets_take_over(&secrets, 7, NULL, secret, START));
    wall_clock_set(-100); /* of a daemon whose clock is ahead of ours */
    assert_true(stream_secrets_take_over(&secrets, 7, NULL, secret, START));
    wall_clock_set(0);
    stream_secrets_close(&secrets);
}

static void generations_wrap_around_and_what_is_old_is_forgotten(void **state)
{
    struct moved_streams moved = {.max_count = 2, .max_age_ms = 1000};

    (void)state;
    moved_streams_open(&moved);
    assert_true(moved_streams_note(&moved, 1, 65535, 3, 0));
    assert_true(moved_streams_count(&moved, 1, 65535) && moved_streams_count(&moved, 1, 0));
    assert_false(moved_streams_count(&moved, 1, 65534));
    assert_true(moved_streams_note(&moved, 1, 2, 4, 0));
    assert_false(moved_streams_note(&moved, 1, 65535, 3, 0));
    unsigned node;
    assert_true(moved_streams_holder(&moved, 1, &node));
    assert_int_equal(node, 4);
    assert_true(moved_streams_note(&moved, 2, MOVED_STREAM_NONE, 4, 10));
    assert_false(moved_streams_count(&moved, 2, 9));
    assert_false(moved_streams_note(&moved, 2, 9, 4, 10));
    assert_false(moved_streams_holder(&moved, 2, &node));
    assert_true(moved_streams_note(&moved, 3, 0, 4, 20));
    assert_int_equal(moved.by_connid.count, 2);
    assert_false(moved_streams_holder(&moved, 1, &node));
    assert_true(moved_streams_note(&moved, 4, 0, 4, 1015));
    assert_int_equal(moved.by_connid.count, 2);
    assert_true(moved_streams_count(&moved, 2, 9));
    moved_streams_free(&moved);
}

/* As an older program hands its own over, with these two that came back. */
static bool load_with(uint64_t one, uint64_t other)
{
    struct stream_secrets secrets = {.max_age_ms = MAX_AGE};
    struct saved_writer writer = {0};

    saved_put_bytes(&writer, key, sizeof key);
    saved_put(&writer, FIRST);
    saved_put(&writer, START);
    saved_put(&writer, 2);
    saved_put(&writer, one);
    saved_put(&writer, other);
    for (int i = 0; i < 3; i++) /* not shared, no number, none moved */
        saved_put(&writer, 0);
    const unsigned char *at = (const unsigned char *)writer.out.data;
    struct saved_reader reader = {.at = at, .end = at + writer.out.length};
    bool loaded = stream_secrets_load(&secrets, &reader) && saved_is_read(&reader);
    stream_secrets_close(&secrets);
    bytes_free(&writer.out);
    return loaded;
}

static void none_came_back_twice(void **state)
{
    (void)state;
    assert_true(load_with(7, 8));
    assert_false(load_with(7, 7));
}

/* ---- OpenSSL, without memory ---- */

int __real_EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX *cipher, int padding);
int __wrap_EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX *cipher, int padding);
void __real_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *cipher);
void __wrap_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *cipher);

static bool fails;
static unsigned freed;

int __wrap_EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX *cipher, int padding)
{
    return fails ? 0 : __real_EVP_CIPHER_CTX_set_padding(cipher, padding);
}

void __wrap_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *cipher)
{
    freed += cipher != NULL;
    __real_EVP_CIPHER_CTX_free(cipher);
}

static void what_cannot_be_opened_leaves_nothing_behind(void **state)
{
    struct stream_secrets secrets = {.max_age_ms = MAX_AGE};

    (void)state;
    freed = 0;
    fails = true;
    bool opened = stream_secrets_open(&secrets, key, FIRST, START);
    fails = false;
    assert_false(opened);
    stream_secrets_close(&secrets);
    assert_int_equal(freed, 2); /* one for either way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_secret_is_another),
        cmocka_unit_test(a_secret_of_before_is_known_again_once),
        cmocka_unit_test(nobody_else_is_known),
        cmocka_unit_test(what_came_back_is_forgotten_when_nobody_can_any_more),
        cmocka_unit_test(the_one_before_counts_until_the_newest_was_shown),
        cmocka_unit_test(generations_go_round),
        cmocka_unit_test(with_a_shared_key_the_newest_that_was_shown_counts),
        cmocka_unit_test(with_a_shared_key_a_secret_grows_old),
        cmocka_unit_test(generations_wrap_around_and_what_is_old_is_forgotten),
        cmocka_unit_test(none_came_back_twice),
        cmocka_unit_test(what_cannot_be_opened_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
