#include "net/address_limits.h"

#include "net/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

enum { NOW = 5000, FORGOTTEN = NOW + 10000 };

static enum address_verdict enter(struct address_limits *limits, const char *text, uint64_t most,
                                  struct counted_address **counted)
{
    struct ip_address address;

    assert_true(ip_address_read(&address, text));
    return address_limits_enter(limits, &address, most, NOW, counted);
}

static void leave(struct address_limits *limits, struct counted_address **counted)
{
    address_limits_leave(limits, NOW, counted);
}

static struct address_limits *open_limits(void)
{
    static struct address_limits limits;

    limits = (struct address_limits){.seed = 7};
    address_limits_open(&limits);
    return &limits;
}

static void count_one(struct hash_node *node, void *context)
{
    const struct counted_address *address =
        (const void *)((const char *)node - offsetof(struct counted_address, by_address));

    *(size_t *)context += address->connections > 0;
}

static size_t with_connections(const struct address_limits *limits)
{
    size_t count = 0;

    hash_table_each(&limits->by_address, count_one, &count);
    return count;
}

static void counts_each_address_by_itself(void **state)
{
    struct address_limits *limits = open_limits();
    struct counted_address *first, *second, *third, *other;

    (void)state;
    assert_int_equal(enter(limits, "192.0.2.1", 2, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(limits, "192.0.2.1", 2, &second), ADDRESS_ADMITTED);
    assert_int_equal(enter(limits, "192.0.2.1", 2, &third), ADDRESS_HAS_MOST);
    assert_null(third);
    assert_int_equal(enter(limits, "192.0.2.2", 2, &other), ADDRESS_ADMITTED);
    leave(limits, &first);
    assert_null(first);
    assert_int_equal(enter(limits, "192.0.2.1", 2, &third), ADDRESS_ADMITTED);
    leave(limits, &second);
    leave(limits, &third);
    leave(limits, &other);
    assert_int_equal(with_connections(limits), 0);
    address_limits_free(limits);
}

static void a_mapped_address_is_the_same_client(void **state)
{
    struct address_limits *limits = open_limits();
    struct counted_address *first, *second;

    (void)state;
    assert_int_equal(enter(limits, "192.0.2.1", 1, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(limits, "::ffff:192.0.2.1", 1, &second), ADDRESS_HAS_MOST);
    assert_int_equal(enter(limits, "::ffff:192.0.2.2", 1, &second), ADDRESS_ADMITTED);
    leave(limits, &first);
    leave(limits, &second);
    address_limits_free(limits);
}

static void a_network_of_64_bits_is_one_client(void **state)
{
    struct address_limits *limits = open_limits();
    struct counted_address *first, *second;

    (void)state;
    assert_int_equal(enter(limits, "2001:db8:1:2::1", 1, &first), ADDRESS_ADMITTED);
    assert_int_equal(enter(limits, "2001:db8:1:2:ffff::9", 1, &second), ADDRESS_HAS_MOST);
    assert_int_equal(enter(limits, "2001:db8:1:3::1", 1, &second), ADDRESS_ADMITTED);
    leave(limits, &first);
    leave(limits, &second);
    address_limits_free(limits);
}

static void which_network_it_is_can_be_said(void **state)
{
    static const char *const cases[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"::ffff:192.0.2.1", "192.0.2.1"},
                                           {"2001:db8:1:2::9", "2001:db8:1:2::/64"}};
    struct address_limits *limits = open_limits();
    char text[COUNTED_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct counted_address *counted;
        assert_int_equal(enter(limits, cases[i][0], 0, &counted), ADDRESS_ADMITTED);
        assert_string_equal(counted_address_write(counted, text), cases[i][1]);
        leave(limits, &counted);
    }
    assert_string_equal(counted_address_write(NULL, text), "");
    address_limits_free(limits);
}

/* Coming anew is no way out of what was used; and no memory is held for long. */
static void what_an_address_has_used_is_remembered_for_a_moment(void **state)
{
    struct address_limits *limits = open_limits();
    struct counted_address *counted;
    struct ip_address other;

    (void)state;
    assert_int_equal(enter(limits, "192.0.2.1", 0, &counted), ADDRESS_ADMITTED);
    counted->share.paid_at = 4711;
    leave(limits, &counted);
    assert_int_equal(enter(limits, "192.0.2.1", 0, &counted), ADDRESS_ADMITTED);
    assert_int_equal(counted->share.paid_at, 4711);
    leave(limits, &counted);
    assert_true(ip_address_read(&other, "192.0.2.2"));
    assert_int_equal(address_limits_enter(limits, &other, 0, FORGOTTEN, &counted),
                     ADDRESS_ADMITTED);
    assert_int_equal(limits->by_address.count, 1);
    leave(limits, &counted);
    address_limits_free(limits);
}

/* Against a plain array of counts. */
static void comings_and_goings_in_any_order(void **state)
{
    enum { ADDRESSES = 40, SEATS = 400, STEPS = 50000, MOST = 12 };
    struct address_limits *limits = open_limits();
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
            leave(limits, &seats[seat]);
            continue;
        }
        (void)snprintf(text, sizeof text, who % 2 ? "10.0.0.%u" : "2001:db8:0:%x::1", who);
        if (enter(limits, text, MOST, &seats[seat]) == ADDRESS_HAS_MOST) {
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
        leave(limits, &seats[seat]);
    assert_int_equal(with_connections(limits), 0);
    address_limits_free(limits);
}

static void proxies_are_known_by_numbers_as_far_as_they_go(void **state)
{
    static struct net net;
    struct ip_address address = {0};

    (void)state;
    for (int i = 1; i <= NET_PROXIES_KNOWN; i++) {
        address.bytes[IP_ADDRESS_SIZE - 1] = (unsigned char)i;
        assert_int_equal(net_number_proxy(&net, &address), i);
        assert_memory_equal(&net.known_proxies.list[i - 1], &address, sizeof address);
    }
    address.bytes[0] = 1;
    assert_int_equal(net_number_proxy(&net, &address), 0);
    address.bytes[0] = 0;
    address.bytes[IP_ADDRESS_SIZE - 1] = 2;
    assert_int_equal(net_number_proxy(&net, &address), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_each_address_by_itself),
        cmocka_unit_test(a_mapped_address_is_the_same_client),
        cmocka_unit_test(a_network_of_64_bits_is_one_client),
        cmocka_unit_test(which_network_it_is_can_be_said),
        cmocka_unit_test(what_an_address_has_used_is_remembered_for_a_moment),
        cmocka_unit_test(comings_and_goings_in_any_order),
        cmocka_unit_test(proxies_are_known_by_numbers_as_far_as_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
