#include "net/address_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "random.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(4711)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(4712)};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        memcpy(&storage, &four, sizeof four);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
        memcpy(&storage, &six, sizeof six);
    }
    return storage;
}

static enum address_verdict enter(struct address_limits *limits, const char *text, uint64_t most,
                                  struct counted_address **counted)
{
    struct sockaddr_storage address = address_of(text);

    return address_limits_enter(limits, (const struct sockaddr *)&address, most, counted);
}

static void counts_each_address_by_itself(void **state)
{
    struct address_limits limits = {.seed = 7};
    struct counted_address *first, *second, *third, *other;

    (void)state;
    assert_int_equal(enter(&limits, "192.0.2.1", 2, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(&limits, "192.0.2.1", 2, &second), ADDRESS_ADMITTED);
    assert_int_equal(enter(&limits, "192.0.2.1", 2, &third), ADDRESS_HAS_MOST);
    assert_null(third);
    assert_int_equal(enter(&limits, "192.0.2.2", 2, &other), ADDRESS_ADMITTED);
    address_limits_leave(&limits, &first);
    assert_null(first);
    assert_int_equal(enter(&limits, "192.0.2.1", 2, &third), ADDRESS_ADMITTED);
    address_limits_leave(&limits, &second);
    address_limits_leave(&limits, &third);
    address_limits_leave(&limits, &other);
    assert_int_equal(limits.by_address.count, 0);
    address_limits_free(&limits);
}

static void a_mapped_address_is_the_same_client(void **state)
{
    struct address_limits limits = {.seed = 7};
    struct counted_address *first, *second;

    (void)state;
    assert_int_equal(enter(&limits, "192.0.2.1", 1, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(&limits, "::ffff:192.0.2.1", 1, &second), ADDRESS_HAS_MOST);
    assert_int_equal(enter(&limits, "::ffff:192.0.2.2", 1, &second), ADDRESS_ADMITTED);
    address_limits_leave(&limits, &first);
    address_limits_leave(&limits, &second);
    address_limits_free(&limits);
}

static void a_network_of_64_bits_is_one_client(void **state)
{
    struct address_limits limits = {.seed = 7};
    struct counted_address *first, *second;

    (void)state;
    assert_int_equal(enter(&limits, "2001:db8:1:2::1", 1, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(&limits, "2001:db8:1:2:ffff::9", 1, &second), ADDRESS_HAS_MOST);
    assert_int_equal(enter(&limits, "2001:db8:1:3::1", 1, &second), ADDRESS_ADMITTED);
    address_limits_leave(&limits, &first);
    address_limits_leave(&limits, &second);
    address_limits_free(&limits);
}

static void others_are_not_counted(void **state)
{
    struct address_limits limits = {.seed = 7};
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct counted_address *counted;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            address_limits_enter(&limits, (const struct sockaddr *)&local, 1, &counted),
            ADDRESS_ADMITTED);
        assert_null(counted);
        address_limits_leave(&limits, &counted);
    }
    assert_int_equal(limits.by_address.count, 0);
}

/* Against a plain array of counts. */
static void comings_and_goings_in_any_order(void **state)
{
    enum { ADDRESSES = 40, SEATS = 400, STEPS = 50000, MOST = 12 };
    struct address_limits limits = {.seed = 11};
    struct counted_address *seats[SEATS] = {0};
    unsigned whose[SEATS] = {0}, counts[ADDRESSES] = {0}, refused = 0;
    uint64_t random = 5;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        unsigned seat = (unsigned)(random_next(&random) % SEATS);
        unsigned who = (unsigned)(random_next(&random) % ADDRESSES);
        char text[32];

        if (seats[seat] != NULL) {
            counts[whose[seat]]--;
            address_limits_leave(&limits, &seats[seat]);
            continue;
        }
        (void)snprintf(text, sizeof text, who % 2 ? "10.0.0.%u" : "2001:db8:0:%x::1", who);
        if (enter(&limits, text, MOST, &seats[seat]) == ADDRESS_HAS_MOST) {
            assert_int_equal(counts[who], MOST);
            refused++;
            continue;
        }
        assert_true(counts[who] < MOST);
        assert_non_null(seats[seat]);
        whose[seat] = who;
        counts[who]++;
    }
    assert_true(refused > 0);
    for (int seat = 0; seat < SEATS; seat++)
        address_limits_leave(&limits, &seats[seat]);
    assert_int_equal(limits.by_address.count, 0);
    address_limits_free(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_each_address_by_itself),
        cmocka_unit_test(a_mapped_address_is_the_same_client),
        cmocka_unit_test(a_network_of_64_bits_is_one_client),
        cmocka_unit_test(others_are_not_counted),
        cmocka_unit_test(comings_and_goings_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
