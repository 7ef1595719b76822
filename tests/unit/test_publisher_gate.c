/* Who may post at all, of a request as CGI has it: by a bare secret or a signature, from where it
 * may come. (What a signature has to cover is shown with real web servers.) */
#include "publisher_gate.h"

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

/* Why it is let in by nobody's name; NULL: it is the shop. */
static const char *why_not(const char *authorization, const char *address)
{
    struct publisher_visit visit;
    assert_int_equal(setenv("HTTP_AUTHORIZATION", authorization, 1), 0);
    assert_int_equal(setenv("REMOTE_ADDR", address, 1), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_opens_it_from_where_it_may_come),
        cmocka_unit_test(a_signature_is_an_id),
    };
    return cmocka_run_group_tests(tests, load_publishers, free_publishers);
}
