/* Access tokens and the keys that verify them: each algorithm crossed with each thing that can be
 * wrong. */
#include "forged_jwt.h"
#include "identity/access_token.h"
#include "identity/jws.h"
#include "identity/jws_signer.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW 1700000000000u
#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CLAIMS                                                                                     \
    "{\"sub\":\"ana\",\"exp\":1700000600,\"iss\":\"shop\",\"aud\":[\"x\",\"notify\"],\"sid\":"     \
    "\"s1\","                                                                                      \
    "\"esn\":{\"info\":{\"n\":\"\xc3\x81na\"},\"sub\":[\"orders/4711\",\"chat/"                    \
    "+\"],\"pub\":[\"chat/7\"]}}"

static const struct access_token_rules rules = {"shop", "notify", 1000};
static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256",  "RS384",
                                         "RS512", "PS256", "PS384", "PS512",  "ES256",
                                         "ES384", "ES512", "EdDSA", "Ed25519"};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static EVP_PKEY *rsa, *other_rsa, *p256, *other_p256, *p384, *p521, *ed25519, *other_ed25519;

/* Both names of what Ed25519 makes. */
static bool is_ed25519(const char *algorithm)
{
    return algorithm[1] == 'd';
}

static EVP_PKEY *key_for(const char *algorithm)
{
    if (*algorithm == 'H')
        return NULL;
    if (*algorithm != 'E')
        return rsa;
    if (is_ed25519(algorithm))
        return ed25519;
    return algorithm[2] == '2' ? p256 : algorithm[2] == '3' ? p384 : p521;
}

static int make_keys(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    other_rsa = EVP_RSA_gen(2048);
    p256 = EVP_EC_gen("P-256");
    other_p256 = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    p521 = EVP_EC_gen("P-521");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    other_ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa != NULL && other_rsa != NULL && p256 != NULL && p384 != NULL && p521 != NULL &&
                   ed25519 != NULL && other_ed25519 != NULL
               ? 0
               : -1;
}

static int drop_keys(void **state)
{
    (void)state;
    EVP_PKEY *all[] = {rsa, other_rsa, p256, other_p256, p384, p521, ed25519, other_ed25519};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        EVP_PKEY_free(all[i]);
    return 0;
}

static char *pem_of(EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data;
    assert_int_equal(PEM_write_bio_PUBKEY(out, key), 1);
    long length = BIO_get_mem_data(out, &data);
    char *text = calloc(1, (size_t)length + 1);
    assert_non_null(text);
    memcpy(text, data, (size_t)length);
    BIO_free(out);
    return text;
}

/* The right key for an algorithm, as a file has it: a raw secret or PEM. */
static struct jose_keys *keys_for(const char *algorithm)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    char *pem = *algorithm != 'H' ? pem_of(key_for(algorithm)) : NULL;
    const char *text = pem != NULL ? pem : SECRET "\n";
    struct jose_keys *keys = jose_keys_parse(text, strlen(text), error);
    if (keys == NULL)
        fail_msg("%s: %s", algorithm, error);
    free(pem);
    return keys;
}

static char *token_of(const char *algorithm, const char *claims)
{
    char header[128];
    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithm);
    return forged_jwt(header, claims, algorithm, SECRET, key_for(algorithm));
}

static enum access_token_result read_text(const struct jose_keys *keys, const char *text)
{
    struct identity identity;
    const char *why;
    enum access_token_result result =
        access_token_read(&identity, &rules, keys, text, strlen(text), NOW, &why);
    assert_true((result == ACCESS_TOKEN_OK) == (why == NULL));
    if (result != ACCESS_TOKEN_OK)
        assert_null(identity.json);
    identity_free(&identity);
    return result;
}

static enum access_token_result read_claims(const char *algorithm, const char *claims)
{
    struct jose_keys *keys = keys_for(algorithm);
    char *text = token_of(algorithm, claims);
    enum access_token_result result = read_text(keys, text);
    free(text);
    jose_keys_free(&keys);
    return result;
}

/* ---- algorithms ---- */

static void test_each_algorithm_tells_who_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct jose_keys *keys = keys_for(algorithms[i]);
        char *text = token_of(algorithms[i], CLAIMS);
        struct identity identity;
        const char *why;
        enum access_token_result result =
            access_token_read(&identity, &rules, keys, text, strlen(text), NOW, &why);
        if (result != ACCESS_TOKEN_OK)
            fail_msg("%s: %s", algorithms[i], why);
        assert_string_equal(identity.user, "ana");
        assert_string_equal(identity.sid, "s1");
        assert_string_equal(identity.info, "{\"n\":\"\\u00C1na\"}");
        assert_true(identity.until_ms == 1700000600000);
        assert_true(identity_grants(identity.sub, "orders/4711", 11));
        assert_true(identity_grants(identity.sub, "chat/9", 6));
        assert_false(identity_grants(identity.sub, "orders/4712", 11));
        assert_true(identity_grants(identity.pub, "chat/7", 6));
        assert_false(identity_grants(identity.pub, "chat/8", 6));
        identity_free(&identity);
        free(text);
        jose_keys_free(&keys);
    }
}

/* What a token says of its algorithm never decides what a key is used for. */
static void test_no_algorithm_passes_for_another(void **state)
{
    (void)state;
    for (size_t have = 0; have < ALGORITHMS; have++) {
        struct jose_keys *keys = keys_for(algorithms[have]);
        for (size_t said = 0; said < ALGORITHMS; said++) {
            for (size_t made = 0; made < ALGORITHMS; made++) {
                bool same_key = *algorithms[have] == *algorithms[made] ||
                                (*algorithms[have] != 'E' && *algorithms[made] != 'E' &&
                                 *algorithms[have] != 'H' && *algorithms[made] != 'H');
                char header[64];
                (void)snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithms[said]);
                char *text =
                    forged_jwt(header, CLAIMS, algorithms[made], SECRET, key_for(algorithms[made]));
                bool same_name =
                    said == made || (is_ed25519(algorithms[said]) && is_ed25519(algorithms[made]));
                bool right = same_name && same_key &&
                             (*algorithms[have] != 'E' ||
                              key_for(algorithms[have]) == key_for(algorithms[made]));
                assert_int_equal(read_text(keys, text),
                                 right ? ACCESS_TOKEN_OK : ACCESS_TOKEN_REFUSED);
                free(text);
            }
        }
        jose_keys_free(&keys);
    }
}

/* The public key is public: signing with its text as a secret must not pass. */
static void test_a_public_key_is_no_secret(void **state)
{
    (void)state;
    static const char *const hmacs[] = {"HS256", "HS384", "HS512"};
    EVP_PKEY *publics[] = {rsa, p256, ed25519};
    for (size_t i = 0; i < sizeof publics / sizeof *publics; i++) {
        char *pem = pem_of(publics[i]), error[JOSE_KEYS_ERROR_SIZE];
        struct jose_keys *keys = jose_keys_parse(pem, strlen(pem), error);
        assert_non_null(keys);
        for (size_t h = 0; h < 3; h++) {
            char header[64];
            (void)snprintf(header, sizeof header, "{\"alg\":\"%s\"}", hmacs[h]);
            char *text = forged_jwt(header, CLAIMS, hmacs[h], pem, NULL);
            assert_int_equal(read_text(keys, text), ACCESS_TOKEN_REFUSED);
            free(text);
        }
        free(pem);
        jose_keys_free(&keys);
    }
}

static void test_unsigned_and_strange_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"None\"}",
                                          "{\"alg\":\"\"}",
                                          "{}",
                                          "[]",
                                          "null",
                                          "{\"alg\":7}",
                                          "{\"alg\":\"HS256\",\"alg\":\"none\"}",
                                          "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
                                          "{\"alg\":\"HS256\",\"kid\":7}",
                                          "{\"alg\":\"hs256\"}",
                                          "{\"alg\":\"A128KW\"}",
                                          "not json"};
    struct jose_keys *keys = keys_for("HS256");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char *with = forged_jwt(headers[i], CLAIMS, "HS256", SECRET, NULL);
        char *without = forged_jwt(headers[i], CLAIMS, "none", NULL, NULL);
        assert_int_equal(read_text(keys, with), ACCESS_TOKEN_REFUSED);
        assert_int_equal(read_text(keys, without), ACCESS_TOKEN_REFUSED);
        free(with);
        free(without);
    }
    jose_keys_free(&keys);
}

static void test_other_keys_and_changed_bytes(void **state)
{
    (void)state;
    static const char *const some[] = {"HS256", "RS256", "PS256", "ES256", "EdDSA"};
    EVP_PKEY *others[] = {NULL, other_rsa, other_rsa, other_p256, other_ed25519};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        struct jose_keys *keys = keys_for(some[i]);
        char header[64];
        (void)snprintf(header, sizeof header, "{\"alg\":\"%s\"}", some[i]);
        char *strange =
            forged_jwt(header, CLAIMS, some[i], "another secret of 32 bytes or more!!", others[i]);
        assert_int_equal(read_text(keys, strange), ACCESS_TOKEN_REFUSED);
        free(strange);
        char *text = token_of(some[i], CLAIMS);
        size_t length = strlen(text);
        for (size_t at = 0; at + 1 < length; at += 7) { /* the last character has spare bits */
            char kept = text[at];
            text[at] = kept == 'A' ? 'B' : 'A';
            assert_int_equal(read_text(keys, text), ACCESS_TOKEN_REFUSED);
            text[at] = kept;
        }
        for (size_t cut = 0; cut < length; cut += 5) {
            char kept = text[cut];
            text[cut] = '\0';
            assert_int_equal(read_text(keys, text), ACCESS_TOKEN_REFUSED);
            text[cut] = kept;
        }
        assert_int_equal(read_text(keys, text), ACCESS_TOKEN_OK);
        free(text);
        jose_keys_free(&keys);
    }
}

/* ---- claims ---- */

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        enum access_token_result result;
    } cases[] = {
        {"{\"iss\":\"shop\",\"aud\":\"notify\"}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600}", ACCESS_TOKEN_OK},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000000.25}", ACCESS_TOKEN_OK},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1699999999.5}", ACCESS_TOKEN_OK}, /* skew */
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1699999999}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":\"1700000600\"}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":-1}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1e300}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":null}", ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600,\"nbf\":1700000000.9,\"iat\":"
         "null}",
         ACCESS_TOKEN_OK},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600,\"nbf\":1700000002}",
         ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600,\"iat\":1700000002}",
         ACCESS_TOKEN_REFUSED},
        {"{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600,\"exp\":1800000000}",
         ACCESS_TOKEN_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (read_claims("HS256", cases[i].claims) != cases[i].result)
            fail_msg("%s", cases[i].claims);
}

static void test_who_made_it_and_for_whom(void **state)
{
    (void)state;
#define REST ",\"exp\":1700000600}"
    assert_int_equal(read_claims("HS256", "{\"iss\":\"shop\",\"aud\":\"notify\"" REST),
                     ACCESS_TOKEN_OK);
    assert_int_equal(read_claims("HS256", "{\"iss\":\"other\",\"aud\":\"notify\"" REST),
                     ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_claims("HS256", "{\"iss\":\"shop\",\"aud\":\"other\"" REST),
                     ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_claims("HS256", "{\"iss\":\"shop\",\"aud\":[]" REST),
                     ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_claims("HS256", "{\"iss\":\"shop\"" REST), ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_claims("HS256", "{\"aud\":\"notify\"" REST), ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_claims("HS256", "{\"iss\":[\"shop\"],\"aud\":{}" REST),
                     ACCESS_TOKEN_REFUSED);
#undef REST
}

static void test_other_claims(void **state)
{
    (void)state;
#define TOKEN(more) "{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600" more "}"
    static const char *const good[] = {
        TOKEN(",\"sub\":7"), TOKEN(",\"sub\":null,\"sid\":null,\"esn\":null"),
        TOKEN(",\"esn\":{\"sub\":[],\"pub\":[\"#\"],\"info\":null,\"later\":{}}"),
        TOKEN(",\"unknown\":[1]")};
    static const char *const bad[] = {TOKEN(",\"sub\":\"\""),
                                      TOKEN(",\"sub\":\"*\""),
                                      TOKEN(",\"sub\":\"+\""),
                                      TOKEN(",\"sub\":1.5"),
                                      TOKEN(",\"sub\":{}"),
                                      TOKEN(",\"sid\":7"),
                                      TOKEN(",\"sid\":\"\""),
                                      TOKEN(",\"esn\":[]"),
                                      TOKEN(",\"esn\":{\"sub\":\"a\"}"),
                                      TOKEN(",\"esn\":{\"sub\":[7]}"),
                                      TOKEN(",\"esn\":{\"sub\":[\"\"]}"),
                                      TOKEN(",\"esn\":{\"sub\":[\"@USER@\"]}"),
                                      TOKEN(",\"esn\":{\"pub\":{}}"),
                                      TOKEN(",\"esn\":{\"clid\":7}")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (read_claims("HS256", good[i]) != ACCESS_TOKEN_OK)
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_claims("HS256", bad[i]) != ACCESS_TOKEN_REFUSED)
            fail_msg("%s", bad[i]);
#undef TOKEN
}

static void test_size_and_depth(void **state)
{
    (void)state;
    static const char head[] = "{\"iss\":\"shop\",\"aud\":\"notify\",\"exp\":1700000600,\"x\":";
    char *claims = malloc(40000);
    assert_non_null(claims);
    (void)sprintf(claims, "%s\"%010000d\"}", head, 0); /* 10 KB: many, but within bounds */
    assert_int_equal(read_claims("HS256", claims), ACCESS_TOKEN_OK);
    (void)sprintf(claims, "%s\"%020000d\"}", head, 0);
    assert_int_equal(read_claims("HS256", claims), ACCESS_TOKEN_REFUSED);
    char *at = claims + sprintf(claims, "%s", head); /* jansson's bound is 2,048 levels */
    memset(at, '[', 4000);
    memset(at + 4000, ']', 4000);
    (void)strcpy(at + 8000, "}");
    assert_int_equal(read_claims("HS256", claims), ACCESS_TOKEN_REFUSED);
    (void)sprintf(claims, "%s0,\"esn\":{\"info\":\"%01100d\"}}", head, 0);
    assert_int_equal(read_claims("HS256", claims), ACCESS_TOKEN_REFUSED);
    free(claims);
}

/* ---- everything at once ---- */

enum forgery { SIGNED, OTHER_KEY, NOT_SIGNED, PUBLIC_KEY_AS_SECRET, UNKNOWN_KID };

struct fault {
    const char *what, *claims;
    enum forgery forgery;
    enum access_token_result expected;
};

#define GOOD "{\"sub\":\"ana\",\"exp\":1700000600,\"iss\":\"shop\",\"aud\":\"notify\""

static const struct fault faults[] = {
    {"right", GOOD "}", SIGNED, ACCESS_TOKEN_OK},
    {"another key", GOOD "}", OTHER_KEY, ACCESS_TOKEN_REFUSED},
    {"no signature", GOOD "}", NOT_SIGNED, ACCESS_TOKEN_REFUSED},
    {"HS256 with a public key", GOOD "}", PUBLIC_KEY_AS_SECRET, ACCESS_TOKEN_REFUSED},
    /* The keys of these sets have no names: each may be meant. */
    {"an unknown kid", GOOD "}", UNKNOWN_KID, ACCESS_TOKEN_OK},
    {"expired", "{\"sub\":\"ana\",\"exp\":1699999900,\"iss\":\"shop\",\"aud\":\"notify\"}", SIGNED,
     ACCESS_TOKEN_REFUSED},
    {"no exp", "{\"sub\":\"ana\",\"iss\":\"shop\",\"aud\":\"notify\"}", SIGNED,
     ACCESS_TOKEN_REFUSED},
    {"not yet", GOOD ",\"nbf\":1700000100}", SIGNED, ACCESS_TOKEN_REFUSED},
    {"another issuer", "{\"sub\":\"ana\",\"exp\":1700000600,\"iss\":\"x\",\"aud\":\"notify\"}",
     SIGNED, ACCESS_TOKEN_REFUSED},
    {"another audience", "{\"sub\":\"ana\",\"exp\":1700000600,\"iss\":\"shop\",\"aud\":\"x\"}",
     SIGNED, ACCESS_TOKEN_REFUSED},
    {"a claim twice", GOOD ",\"sub\":\"eva\"}", SIGNED, ACCESS_TOKEN_REFUSED},
    {"nested", GOOD ",\"x\":[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]}", SIGNED, ACCESS_TOKEN_OK},
    {"no object", "[" GOOD "}]", SIGNED, ACCESS_TOKEN_REFUSED},
};

static EVP_PKEY *another_key(const char *algorithm)
{
    if (*algorithm != 'E')
        return EVP_RSA_gen(2048);
    if (is_ed25519(algorithm))
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_EC_gen(algorithm[2] == '2' ? "P-256" : algorithm[2] == '3' ? "P-384" : "P-521");
}

static char *forge(const char *algorithm, const struct fault *fault)
{
    char header[128];
    EVP_PKEY *key = key_for(algorithm);
    const char *secret = SECRET;
    char *pem = NULL;
    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\"%s}", algorithm,
                   fault->forgery == UNKNOWN_KID ? ",\"kid\":\"who knows\"" : "");
    if (fault->forgery == OTHER_KEY) {
        secret = "another secret, as long as the one that is right, so that each of HS fits it";
        key = key != NULL ? another_key(algorithm) : NULL;
    } else if (fault->forgery == NOT_SIGNED) {
        return forged_jwt("{\"alg\":\"none\"}", fault->claims, "none", NULL, NULL);
    } else if (fault->forgery == PUBLIC_KEY_AS_SECRET) {
        pem = pem_of(key != NULL ? key : rsa);
        (void)snprintf(header, sizeof header, "{\"alg\":\"HS256\"}");
        algorithm = "HS256";
        secret = pem;
    }
    char *text = forged_jwt(header, fault->claims, algorithm, secret, key);
    if (fault->forgery == OTHER_KEY)
        EVP_PKEY_free(key);
    free(pem);
    return text;
}

static void test_each_algorithm_with_each_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        struct jose_keys *keys = keys_for(algorithms[i]);
        for (size_t j = 0; j < sizeof faults / sizeof *faults; j++) {
            char *text = forge(algorithms[i], &faults[j]);
            enum access_token_result result = read_text(keys, text);
            if (result != faults[j].expected)
                fail_msg("%s, %s: %d", algorithms[i], faults[j].what, (int)result);
            free(text);
        }
        jose_keys_free(&keys);
    }
}

/* ---- sets of keys ---- */

#define OCT(kid, more)                                                                             \
    "{\"kty\":\"oct\",\"k\":"                                                                      \
    "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyM"                      \
    "zQ1Njc4OWFiY2RlZg\",\"kid\":\"" kid "\"" more "}"

static enum access_token_result read_with_set(const char *set, const char *header,
                                              const char *algorithm)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    struct jose_keys *keys = jose_keys_parse(set, strlen(set), error);
    if (keys == NULL)
        fail_msg("%s: %s", set, error);
    char *text = forged_jwt(header, CLAIMS, algorithm, SECRET, key_for(algorithm));
    enum access_token_result result = read_text(keys, text);
    free(text);
    jose_keys_free(&keys);
    return result;
}

static void test_keys_are_chosen_by_their_id(void **state)
{
    (void)state;
    static const char set[] =
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},7,"
        "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"kid\":"
        "\"old\"}," OCT("new", "") "]}";
    assert_int_equal(read_with_set(set, "{\"alg\":\"HS256\",\"kid\":\"new\"}", "HS256"),
                     ACCESS_TOKEN_OK);
    assert_int_equal(read_with_set(set, "{\"alg\":\"HS256\"}", "HS256"), ACCESS_TOKEN_OK);
    assert_int_equal(read_with_set(set, "{\"alg\":\"HS256\",\"kid\":\"old\"}", "HS256"),
                     ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_with_set(set, "{\"alg\":\"HS256\",\"kid\":\"next\"}", "HS256"),
                     ACCESS_TOKEN_UNKNOWN_KEY);
}

static void test_a_key_is_used_for_what_it_is_for(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"HS256\"}";
    assert_int_equal(read_with_set(OCT("a", ",\"alg\":\"HS256\""), header, "HS256"),
                     ACCESS_TOKEN_OK);
    assert_int_equal(read_with_set(OCT("a", ",\"alg\":\"HS512\""), header, "HS256"),
                     ACCESS_TOKEN_REFUSED);
    static const char *const useless[] = {
        OCT("a", ",\"use\":\"enc\""),
        OCT("a", ",\"key_ops\":[\"encrypt\"]"),
        OCT("a", ",\"alg\":\"RS256\""),
        "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
        "{\"keys\":[]}",
        "{\"keys\":7}",
        "{}",
        "{\"kty\":\"RSA\"}",
        "{",
        "short secret",
        "# only a comment\n",
        "",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"};
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        char error[JOSE_KEYS_ERROR_SIZE] = "";
        struct jose_keys *keys = jose_keys_parse(useless[i], strlen(useless[i]), error);
        if (keys != NULL)
            fail_msg("%s", useless[i]);
        assert_true(*error != '\0');
    }
}

/* ---- Ed25519 (RFC 8037) ---- */

/* Appendix A.2, A.4 and A.5. The payload is no JSON: a right signature is JWS_NO_JWS. */
#define RFC8037_KEY                                                                                \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                                        \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define RFC8037_INPUT "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."

static enum jws_result verify_rfc8037(const char *key, const char *signature)
{
    char text[256], error[JOSE_KEYS_ERROR_SIZE];
    json_t *claims;
    struct jose_keys *keys = jose_keys_parse_public_set(key, strlen(key), error);
    if (keys == NULL)
        fail_msg("%s: %s", key, error);
    int length = snprintf(text, sizeof text, RFC8037_INPUT "%s", signature);
    enum jws_result result = jws_verify(keys, text, (size_t)length, &claims);
    assert_null(claims);
    jose_keys_free(&keys);
    return result;
}

static void test_vectors_of_rfc8037(void **state)
{
    (void)state;
    static const char signature[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg"
                                    "5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_int_equal(verify_rfc8037(RFC8037_KEY, signature), JWS_NO_JWS);
    for (size_t i = 0; i + 1 < sizeof signature - 1; i++) { /* the last one has spare bits */
        char changed[sizeof signature];
        memcpy(changed, signature, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verify_rfc8037(RFC8037_KEY, changed), JWS_REFUSED);
    }
    /* The same with the order of the group added to its second half (RFC 8032, section 5.1.7). */
    static const char second[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6KLa6_pyZkOh9Vg8wkiO"
                                 "1VhVsPt9g7sVvpAr_MuM0KEg";
    assert_int_equal(verify_rfc8037(RFC8037_KEY, second), JWS_REFUSED);
}

static void test_keys_of_ed25519_that_are_none(void **state)
{
    (void)state;
#define OKP(more) "{\"kty\":\"OKP\",\"crv\":" more "}"
    static const char *const useless[] = {
        OKP("\"Ed25519\""),
        OKP("\"Ed25519\",\"x\":7"),
        OKP("\"Ed25519\",\"x\":\"\""),
        OKP("\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ\""),
        OKP("\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURpA\""),
        OKP("\"Ed25519\",\"x\":\"11qYAYKxCrfVS+7TyWQHOg7hcvPapiMlrwIaaPcHURo\""),
        OKP("\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""),
        OKP("\"Ed448\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""),
        OKP("\"Ed25519\",\"use\":\"enc\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""),
        OKP("\"Ed25519\",\"alg\":\"ES256\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"")};
#undef OKP
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        char error[JOSE_KEYS_ERROR_SIZE] = "";
        if (jose_keys_parse(useless[i], strlen(useless[i]), error) != NULL)
            fail_msg("%s", useless[i]);
        assert_string_equal(error, "no key that can verify a signature");
    }
}

/* With "alg" in the key, only its own name will do. */
static void test_a_key_of_ed25519_is_for_the_algorithm_that_it_names(void **state)
{
    (void)state;
    unsigned char bytes[32];
    size_t size = sizeof bytes;
    char set[256];
    assert_int_equal(EVP_PKEY_get_raw_public_key(ed25519, bytes, &size), 1);
    char *x = forged_base64url(bytes, size);
    (void)snprintf(
        set, sizeof set,
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"alg\":\"EdDSA\","
        "\"x\":\"%s\"}]}",
        x);
    free(x);
    assert_int_equal(read_with_set(set, "{\"alg\":\"EdDSA\",\"kid\":\"a\"}", "EdDSA"),
                     ACCESS_TOKEN_OK);
    assert_int_equal(read_with_set(set, "{\"alg\":\"Ed25519\",\"kid\":\"a\"}", "EdDSA"),
                     ACCESS_TOKEN_REFUSED);
    assert_int_equal(read_with_set(set, "{\"alg\":\"EdDSA\",\"kid\":\"b\"}", "EdDSA"),
                     ACCESS_TOKEN_UNKNOWN_KEY);
}

/* A pair of our own ([token] sign_file) verifies with the public half alone. */
static void test_signing_with_ed25519(void **state)
{
    (void)state;
    char path[] = "/tmp/esn-keys.XXXXXX", error[JOSE_KEYS_ERROR_SIZE];
    int file = mkstemp(path);
    FILE *stream = fdopen(file, "w");
    assert_non_null(stream);
    assert_int_equal(PEM_write_PrivateKey(stream, ed25519, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(stream), 0);
    struct jws_signer *signer = jws_signer_load(path, error);
    if (signer == NULL)
        fail_msg("%s", error);
    char *text = jws_signer_sign(signer, CLAIMS);
    struct jose_keys *keys = keys_for("EdDSA");
    assert_int_equal(read_text(keys, text), ACCESS_TOKEN_OK);
    assert_int_equal(read_text(jws_signer_keys(signer), text), ACCESS_TOKEN_OK);
    free(text);
    jose_keys_free(&keys);
    jws_signer_free(&signer);
    assert_int_equal(unlink(path), 0);
}

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/esn-keys.XXXXXX", error[JOSE_KEYS_ERROR_SIZE];
    int file = mkstemp(path);
    static const char text[] =
        "\xef\xbb\xbf# of the shop\n" SECRET "\r\n\nanother secret of 32 bytes or more!!\n";
    assert_true(write(file, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    struct jose_keys *keys = jose_keys_load(path, error);
    assert_non_null(keys);
    assert_int_equal(jose_keys_count(keys), 2);
    jose_keys_free(&keys);
    assert_int_equal(fchmod(file, 0644), 0);
    assert_null(jose_keys_load(path, error));
    assert_non_null(strstr(error, "others can open it"));
    assert_true(fchmod(file, 0600) == 0 && ftruncate(file, sizeof text - 1 - 10) == 0);
    assert_null(jose_keys_load(path, error));
    assert_non_null(strstr(error, "a secret has fewer than 32 characters"));
    char *pem = pem_of(p256);
    assert_true(ftruncate(file, 0) == 0 && pwrite(file, pem, strlen(pem), 0) > 0);
    keys = jose_keys_load(path, error); /* public: others may read it */
    assert_non_null(keys);
    jose_keys_free(&keys);
    free(pem);
    (void)close(file);
    assert_int_equal(unlink(path), 0);
    assert_null(jose_keys_load(path, error));
    assert_non_null(strstr(error, "No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(jose_keys_load(path, error));
    assert_non_null(strstr(error, "not a regular file"));
    assert_int_equal(unlink(path), 0);
}

/* ---- binding servers ---- */

static void test_answers_of_binding_servers(void **state)
{
    (void)state;
    struct identity identity;
    json_t *answer = json_loads("{\"uid\":7,\"until\":1700000005.5,\"sid\":\"s\",\"info\":[1],"
                                "\"sub\":[\"a/#\"],\"pub\":null}",
                                0, NULL);
    assert_null(identity_from_answer(&identity, answer, NOW));
    assert_string_equal(identity.user, "7");
    assert_true(identity.until_ms == 1700000005500);
    assert_string_equal(identity.info, "[1]");
    assert_true(identity_grants(identity.sub, "a/b/#", 5));
    identity_free(&identity);
    assert_null(identity_from_answer(&identity, json_loads("{\"uid\":null}", 0, NULL), NOW));
    assert_string_equal(identity.user, USER_ID_NO_USER);
    assert_true(identity.until_ms == UINT64_MAX);
    identity_free(&identity);
    static const char *const bad[] = {"{\"uid\":\"\"}",
                                      "{\"uid\":\"__DONT__\"}",
                                      "{\"uid\":1,\"until\":1699999999}",
                                      "{\"uid\":1,\"until\":\"soon\"}",
                                      "{\"uid\":1,\"sub\":\"a\"}",
                                      "{}",
                                      "{\"user\":\"ana\"}",
                                      "{\"uid\":\"ana\",\"untill\":1800000000}",
                                      "{\"uid\":1,\"sid\":7}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (identity_from_answer(&identity, json_loads(bad[i], 0, NULL), NOW) == NULL)
            fail_msg("%s", bad[i]);
        assert_null(identity.json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_algorithm_tells_who_it_is),
        cmocka_unit_test(test_no_algorithm_passes_for_another),
        cmocka_unit_test(test_a_public_key_is_no_secret),
        cmocka_unit_test(test_unsigned_and_strange_headers),
        cmocka_unit_test(test_other_keys_and_changed_bytes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_who_made_it_and_for_whom),
        cmocka_unit_test(test_other_claims),
        cmocka_unit_test(test_size_and_depth),
        cmocka_unit_test(test_keys_are_chosen_by_their_id),
        cmocka_unit_test(test_a_key_is_used_for_what_it_is_for),
        cmocka_unit_test(test_vectors_of_rfc8037),
        cmocka_unit_test(test_keys_of_ed25519_that_are_none),
        cmocka_unit_test(test_a_key_of_ed25519_is_for_the_algorithm_that_it_names),
        cmocka_unit_test(test_signing_with_ed25519),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_each_algorithm_with_each_fault),
        cmocka_unit_test(test_answers_of_binding_servers),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
