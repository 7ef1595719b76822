/* What esnctl allows an exchange: libcurl is asked what it was told, and asks nobody. For a program
 * linked with -Wl,--wrap=curl_easy_init,--wrap=curl_easy_setopt,--wrap=curl_easy_perform. */
#include "http_client.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct {
    long timeout, connect_timeout; /* 0: none */
    bool posts, expects_nothing;
    const char *proxy;
} told;

static bool has_no_memory;

CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_perform(CURL *curl);

CURL *__wrap_curl_easy_init(void)
{
    return has_no_memory ? NULL : __real_curl_easy_init();
}

CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    va_list arguments;
    (void)curl;
    va_start(arguments, option);
    if (option == CURLOPT_TIMEOUT)
        told.timeout = va_arg(arguments, long);
    else if (option == CURLOPT_CONNECTTIMEOUT)
        told.connect_timeout = va_arg(arguments, long);
    else if (option == CURLOPT_PROXY)
        told.proxy = va_arg(arguments, const char *);
    else if (option == CURLOPT_POSTFIELDS)
        told.posts = true;
    else if (option == CURLOPT_HTTPHEADER)
        for (const struct curl_slist *header = va_arg(arguments, const struct curl_slist *);
             header != NULL; header = header->next)
            told.expects_nothing = told.expects_nothing || strcmp(header->data, "Expect:") == 0;
    va_end(arguments);
    return CURLE_OK;
}

CURLcode __wrap_curl_easy_perform(CURL *curl)
{
    (void)curl;
    return CURLE_OK;
}

static bool go_on(void *context, const char *data, size_t length)
{
    (void)context, (void)data, (void)length;
    return true;
}

static void perform(const struct http_client_request *request)
{
    struct http_client_answer answer;
    memset(&told, 0, sizeof told);
    assert_true(http_client_perform(request, &answer));
    http_client_answer_free(&answer);
    assert_int_equal(told.connect_timeout, 10);
    assert_string_equal(told.proxy, "");
    assert_true(told.expects_nothing); /* a body is sent without waiting for 100 Continue */
}

static void an_exchange_has_half_a_minute_and_a_stream_has_no_end(void **state)
{
    (void)state;
    perform(&(struct http_client_request){.url = "http://127.0.0.1/"});
    assert_int_equal(told.timeout, 30);
    assert_false(told.posts);
    perform(
        &(struct http_client_request){.url = "http://127.0.0.1/", .body = "{}", .body_length = 2});
    assert_int_equal(told.timeout, 30);
    assert_true(told.posts);
    perform(&(struct http_client_request){.url = "http://127.0.0.1/", .take = go_on});
    assert_int_equal(told.timeout, 0);
}

static void without_memory_it_says_that_it_cannot_start(void **state)
{
    struct http_client_answer answer;
    (void)state;
    has_no_memory = true;
    bool good =
        http_client_perform(&(struct http_client_request){.url = "http://127.0.0.1/"}, &answer);
    has_no_memory = false;
    assert_false(good);
    assert_string_equal(answer.error, "libcurl cannot be started");
    http_client_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_has_half_a_minute_and_a_stream_has_no_end),
        cmocka_unit_test(without_memory_it_says_that_it_cannot_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
