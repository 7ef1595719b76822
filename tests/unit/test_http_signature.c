/* Signatures of requests: the vectors of RFC 9421, appendix B.2, and what is changed in them by one
 * byte. */
#include "identity/http_signature.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 9421, appendix B.2: the request that its signatures are of. */
struct header {
    const char *name;
    const char *value;
};
static struct header headers[] = {
    {"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
    {"content-type", "application/json"},
    {"content-digest",
     "sha-512=:WZDPaVn/"
     "7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
    {"content-length", "18"},
};

static const char *find_header(const void *context, const char *name)
{
    const struct header *list = context;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strcmp(list[i].name, name) == 0)
            return list[i].value;
    return NULL;
}

static const struct http_signature_request request = {.method = "POST",
                                                      .scheme = "https",
                                                      .authority = "example.com",
                                                      .target = "/foo?param=Value&Pet=dog",
                                                      .header = find_header,
                                                      .context = headers};

/* Appendix B.1.5 and B.1.4. */
static const char shared_secret[] =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
static const char ed25519_key[] = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

static const char hmac_input[] = "sig-b25=(\"date\" \"@authority\" \"content-type\")"
                                 ";created=1618884473;keyid=\"test-shared-secret\"";
static const char hmac_value[] = "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";
static const char ed25519_input[] =
    "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
    ";created=1618884473;keyid=\"test-key-ed25519\"";
static const char ed25519_value[] = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1"
                                    "u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";

static size_t decode(unsigned char out[128], const char *text)
{
    int size = EVP_DecodeBlock(out, (const unsigned char *)text, (int)strlen(text));
    assert_true(size > 0);
    for (const char *end = text + strlen(text); end[-1] == '='; end--)
        size--;
    return (size_t)size;
}

static bool is_right(const char *input, const char *value, const struct http_signature_request *of)
{
    struct http_signature signature;
    struct bytes base = BYTES_EMPTY;
    unsigned char key[128];
    if (http_signature_read(&signature, input, value) != NULL)
        return false;
    bool right = http_signature_write_base(&base, &signature, of) == NULL;
    if (right && strcmp(signature.keyid, "test-key-ed25519") == 0)
        right = decode(key, ed25519_key) == 32 && http_signature_is_ed25519(&signature, &base, key);
    else if (right)
        right = http_signature_is_hmac_sha256(&signature, &base, key, decode(key, shared_secret));
    bytes_free(&base);
    http_signature_free(&signature);
    return right;
}

static void test_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    struct http_signature signature;
    struct bytes base = BYTES_EMPTY;
    assert_null(http_signature_read(&signature, hmac_input, hmac_value));
    assert_string_equal(signature.label, "sig-b25");
    assert_string_equal(signature.keyid, "test-shared-secret");
    assert_int_equal(signature.created_s, 1618884473);
    assert_int_equal(signature.expires_s, -1);
    assert_null(http_signature_write_base(&base, &signature, &request));
    assert_string_equal(bytes_terminate(&base),
                        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                        "\"@authority\": example.com\n"
                        "\"content-type\": application/json\n"
                        "\"@signature-params\": (\"date\" \"@authority\" \"content-type\")"
                        ";created=1618884473;keyid=\"test-shared-secret\"");
    bytes_free(&base);
    http_signature_free(&signature);
    assert_true(is_right(hmac_input, hmac_value, &request));
    assert_true(is_right(ed25519_input, ed25519_value, &request));
}

/* Parsed and written anew: blanks that a proxy put in do not matter. */
static void test_blanks_do_not_matter(void **state)
{
    (void)state;
    assert_true(
        is_right("  sig-b25=( \"date\"   \"@authority\" \"content-type\" ); created=1618884473;"
                 " keyid=\"test-shared-secret\"\t",
                 " sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=: ", &request));
}

/* Any byte of the fields, and any part of the request that is covered. */
static void test_one_byte_is_enough(void **state)
{
    (void)state;
    static const char *const inputs[] = {hmac_input, ed25519_input};
    static const char *const values[] = {hmac_value, ed25519_value};
    for (size_t i = 0; i < 2; i++) {
        char input[256], value[256];
        (void)snprintf(input, sizeof input, "%s", inputs[i]);
        (void)snprintf(value, sizeof value, "%s", values[i]);
        for (char *at = input; *at != '\0'; at++) {
            char kept = *at;
            *at = kept == 'x' ? 'y' : 'x';
            assert_false(is_right(input, value, &request));
            *at = kept;
        }
        char *end = strrchr(value, '=');
        for (char *at = value; at < end - 2; at++) { /* the last letters have spare bits */
            char kept = *at;
            *at = kept == 'x' ? 'y' : 'x';
            assert_false(is_right(input, value, &request));
            *at = kept;
        }
        assert_true(is_right(input, value, &request));
    }
    struct http_signature_request other = request;
    other.authority = "example.org";
    assert_false(is_right(hmac_input, hmac_value, &other));
    other = request;
    other.method = "PUT";
    assert_true(is_right(hmac_input, hmac_value, &other)); /* not covered there */
    assert_false(is_right(ed25519_input, ed25519_value, &other));
    other = request;
    other.target = "/fooo?param=Value&Pet=dog";
    assert_false(is_right(ed25519_input, ed25519_value, &other));
    struct header changed[sizeof headers / sizeof *headers];
    memcpy(changed, headers, sizeof headers);
    changed[0].value = "Tue, 20 Apr 2021 02:07:56 GMT";
    other = request;
    other.context = changed;
    assert_false(is_right(hmac_input, hmac_value, &other));
    changed[0].name = "other";
    assert_false(is_right(hmac_input, hmac_value, &other));
}

static void test_all_that_a_request_has_can_be_covered(void **state)
{
    (void)state;
    struct http_signature signature;
    struct bytes base = BYTES_EMPTY;
    assert_null(http_signature_read(
        &signature,
        "s=(\"@method\" \"@target-uri\" \"@scheme\" \"@request-target\" \"@path\" \"@query\");"
        "nonce=\"a\\\"b\\\\\";expires=5;alg=\"ed25519\";x=-7",
        "s=::"));
    assert_string_equal(signature.algorithm, "ed25519");
    assert_int_equal(signature.expires_s, 5);
    assert_null(http_signature_write_base(&base, &signature, &request));
    assert_string_equal(bytes_terminate(&base),
                        "\"@method\": POST\n"
                        "\"@target-uri\": https://example.com/foo?param=Value&Pet=dog\n"
                        "\"@scheme\": https\n"
                        "\"@request-target\": /foo?param=Value&Pet=dog\n"
                        "\"@path\": /foo\n"
                        "\"@query\": ?param=Value&Pet=dog\n"
                        "\"@signature-params\": (\"@method\" \"@target-uri\" \"@scheme\" "
                        "\"@request-target\" \"@path\" \"@query\");nonce=\"a\\\"b\\\\\";expires=5;"
                        "alg=\"ed25519\";x=-7");
    bytes_free(&base);
    http_signature_free(&signature);
    struct http_signature_request bare = request;
    bare.target = "/foo";
    assert_null(http_signature_read(&signature, "s=(\"@query\")", "s=::"));
    assert_null(http_signature_write_base(&base, &signature, &bare));
    assert_string_equal(bytes_terminate(&base),
                        "\"@query\": ?\n\"@signature-params\": (\"@query\")");
    bytes_free(&base);
    http_signature_free(&signature);
}

static void test_what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        const char *value;
    } bad[] = {{"", "s=::"},
               {"s", "s=::"},
               {"s=", "s=::"},
               {"s=()", ""},
               {"s=()", "s"},
               {"s=()", "t=::"},
               {"s=()", "s=:AAA:"},
               {"s=()", "s=:AA=A:"},
               {"s=()", "s=AAAA"},
               {"s=()", "s=:AAAA:, t=:AAAA:"},
               {"s=(), t=()", "s=::"},
               {"s=(\"a\" \"a\")", "s=::"},
               {"s=(\"a\";sf)", "s=::"},
               {"s=(\"a)", "s=::"},
               {"s=(a)", "s=::"},
               {"s=(\"a\"", "s=::"},
               {"s=();created=1.5", "s=::"},
               {"s=();created=-1", "s=::"},
               {"s=();created=\"1\"", "s=::"},
               {"s=();created=1234567890123456", "s=::"},
               {"s=();keyid=7", "s=::"},
               {"s=();keyid", "s=::"},
               {"s=();alg=7", "s=::"},
               {"S=()", "S=::"},
               {"{=()", "{=::"},
               {"a|b=()", "a|b=::"}};
    struct http_signature signature;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (http_signature_read(&signature, bad[i].input, bad[i].value) == NULL)
            fail_msg("%s %s", bad[i].input, bad[i].value);
        assert_null(signature.parameters.data);
    }
    char input[1024] = "s=(", *at = input + 3;
    for (int i = 0; i < 17; i++)
        at += sprintf(at, "\"h%d\" ", i);
    (void)strcpy(at, ")");
    assert_non_null(http_signature_read(&signature, input, "s=::"));
    /* Nor is an algorithm left out whose name has no room: any would do then. */
    (void)snprintf(input, sizeof input, "s=();alg=\"%0*d\"", (int)sizeof signature.algorithm, 0);
    assert_non_null(http_signature_read(&signature, input, "s=::"));
    struct bytes base = BYTES_EMPTY;
    assert_null(http_signature_read(&signature, "s=(\"@status\")", "s=::"));
    assert_non_null(http_signature_write_base(&base, &signature, &request));
    bytes_free(&base);
    http_signature_free(&signature);
}

static void test_a_key_ends_with_its_field(void **state)
{
    (void)state;
    static const char text[] = "abcdef";
    struct structured_field field = {text, text + 3};
    char key[STRUCTURED_FIELD_KEY_SIZE];
    assert_true(structured_field_key(&field, key));
    assert_string_equal(key, "abc");
    assert_true(structured_field_ended(&field));
    assert_false(structured_field_key(&field, key));
}

/* RFC 9530, appendix B, has its examples with this body. */
static void test_digests_of_bodies(void **state)
{
    (void)state;
    static const char body[] = "{\"hello\": \"world\"}\n";
#define RIGHT "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert_true(http_signature_digest_matches(RIGHT, body, strlen(body)));
    assert_true(http_signature_digest_matches("md5=:AAAA:,\t" RIGHT, body, strlen(body)));
    assert_false(http_signature_digest_matches(RIGHT, body, strlen(body) - 1));
    assert_false(http_signature_digest_matches("md5=:AAAA:", body, strlen(body)));
    assert_false(http_signature_digest_matches("", body, strlen(body)));
    assert_false(http_signature_digest_matches(RIGHT ",", body, strlen(body)));
    assert_false(http_signature_digest_matches(RIGHT ", sha-256=:AAAA:", body, strlen(body)));
    assert_false(http_signature_digest_matches(
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:", body, strlen(body)));
#undef RIGHT
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_the_rfc),
        cmocka_unit_test(test_blanks_do_not_matter),
        cmocka_unit_test(test_one_byte_is_enough),
        cmocka_unit_test(test_all_that_a_request_has_can_be_covered),
        cmocka_unit_test(test_what_cannot_be_read_is_refused),
        cmocka_unit_test(test_a_key_ends_with_its_field),
        cmocka_unit_test(test_digests_of_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
