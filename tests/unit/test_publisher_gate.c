/* Who may post at all, of a request as CGI has it: by a bare secret or a signature, from where it
 * may come. (What a signature has to cover is shown with real web servers.) */
#include "publisher_gate.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "shop-secret-0123456789abcdef0123456789"

static char folder[] = "/tmp/esn-gate-XXXXXX";
static char path[64], secret[64];
static struct publishers *publishers;
static const struct config config = {.signature_age = 60000};

static void write_file(char out[64], const char *name, const char *text)
{
    (void)snprintf(out, 64, "%s/%s", folder, name);
    FILE *file = fopen(out, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0 && chmod(out, 0600) == 0);
}

static int load_publishers(void **state)
{
    char error[PUBLISHERS_ERROR_SIZE];
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_file(secret, "shop.key", SECRET "\n");
    write_file(path, "publishers.conf",
               "[shop]\nsecret_file = shop.key\ntopics = #\naddresses = 192.0.2.7\n");
    publishers = publishers_load(NULL, path, error);
    if (publishers == NULL)
        fail_msg("%s", error);
    return 0;
}

static int free_publishers(void **state)
{
    (void)state;
    publishers_free(&publishers);
    return unlink(secret) == 0 && unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void set(const char *variable, const char *value)
{
    assert_int_equal(setenv(variable, value, 1), 0);
}

/* Why it is let in by nobody's name; NULL: it is the shop. */
static const char *why_not(const char *authorization, const char *address)
{
    struct publisher_visit visit;
    set("HTTP_AUTHORIZATION", authorization);
    set("REMOTE_ADDR", address);
    struct handler_request *request = handler_request_open(HANDLER_CGI);
    assert_non_null(request);
    assert_int_equal(handler_request_accept(request, NULL), 1);
    assert_true(handler_request_begin(request));
    publisher_gate_begin(&visit, publishers, &config, request, 1700000000000);
    const char *why = visit.why;
    assert_int_equal(why == NULL, visit.publisher != NULL);
    if (visit.publisher != NULL)
        assert_ptr_equal(visit.publisher, publishers_find_name(publishers, "shop"));
    assert_true(publisher_gate_takes_body(&visit, request, &BYTES_EMPTY));
    publisher_gate_end(&visit);
    handler_request_close(&request);
    return why;
}

static void a_secret_opens_it_from_where_it_may_come(void **state)
{
    (void)state;
    assert_null(why_not("Bearer " SECRET, "192.0.2.7"));
    assert_string_equal(why_not("Bearer " SECRET, "192.0.2.8"),
                        "from an address that is not the publisher's");
    assert_string_equal(why_not("Bearer other", "192.0.2.7"), "no token that is known");
}

#define NO_BODY "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
#define PARTS "\"@method\" \"@path\" \"@authority\" \"content-digest\""
#define SIGNED ";created=1700000000;keyid=\"shop\""

/* A post to this authority that the shop has signed; `more`: other lines of what is signed, and
 * their names. */
static void sign_with(const char *authority, const char *more, const char *names)
{
    char base[512], value[128] = "s=:", input[256];
    unsigned char made[EVP_MAX_MD_SIZE];
    unsigned size;
    (void)snprintf(input, sizeof input, "s=(" PARTS "%s)" SIGNED, names);
    int length = snprintf(base, sizeof base,
                          "\"@method\": POST\n\"@path\": /event\n\"@authority\": %s\n"
                          "\"content-digest\": " NO_BODY "\n%s\"@signature-params\": %s",
                          authority, more, input + strlen("s="));
    assert_non_null(HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (unsigned char *)base,
                         (size_t)length, made, &size));
    (void)EVP_EncodeBlock((unsigned char *)value + 3, made, (int)size);
    (void)strcat(value, ":");
    set("REQUEST_METHOD", "POST");
    set("REQUEST_URI", "/event");
    set("HTTP_CONTENT_DIGEST", NO_BODY);
    set("HTTP_SIGNATURE_INPUT", input);
    set("HTTP_SIGNATURE", value);
}

static void sign(const char *authority)
{
    sign_with(authority, "", "");
}

/* RFC 9421, section 2.2.3; a host that a client leaves out, or that is no more than a port, is as
 * it came. */
static void a_host_is_signed_without_the_port_of_its_scheme(void **state)
{
    static const struct {
        const char *https, *host, *authority;
    } cases[] = {{"", "Example.COM", "example.com"},
                 {"", "example.com:80", "example.com"},
                 {"", "example.com:443", "example.com:443"},
                 {"on", "example.com:443", "example.com"},
                 {"on", "example.com:80", "example.com:80"},
                 {"", "a:80", "a"},
                 {"", ":80", ":80"},
                 {"on", ":443", ":443"},
                 {"on", "a", "a"},
                 {"", "", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set("HTTPS", cases[i].https);
        set("HTTP_HOST", cases[i].host);
        sign(cases[i].authority);
        const char *why = why_not("", "192.0.2.7");
        if (why != NULL)
            fail_msg("%s: %s", cases[i].host, why);
        sign("elsewhere");
        assert_string_equal(why_not("", "192.0.2.7"), "the signature is not the publisher's");
    }
    assert_int_equal(unsetenv("HTTP_SIGNATURE_INPUT"), 0);
}

/* Its kind stands before it: no post's own id is taken for it. */
static void a_signature_is_an_id(void **state)
{
    struct bytes id = BYTES_EMPTY;
    const struct publisher_visit visit = {
        .is_signed = true, .signature = {.value = {0x01, 0xab, 0xff}, .value_length = 3}};
    (void)state;
    publisher_gate_write_id(&id, &visit);
    assert_string_equal(bytes_terminate(&id), "signature:01abff");
    bytes_free(&id);
}

/* Its name in CGI begins with no HTTP_ (RFC 3875, section 4.1.3). */
static void what_kind_of_content_it_is_may_be_signed(void **state)
{
    (void)state;
    set("HTTPS", "");
    set("HTTP_HOST", "a");
    sign_with("a", "\"content-type\": application/json\n", " \"content-type\"");
    set("CONTENT_TYPE", "application/json");
    assert_null(why_not("", "192.0.2.7"));
    set("CONTENT_TYPE", "text/plain");
    assert_string_equal(why_not("", "192.0.2.7"), "the signature is not the publisher's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_opens_it_from_where_it_may_come),
        cmocka_unit_test(a_host_is_signed_without_the_port_of_its_scheme),
        cmocka_unit_test(what_kind_of_content_it_is_may_be_signed),
        cmocka_unit_test(a_signature_is_an_id),
    };
    return cmocka_run_group_tests(tests, load_publishers, free_publishers);
}
