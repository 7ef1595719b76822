/* Tickets, and the memory of used ones. */
#include "forged_jwt.h"
#include "ticket.h"
#include "used_tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1700000000 };

static char first_secret[] = "0123456789abcdef0123456789abcdef";
static char second_secret[] = "fedcba9876543210fedcba9876543210";
static char other_secret[] = "nobody knows this one, not even us";
static char *both[] = {first_secret, second_secret}, *swapped[] = {second_secret, first_secret},
            *strange[] = {other_secret};
static const struct secret_list both_secrets = {both, 2}, swapped_secrets = {swapped, 2},
                                second_alone = {swapped, 1}, strange_secrets = {strange, 1};
static const struct ticket_rules rules = {&both_secrets, 10, 60, 0};

static const struct requested_topic topics[] = {{"a/b", 3, false, false},
                                                {"CASA/\xc3\xb1/#", 9, true, false},
                                                {"@USER@", 6, true, false},
                                                {"orders/4711", 11, false, true}};
static const struct ticket full = {
    .user = "ana", .topics = topics, .topic_count = 4, .clid = "page", .last_id = "7-12"};

static const char *sign(struct bytes *out, const struct ticket_rules *with,
                        const struct ticket *ticket)
{
    bytes_clear(out);
    assert_int_equal(ticket_sign(out, with, ticket, NOW), TICKET_OK);
    return bytes_terminate(out);
}

static enum ticket_result read_at(const char *text, const struct ticket_rules *with, uint64_t now)
{
    struct ticket ticket;
    const char *why = NULL;
    enum ticket_result result = ticket_read(&ticket, with, text, strlen(text), now, &why);
    if (result == TICKET_OK) {
        assert_null(why);
        assert_non_null(ticket.id);
    } else {
        assert_non_null(why);
        assert_null(ticket.storage);
        assert_null(ticket.topics);
    }
    ticket_free(&ticket);
    return result;
}

/* ---- what we sign ourselves ---- */

static void test_names_the_daemon_that_is_to_take_it(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY;
    struct ticket named = full, read;
    for (unsigned node = 0; node < 1024; node += 1023) {
        named.names_node = true;
        named.node = node;
        sign(&text, &rules, &named);
        assert_int_equal(ticket_read(&read, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
        assert_true(read.names_node);
        assert_int_equal(read.node, node);
        ticket_free(&read);
    }
    sign(&text, &rules, &full);
    assert_int_equal(ticket_read(&read, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_false(read.names_node);
    ticket_free(&read);
    bytes_free(&text);
}

static void test_comes_back_as_it_went(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY;
    struct ticket ticket;
    sign(&text, &rules, &full);
    assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_."),
                     text.length);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_string_equal(ticket.user, "ana");
    assert_string_equal(ticket.clid, "page");
    assert_string_equal(ticket.last_id, "7-12");
    assert_int_equal(strlen(ticket.id), 32);
    assert_int_equal(ticket.forget_after_s, NOW + 10);
    assert_int_equal(ticket.topic_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ticket.topics[i].length, topics[i].length);
        assert_string_equal(ticket.topics[i].text, topics[i].text);
        assert_int_equal(ticket.topics[i].bound, topics[i].bound);
        assert_int_equal(ticket.topics[i].granted, topics[i].granted);
    }
    ticket_free(&ticket);
    ticket_free(&ticket);
    bytes_free(&text);
}

static void test_what_may_be_missing(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY;
    struct ticket ticket;
    const struct ticket small = {.topics = topics, .topic_count = 1};
    const struct ticket empty = {.user = "[][][]"};
    sign(&text, &rules, &small);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_null(ticket.user);
    assert_null(ticket.clid);
    assert_null(ticket.last_id);
    assert_false(ticket.topics[0].bound);
    ticket_free(&ticket);
    sign(&text, &rules, &empty);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_string_equal(ticket.user, "[][][]");
    assert_int_equal(ticket.topic_count, 0);
    ticket_free(&ticket);
    bytes_free(&text);
}

static void test_says_what_may_be_heard_of_the_past(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY;
    struct ticket ticket;
    struct past_rights past = {0};
    const struct ticket with_past = {
        .user = "ana", .topics = topics, .topic_count = 3, .past = &past};
    for (int known = 0; known < 4; known++) {
        past.topics_known = (known & 1) != 0;
        past.inbox_known = (known & 2) != 0;
        sign(&text, &rules, &with_past);
        assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL),
                         TICKET_OK);
        assert_int_equal(ticket.past->topics_known, past.topics_known);
        assert_int_equal(ticket.past->inbox_known, past.inbox_known);
        assert_int_equal(ticket.past->deaf.length + ticket.past->inbox.length, 0);
        ticket_free(&ticket);
    }
    bytes_append(&past.deaf, "a/b\0\xc3\xb1", 7);
    bytes_append(&past.unregistered, "a/b", 4);
    bytes_append(&past.inbox, "c", 2);
    sign(&text, &rules, &with_past);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_int_equal(ticket.past->deaf.length, past.deaf.length);
    assert_memory_equal(ticket.past->deaf.data, past.deaf.data, past.deaf.length);
    assert_string_equal(ticket.past->unregistered.data, "a/b");
    assert_string_equal(ticket.past->inbox.data, "c");
    ticket_free(&ticket);
    past_rights_free(&past);
    bytes_free(&text);
}

static void test_stands_for_a_body(void **state)
{
    (void)state;
    static const char body[] = "{\"ep\":[\"a\"]}";
    char digest[TICKET_DIGEST_SIZE];
    struct bytes text = BYTES_EMPTY;
    struct ticket ticket;
    assert_true(ticket_digest(digest, "abc", 3)); /* FIPS 180-4, the example of its appendix */
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(ticket_digest(digest, body, sizeof body - 1));
    const struct ticket of_body = {.user = "ana", .body = digest};
    sign(&text, &rules, &of_body);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_int_equal(ticket.topic_count, 0);
    assert_true(ticket_is_of_body(&ticket, body, sizeof body - 1));
    assert_false(ticket_is_of_body(&ticket, body, sizeof body));
    assert_false(ticket_is_of_body(&ticket, "", 0));
    ticket_free(&ticket);
    sign(&text, &rules, &full);
    assert_int_equal(ticket_read(&ticket, &rules, text.data, text.length, NOW, NULL), TICKET_OK);
    assert_false(ticket_is_of_body(&ticket, "", 0));
    ticket_free(&ticket);
    bytes_free(&text);
}

static void test_each_has_an_id_of_its_own(void **state)
{
    (void)state;
    struct bytes one = BYTES_EMPTY, two = BYTES_EMPTY;
    assert_string_not_equal(sign(&one, &rules, &full), sign(&two, &rules, &full));
    bytes_free(&one);
    bytes_free(&two);
}

static void test_time(void **state)
{
    (void)state;
    struct bytes text = BYTES_EMPTY;
    struct ticket_rules skewed = rules, short_lived = rules;
    skewed.skew_s = 3;
    short_lived.life_max_s = 9;
    sign(&text, &rules, &full);
    assert_int_equal(read_at(text.data, &rules, NOW), TICKET_OK);
    assert_int_equal(read_at(text.data, &rules, NOW + 9), TICKET_OK);
    assert_int_equal(read_at(text.data, &rules, NOW + 10), TICKET_REFUSED);
    assert_int_equal(read_at(text.data, &rules, NOW - 1), TICKET_REFUSED); /* from the future */
    assert_int_equal(read_at(text.data, &skewed, NOW + 12), TICKET_OK);
    assert_int_equal(read_at(text.data, &skewed, NOW + 13), TICKET_REFUSED);
    assert_int_equal(read_at(text.data, &skewed, NOW - 3), TICKET_OK);
    assert_int_equal(read_at(text.data, &skewed, NOW - 4), TICKET_REFUSED);
    assert_int_equal(read_at(text.data, &short_lived, NOW), TICKET_REFUSED);
    bytes_free(&text);
}

static void test_secrets_can_be_changed(void **state)
{
    (void)state;
    struct bytes old = BYTES_EMPTY, fresh = BYTES_EMPTY;
    struct ticket_rules after = rules, at_end = rules, strangers = rules;
    after.secrets = &swapped_secrets;
    at_end.secrets = &second_alone;
    strangers.secrets = &strange_secrets;
    sign(&old, &rules, &full);
    sign(&fresh, &after, &full);
    assert_int_equal(read_at(old.data, &after, NOW), TICKET_OK);
    assert_int_equal(read_at(fresh.data, &rules, NOW), TICKET_OK);
    assert_int_equal(read_at(fresh.data, &at_end, NOW), TICKET_OK);
    assert_int_equal(read_at(old.data, &at_end, NOW), TICKET_REFUSED);
    assert_int_equal(read_at(old.data, &strangers, NOW), TICKET_REFUSED);
    bytes_free(&old);
    bytes_free(&fresh);
}

static void test_rules(void **state)
{
    (void)state;
    static char short_one[] = "0123456789abcdef0123456789abcde";
    char *list[] = {first_secret, short_one};
    const struct secret_list one_short = {list, 2}, none = {NULL, 0};
    struct ticket_rules bad = rules;
    assert_null(ticket_rules_fault(&rules));
    bad.secrets = &one_short;
    assert_non_null(ticket_rules_fault(&bad));
    bad.secrets = &none;
    assert_non_null(ticket_rules_fault(&bad));
    bad.secrets = NULL;
    assert_non_null(ticket_rules_fault(&bad));
}

static void test_size_limit(void **state)
{
    (void)state;
    struct bytes out = BYTES_EMPTY;
    struct requested_topic many[400];
    for (int i = 0; i < 400; i++)
        many[i] = (struct requested_topic){"casa/planta baja/nivel de agua", 30, false, false};
    struct ticket ticket = {.topics = many, .topic_count = 1};
    bool fits = true;
    for (; ticket.topic_count <= 400 && fits; ticket.topic_count++) {
        bytes_clear(&out);
        enum ticket_result result = ticket_sign(&out, &rules, &ticket, NOW);
        fits = result == TICKET_OK;
        if (fits) {
            assert_true(out.length <= TICKET_SIZE_MAX);
            assert_int_equal(read_at(bytes_terminate(&out), &rules, NOW), TICKET_OK);
        } else {
            assert_int_equal(result, TICKET_TOO_LARGE);
            assert_int_equal(out.length, 0);
        }
    }
    assert_false(fits);
    assert_true(ticket.topic_count > 150);
    ticket.topic_count = 400;
    assert_int_equal(ticket_sign(&out, &rules, &ticket, NOW), TICKET_TOO_LARGE);
    bytes_free(&out);
}

/* ---- what others send ---- */

/* A JWT as another library could make it. The caller frees. */
static char *forge(const char *claims, const char *algorithm, const char *secret, const char *more)
{
    char header[128];
    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"%s}", algorithm,
                   more != NULL ? more : "");
    return forged_jwt(header, claims, algorithm, secret, NULL);
}

static enum ticket_result try_forged(const char *claims, const char *algorithm, const char *secret,
                                     const char *more)
{
    char *text = forge(claims, algorithm, secret, more);
    enum ticket_result result = read_at(text, &rules, NOW);
    free(text);
    return result;
}

#define GOOD                                                                                       \
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"uid\":7,"                          \
    "\"ep\":[\"a\",{\"topic\":\"b\"},{\"topic\":\"c\",\"binded\":true}]}"

static void test_minted_by_a_backend(void **state)
{
    (void)state;
    char *text = forge(GOOD, "HS256", second_secret, NULL);
    struct ticket ticket;
    assert_int_equal(ticket_read(&ticket, &rules, text, strlen(text), NOW, NULL), TICKET_OK);
    assert_string_equal(ticket.user, "7");
    assert_int_equal(ticket.topic_count, 3);
    assert_false(ticket.topics[1].bound);
    assert_true(ticket.topics[2].bound);
    assert_string_equal(ticket.topics[2].text, "c");
    ticket_free(&ticket);
    free(text);
}

static void test_other_algorithms(void **state)
{
    (void)state;
    assert_int_equal(try_forged(GOOD, "HS256", first_secret, NULL), TICKET_OK);
    assert_int_equal(try_forged(GOOD, "HS384", first_secret, NULL), TICKET_REFUSED);
    assert_int_equal(try_forged(GOOD, "HS512", first_secret, NULL), TICKET_REFUSED);
    assert_int_equal(try_forged(GOOD, "none", NULL, NULL), TICKET_REFUSED);
    assert_int_equal(try_forged(GOOD, "HS256", other_secret, NULL), TICKET_REFUSED);
    assert_int_equal(try_forged(GOOD, "HS256", first_secret, ",\"crit\":[\"exp\"]"),
                     TICKET_REFUSED);
}

/* {"alg":X,"typ":"JWT"} in front of claims and signature of a good ticket. */
static void test_exchanged_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",  /* none */
                                          "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0",  /* NONE */
                                          "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9", /* RS256 */
                                          "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9", /* ES256 */
                                          "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9", /* HS384 */
                                          "eyJ0eXAiOiJKV1QifQ",                   /* none named */
                                          "e30",                                  /* {} */
                                          "bnVsbA",                               /* null */
                                          "",
                                          "x"};
    char *good = forge(GOOD, "HS256", first_secret, NULL), forged[1024];
    const char *claims = strchr(good, '.'), *signature = strrchr(good, '.');
    assert_int_equal(read_at(good, &rules, NOW), TICKET_OK);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        (void)snprintf(forged, sizeof forged, "%s%s", headers[i], claims);
        assert_int_equal(read_at(forged, &rules, NOW), TICKET_REFUSED);
        (void)snprintf(forged, sizeof forged, "%s%.*s.", headers[i], (int)(signature - claims),
                       claims);
        assert_int_equal(read_at(forged, &rules, NOW), TICKET_REFUSED);
    }
    free(good);
}

static const char *const bad_claims[] = {
    "{}",
    "{\"exp\":1700000010,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-other\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":[\"esn-other\"],\"exp\":1700000010,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":[],\"exp\":1700000010,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":7,\"exp\":1700000010,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":\"1700000010\",\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000000,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000061,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":9223372036854775807,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":-1,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"nbf\":1700000001,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"iat\":1700000001,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"iat\":\"x\",\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":7,\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"deaf\":7}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"deaf\":[\"a\",7]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"unregistered\":7}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"unregistered\":"
    "\"xyz\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[{\"topic\":\"a\","
    "\"private\":true}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"uid\":\"ana\",\"ep\":[{"
    "\"topic\":"
    "\"a\",\"private\":\"yes\"}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"uid\":\"ana\",\"ep\":[{"
    "\"topic\":"
    "\"a\",\"private\":true,\"binded\":true}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"inbox\":["
    "\"a\\u0000\"]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"inbox\":\"a\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"ep\":[],\"jti\":"
    "\"0123456789012345678901234567"
    "89012345678901234567890123456789012345\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":\"a\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[7]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1e300,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000060.5,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1699999999.9,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"iat\":1700000001.5,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[{\"topic\":\"a\",\"to\":"
    "1}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[{\"binded\":true}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[{\"topic\":7}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"uid\":7,"
    "\"ep\":[{\"topic\":\"a\",\"binded\":1}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\","
    "\"ep\":[{\"topic\":\"a\",\"binded\":true}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"uid\":\"\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"uid\":\"*\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"uid\":\"__DONT__\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"clid\":7}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"node\":1024}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"node\":-1}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"node\":\"3\"}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[],\"last_id\":7}"};

static const char *const good_claims[] = {
    "{\"aud\":\"esn-fanout\",\"exp\":1700000000.25,\"iat\":1699999999.75,\"nbf\":1.7e9,"
    "\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"iat\":null,\"nbf\":null,\"uid\":null,"
    "\"clid\":null,\"last_id\":null,\"node\":null,\"jti\":\"x\",\"ep\":[{\"topic\":\"a\","
    "\"binded\":null}]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"uid\":7,\"jti\":\"x\","
    "\"ep\":[{\"topic\":\"a\",\"bound\":true}]}",
    "{\"aud\":[\"a\",\"esn-fanout\"],\"exp\":1700000001,\"jti\":\"x\",\"ep\":[]}",
    "{\"aud\":\"esn-fanout\",\"exp\":1700000060,\"nbf\":1700000000,\"jti\":\"x\",\"ep\":[]}"};

static void test_other_claims(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_claims / sizeof *bad_claims; i++)
        if (try_forged(bad_claims[i], "HS256", first_secret, NULL) != TICKET_REFUSED)
            fail_msg("taken: %s", bad_claims[i]);
    for (size_t i = 0; i < sizeof good_claims / sizeof *good_claims; i++)
        assert_int_equal(try_forged(good_claims[i], "HS256", first_secret, NULL), TICKET_OK);
}

static void test_broken_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        ".",       "..",       "...",         "a.b",
        "a.b.c",   "a.b.c.d", "e30.e30.", "e30.e30.e30", "\xff.\xff.\xff",
        "a b.c.d", "%00.a.b"};
    char *good = forge(GOOD, "HS256", first_secret, NULL);
    size_t length = strlen(good);
    struct ticket ticket;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_at(bad[i], &rules, NOW), TICKET_REFUSED);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(ticket_read(&ticket, &rules, good, cut, NOW, NULL), TICKET_REFUSED);
    assert_int_equal(ticket_read(&ticket, &rules, good, length + 1, NOW, NULL), TICKET_REFUSED);
    for (size_t i = 0; i < length; i++) {
        char kept = good[i];
        good[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(read_at(good, &rules, NOW), TICKET_REFUSED);
        good[i] = kept;
    }
    assert_int_equal(read_at(good, &rules, NOW), TICKET_OK);
    free(good);
}

static void test_too_long_to_look_at(void **state)
{
    (void)state;
    char claims[8000];
    int length = snprintf(claims, sizeof claims,
                          "{\"aud\":\"esn-fanout\",\"exp\":1700000010,\"jti\":\"x\",\"ep\":[\"");
    memset(claims + length, 'a', 6000);
    (void)snprintf(claims + length + 6000, sizeof claims - 6000 - (size_t)length, "\"]}");
    assert_int_equal(try_forged(claims, "HS256", first_secret, NULL), TICKET_REFUSED);
    (void)snprintf(claims + length + 5000, sizeof claims - 5000 - (size_t)length, "\"]}");
    assert_int_equal(try_forged(claims, "HS256", first_secret, NULL), TICKET_OK);
}

/* ---- used tickets ---- */

/* Takes as many as make it forget what is over. */
static void take_many(struct used_tickets *used, const char *name, uint64_t end_s, uint64_t now_s)
{
    enum { MANY = 200 };
    char id[32];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "%s %d", name, i);
        assert_int_equal(used_tickets_take(used, id, end_s, now_s), USED_TICKETS_FIRST);
    }
}

/* Forgotten while the clock was ahead, and alive again when it is back: not known any more. Others
 * are taken as ever. */
static void test_clock_jumps_ahead_and_back(void **state)
{
    enum { HOUR = 3600 };
    (void)state;
    struct used_tickets *used = used_tickets_open(1000);
    assert_non_null(used);
    assert_int_equal(used_tickets_take(used, "a", NOW + 10, NOW), USED_TICKETS_FIRST);
    take_many(used, "ahead", NOW + HOUR + 10, NOW + HOUR);
    assert_int_equal(used_tickets_count(used), 200);
    take_many(used, "still ahead", NOW + HOUR + 30, NOW + HOUR + 20);
    assert_int_equal(used_tickets_take(used, "a", NOW + 10, NOW), USED_TICKETS_UNKNOWN);
    assert_int_equal(used_tickets_take(used, "b", NOW + 11, NOW + 1), USED_TICKETS_FIRST);
    take_many(used, "back", NOW + 610, NOW + 600);
    assert_int_equal(used_tickets_take(used, "ahead 0", NOW + HOUR + 10, NOW + HOUR),
                     USED_TICKETS_UNKNOWN);
    assert_int_equal(used_tickets_take(used, "still ahead 0", NOW + HOUR + 30, NOW + HOUR),
                     USED_TICKETS_AGAIN);
    used_tickets_close(&used);
}

/* However often: what was forgotten is never taken again. */
static void test_clock_jumps_about(void **state)
{
    enum { JUMPS = 60, HOUR = 3600 };
    char name[16], id[32];

    (void)state;
    struct used_tickets *used = used_tickets_open(100000);
    assert_non_null(used);
    for (unsigned i = 0; i < JUMPS; i++) {
        uint64_t now = NOW + i * 29 % JUMPS * HOUR;
        (void)snprintf(name, sizeof name, "%u", i);
        for (int taken = 0; taken < 200; taken++) {
            (void)snprintf(id, sizeof id, "%s %d", name, taken);
            assert_int_not_equal(used_tickets_take(used, id, now + 10, now), USED_TICKETS_AGAIN);
        }
    }
    for (unsigned i = 0; i < JUMPS; i++) {
        uint64_t now = NOW + i * 29 % JUMPS * HOUR;
        (void)snprintf(id, sizeof id, "%u 0", i);
        assert_int_not_equal(used_tickets_take(used, id, now + 10, now), USED_TICKETS_FIRST);
    }
    used_tickets_close(&used);
}

static void test_each_once(void **state)
{
    (void)state;
    struct used_tickets *used = used_tickets_open(100);
    assert_non_null(used);
    assert_int_equal(used_tickets_take(used, "a", NOW + 10, NOW), USED_TICKETS_FIRST);
    assert_int_equal(used_tickets_take(used, "a", NOW + 10, NOW), USED_TICKETS_AGAIN);
    assert_int_equal(used_tickets_take(used, "b", NOW + 10, NOW), USED_TICKETS_FIRST);
    assert_int_equal(used_tickets_take(used, "a", NOW + 10, NOW + 9), USED_TICKETS_AGAIN);
    assert_int_equal(used_tickets_take(used, "", NOW + 10, NOW), USED_TICKETS_FIRST);
    assert_int_equal(used_tickets_count(used), 3);
    used_tickets_close(&used);
    assert_null(used);
    used_tickets_close(&used);
}

static void test_forgets_the_past_alone(void **state)
{
    (void)state;
    enum { A_SECOND = 1000, SECONDS = 100, LIFE = 10 };
    struct used_tickets *used = used_tickets_open(100000);
    size_t most = 0;
    char id[32];
    for (uint64_t second = 0; second < SECONDS; second++) {
        for (int i = 0; i < A_SECOND; i++) {
            (void)snprintf(id, sizeof id, "%u-%d", (unsigned)second, i);
            assert_int_equal(used_tickets_take(used, id, NOW + second + LIFE, NOW + second),
                             USED_TICKETS_FIRST);
        }
        /* All that still live are known. */
        for (uint64_t before = second >= LIFE ? second - LIFE + 1 : 0; before <= second; before++) {
            (void)snprintf(id, sizeof id, "%u-%d", (unsigned)before, (int)(second * 7 % A_SECOND));
            assert_int_equal(used_tickets_take(used, id, NOW + before + LIFE, NOW + second),
                             USED_TICKETS_AGAIN);
        }
        if (used_tickets_count(used) > most)
            most = used_tickets_count(used);
    }
    assert_true(most < 5 * A_SECOND * LIFE);
    used_tickets_close(&used);
}

static void test_when_it_is_full(void **state)
{
    (void)state;
    struct used_tickets *used = used_tickets_open(100);
    char id[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        assert_int_equal(used_tickets_take(used, id, (uint64_t)NOW + 10 + (uint64_t)i / 50, NOW),
                         USED_TICKETS_FIRST);
    }
    assert_int_equal(used_tickets_take(used, "more", NOW + 20, NOW), USED_TICKETS_FULL);
    assert_int_equal(used_tickets_take(used, "more", NOW + 20, NOW), USED_TICKETS_FULL);
    assert_int_equal(used_tickets_take(used, "0", NOW + 10, NOW), USED_TICKETS_AGAIN);
    assert_int_equal(used_tickets_take(used, "more", NOW + 20, NOW + 10), USED_TICKETS_FIRST);
    assert_int_equal(used_tickets_count(used), 51);
    used_tickets_close(&used);
}

/* Of 4,096 slots 2,048 are in use, `alive` of them by tickets that live on. How many slots there are
 * for them once they were counted, and for the fifteen more that came meanwhile. */
static size_t slots_after_counting(int alive)
{
    enum { HALF = 2048, TO_COUNT = 16, SLOT_SIZE = 24 };
    struct used_tickets *used = used_tickets_open(100000);
    char id[32];
    assert_non_null(used);
    for (int i = 0; i < HALF + TO_COUNT - 1; i++) {
        uint64_t now = i < HALF ? NOW : NOW + 20, end = i < HALF - alive ? NOW + 10 : NOW + 1000;
        (void)snprintf(id, sizeof id, "counted %d", i);
        assert_int_equal(used_tickets_take(used, id, end, now), USED_TICKETS_FIRST);
    }
    size_t before = used_tickets_bytes(used);
    assert_int_equal(used_tickets_take(used, "last", NOW + 1000, NOW + 20), USED_TICKETS_FIRST);
    size_t slots = (used_tickets_bytes(used) - before) / SLOT_SIZE;
    used_tickets_close(&used);
    return slots;
}

/* Four slots for each that lives, and for as many as may come while they are moved. */
static void used_tickets_are_counted_each_once(void **state)
{
    enum { MOST = 4096 / 4 - 15 - 16 - 1 };
    (void)state;
    assert_int_equal(slots_after_counting(MOST), 4096);
    assert_int_equal(slots_after_counting(MOST + 1), 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_tickets_are_counted_each_once),
        cmocka_unit_test(test_comes_back_as_it_went),
        cmocka_unit_test(test_names_the_daemon_that_is_to_take_it),
        cmocka_unit_test(test_what_may_be_missing),
        cmocka_unit_test(test_says_what_may_be_heard_of_the_past),
        cmocka_unit_test(test_stands_for_a_body),
        cmocka_unit_test(test_each_has_an_id_of_its_own),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_secrets_can_be_changed),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_minted_by_a_backend),
        cmocka_unit_test(test_other_algorithms),
        cmocka_unit_test(test_exchanged_headers),
        cmocka_unit_test(test_other_claims),
        cmocka_unit_test(test_broken_texts),
        cmocka_unit_test(test_too_long_to_look_at),
        cmocka_unit_test(test_clock_jumps_ahead_and_back),
        cmocka_unit_test(test_clock_jumps_about),
        cmocka_unit_test(test_each_once),
        cmocka_unit_test(test_forgets_the_past_alone),
        cmocka_unit_test(test_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
