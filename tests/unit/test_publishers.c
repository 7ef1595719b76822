/* The file of publishers: who they are, what they may, and what is refused with its line. */
#include "bytes.h"
#include "identity/http_signature.h"
#include "publishers/publishers.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SHOP_SECRET "shop-secret-0123456789abcdef0123456789"
#define NEXT_SECRET "next-secret-0123456789abcdef0123456789"
#define TOKEN "token-of-everybody-0123456789abcdef"

static char folder[] = "/tmp/esn-publishers.XXXXXX";
static char path[64];
static EVP_PKEY *ed25519;

static void write_file(const char *name, const char *text, mode_t mode)
{
    char full[128];
    (void)snprintf(full, sizeof full, "%s/%s", folder, name);
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0 && chmod(full, mode) == 0);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/publishers.conf", folder);
    write_file("shop.key", SHOP_SECRET "\n" NEXT_SECRET "\n", 0600);
    write_file("open.key", SHOP_SECRET "\n", 0644);
    write_file("short.key", "short\n", 0600);
    write_file("empty.key", "# nothing\n", 0600);
    write_file("tokens", TOKEN "\n", 0600);
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    char full[128];
    (void)snprintf(full, sizeof full, "%s/news.pem", folder);
    FILE *file = fopen(full, "we");
    return ed25519 != NULL && file != NULL && PEM_write_PUBKEY(file, ed25519) == 1 &&
                   fclose(file) == 0
               ? 0
               : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"shop.key", "open.key", "short.key",      "empty.key",
                                        "tokens",   "news.pem", "publishers.conf"};
    char full[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(full, sizeof full, "%s/%s", folder, names[i]);
        (void)unlink(full);
    }
    EVP_PKEY_free(ed25519);
    return rmdir(folder);
}

static const char full_file[] = "; who may publish\n"
                                "[shop]\n"
                                "secret_file = shop.key\n"
                                "topics = orders/# news/+   ; these alone\n"
                                "    stock/1\n"
                                "may = bound whisper\n"
                                "rate = 200\n"
                                "addresses = 10.0.0.0/8 ::1\n"
                                "\n"
                                "[news.example]\n"
                                "secret_file = news.pem\n"
                                "topics = #\n";

static struct publishers *load(const char *text)
{
    char error[PUBLISHERS_ERROR_SIZE] = "", tokens[64];
    (void)snprintf(tokens, sizeof tokens, "%s/tokens", folder);
    write_file("publishers.conf", text, 0640);
    struct publishers *publishers = publishers_load(tokens, path, error);
    if (publishers == NULL)
        fail_msg("%s", error);
    return publishers;
}

static void test_publishers_have_names_and_limits(void **state)
{
    (void)state;
    struct publishers *publishers = load(full_file);
    assert_int_equal(publishers_count(publishers), 3);
    const struct publisher *shop = publishers_find_name(publishers, "shop");
    assert_non_null(shop);
    assert_ptr_equal(publishers_find_secret(publishers, SHOP_SECRET, strlen(SHOP_SECRET)), shop);
    assert_ptr_equal(publishers_find_secret(publishers, NEXT_SECRET, strlen(NEXT_SECRET)), shop);
    assert_null(publishers_find_secret(publishers, "x", 1));
    assert_null(publishers_find_secret(publishers, "", 0));
    assert_int_equal(shop->may, PUBLISHER_MAY_BOUND | PUBLISHER_MAY_WHISPER);
    assert_int_equal(shop->rate, 200);
    assert_false(shop->is_signed);
    static const char *const reached[] = {"orders/1", "orders", "orders/+/x", "news/a", "stock/1"};
    static const char *const not [] = {"news", "news/a/b", "news/#", "#",
                                       "+/1",  "stock/2",  "other"};
    for (size_t i = 0; i < sizeof reached / sizeof *reached; i++)
        assert_true(publisher_may_reach(shop, reached[i], strlen(reached[i])));
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        assert_false(publisher_may_reach(shop, not [i], strlen(not [i])));
    assert_true(publisher_is_at(shop, "10.1.2.3"));
    assert_true(publisher_is_at(shop, "::1"));
    assert_false(publisher_is_at(shop, "192.168.0.1"));
    assert_false(publisher_is_at(shop, ""));
    const struct publisher *news = publishers_find_name(publishers, "news.example");
    assert_true(news->is_signed); /* nobody can show a public key as a secret */
    assert_int_equal(news->may, 0);
    assert_true(publisher_is_at(news, "192.168.0.1"));
    assert_true(news->id != shop->id && news->id != 0);
    const struct publisher *everybody = publishers_find_secret(publishers, TOKEN, strlen(TOKEN));
    assert_string_equal(everybody->name, "");
    assert_int_equal(everybody->may, PUBLISHER_MAY_ALL);
    assert_true(publisher_may_reach(everybody, "#", 1));
    assert_true(publisher_is_at(everybody, ""));
    assert_null(publishers_find_name(publishers, ""));
    publishers_free(&publishers);
}

static void sign_ed25519(struct http_signature *signature, const struct bytes *base)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    signature->value_length = sizeof signature->value;
    assert_true(EVP_DigestSignInit(context, NULL, NULL, NULL, ed25519) == 1 &&
                EVP_DigestSign(context, signature->value, &signature->value_length,
                               (const unsigned char *)base->data, base->length) == 1);
    EVP_MD_CTX_free(context);
}

static void test_signatures_of_publishers(void **state)
{
    (void)state;
    struct publishers *publishers = load(full_file);
    const struct publisher *shop = publishers_find_name(publishers, "shop");
    const struct publisher *news = publishers_find_name(publishers, "news.example");
    const struct publisher *everybody = publishers_find_secret(publishers, TOKEN, strlen(TOKEN));
    static char text[] = "\"@method\": POST";
    const struct bytes base = {.data = text, .length = sizeof text - 1};
    struct http_signature signature = {0};
    static const char *const secrets[] = {SHOP_SECRET, NEXT_SECRET, TOKEN};
    for (size_t i = 0; i < 3; i++) {
        unsigned length = 0;
        assert_non_null(HMAC(EVP_sha256(), secrets[i], (int)strlen(secrets[i]),
                             (const unsigned char *)text, base.length, signature.value, &length));
        signature.value_length = length;
        assert_int_equal(publisher_has_signed(shop, &signature, &base), i < 2);
        assert_false(publisher_has_signed(news, &signature, &base));
        assert_false(publisher_has_signed(everybody, &signature, &base));
    }
    sign_ed25519(&signature, &base);
    assert_true(publisher_has_signed(news, &signature, &base));
    assert_false(publisher_has_signed(shop, &signature, &base));
    (void)strcpy(signature.algorithm, "hmac-sha256"); /* not what its key is for */
    assert_false(publisher_has_signed(news, &signature, &base));
    (void)strcpy(signature.algorithm, "ed25519");
    assert_true(publisher_has_signed(news, &signature, &base));
    signature.value[0] ^= 1;
    assert_false(publisher_has_signed(news, &signature, &base));
    publishers_free(&publishers);
}

static void test_faults_are_told_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *fault;
    } bad[] = {
        {"", ":0: no publisher"},
        {"secret_file = shop.key\n", ":1: stands before the first [name]: secret_file"},
        {"[a b]\nrate = 1\n", ":1: a publisher's name"},
        {"[a]\nsecret_file = shop.key\n", "what it may publish on has to be said"},
        {"[a]\ntopics = #\n", "no secret_file"},
        {"[a]\nsecret_file = none.key\n", ":2: "},
        {"[a]\nsecret_file = open.key\n", ":2: "},
        {"[a]\nsecret_file = short.key\n", ":2: a secret has fewer than 32"},
        {"[a]\nsecret_file = empty.key\n", ":2: no secret"},
        {"[a]\n\nmay = everything\n", ":3: `may` takes"},
        {"[a]\nsigned = maybe\n", ":2: `signed` takes"},
        {"[a]\nrate = -1\n", ":2: `rate` takes"},
        {"[a]\nrate = 10/s\n", ":2: `rate` takes"},
        {"[a]\naddresses = 10.0.0.1/8\n", ":2: no address"},
        {"[a]\ncolour = red\n", ":2: unknown key: colour"},
        {"[a]\nsecret_file = shop.key\ntopics = a\n[b]\n", "no secret_file is given for: b"},
        {"[a]\ngarbage\n", ":2: should be \"key = value\""},
        {"[a\n", ":1: a section should be its name in brackets alone"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char error[PUBLISHERS_ERROR_SIZE] = "";
        write_file("publishers.conf", bad[i].text, 0640);
        if (publishers_load(NULL, path, error) != NULL)
            fail_msg("taken: %s", bad[i].text);
        if (strstr(error, bad[i].fault) == NULL)
            fail_msg("%s: %s", bad[i].text, error);
    }
    char error[PUBLISHERS_ERROR_SIZE] = "";
    assert_null(publishers_load(NULL, "/nowhere/at/all", error));
    assert_non_null(strstr(error, "/nowhere/at/all: No such file"));
}

static void test_lines_may_be_long_and_lists_go_on(void **state)
{
    (void)state;
    char text[2048] = "\xef\xbb\xbf[shop] ; ours\r\nsecret_file = shop.key\r\ntopics = ";
    char error[PUBLISHERS_ERROR_SIZE];
    for (int i = 0; i < 40; i++)
        (void)sprintf(text + strlen(text), "topic/%d ", i);
    strcat(text, "; the first\r\n\r\n# between\r\n\ttopic/last\r\n  signed = no\r\n");
    write_file("publishers.conf", text, 0640);
    struct publishers *publishers = publishers_load(NULL, path, error);
    if (publishers == NULL)
        fail_msg("%s", error);
    const struct publisher *shop = publishers_find_name(publishers, "shop");
    assert_non_null(shop);
    assert_true(publisher_may_reach(shop, "topic/0", 7));
    assert_true(publisher_may_reach(shop, "topic/39", 8));
    assert_true(publisher_may_reach(shop, "topic/last", 10));
    assert_false(publisher_may_reach(shop, "between", 7));
    publishers_free(&publishers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publishers_have_names_and_limits),
        cmocka_unit_test(test_signatures_of_publishers),
        cmocka_unit_test(test_faults_are_told_with_their_line),
        cmocka_unit_test(test_lines_may_be_long_and_lists_go_on),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
