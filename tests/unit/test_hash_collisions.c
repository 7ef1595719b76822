/* In every table all names have the same hash: they are told apart by what they are. For a program
 * linked with -Wl,--wrap=hash_bytes. */
#include "events/rate_limits.h"
#include "hash_table.h"
#include "net/address_limits.h"
#include "streams/identities.h"
#include "streams/presence.h"
#include "streams/revocations.h"
#include "topics/topic_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

uint64_t __wrap_hash_bytes(uint64_t seed, const void *bytes, size_t length);

uint64_t __wrap_hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
    (void)seed, (void)bytes, (void)length;
    return 7;
}

/* One drops another by neither its name nor the kind of it. */
static void drops_concern_who_is_named(void **state)
{
    struct revocations revocations = {.most = 9};

    (void)state;
    revocations_open(&revocations, 1);
    assert_non_null(revocations_add(&revocations, DROP_USER, "ana", 3, 1000, 2000, 1000));
    assert_true(revocations_refuse(&revocations, "ana", NULL, 0, 1500));
    assert_false(revocations_refuse(&revocations, "eva", NULL, 0, 1500));
    assert_false(revocations_refuse(&revocations, "anab", NULL, 0, 1500));
    assert_false(revocations_refuse(&revocations, NULL, "ana", 0, 1500));
    assert_non_null(revocations_add(&revocations, DROP_SESSION, "eva", 3, 1000, 2000, 1000));
    assert_false(revocations_refuse(&revocations, "eva", NULL, 0, 1500));
    assert_true(revocations_refuse(&revocations, "luis", "eva", 0, 1500));
    revocations_free(&revocations);
}

static void streams_are_of_their_user_and_session(void **state)
{
    struct identities identities = {.seed = 1};
    struct stream_identity *ana = identities_new(&identities, "ana", "one");
    struct stream_identity *eva = identities_new(&identities, "eva", "ana");
    const struct identity_name *user = identities_find(&identities, DROP_USER, "ana", 3);
    const struct identity_name *session = identities_find(&identities, DROP_SESSION, "ana", 3);

    (void)state;
    assert_non_null(ana);
    assert_non_null(eva);
    assert_ptr_equal(user, ana->user);
    assert_ptr_equal(session, eva->session);
    assert_ptr_equal(identities_find(&identities, DROP_USER, "eva", 3), eva->user);
    assert_null(identities_find(&identities, DROP_USER, "one", 3));
    assert_null(identities_find(&identities, DROP_USER, "an", 2));
    stream_identity_free(ana);
    stream_identity_free(eva);
    identities_close(&identities);
}

static void clients_are_counted_by_their_own_id(void **state)
{
    struct presence presence = {.seed = 1};
    struct presence_entry *one = presence_enter(&presence, "one", 3);
    struct presence_entry *two = presence_enter(&presence, "two", 3);

    (void)state;
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(presence_enter(&presence, "two", 3), two);
    assert_int_equal(presence_count(&presence, "one", 3), 1);
    assert_int_equal(presence_count(&presence, "two", 3), 2);
    assert_int_equal(presence_count(&presence, "tw", 2), 0);
    presence_leave(&presence, one);
    presence_leave(&presence, two);
    presence_leave(&presence, two);
    presence_free(&presence);
}

static void topics_are_found_by_their_levels(void **state)
{
    static const char *const topics[] = {"a/x", "b/x", "a/y", "b"};
    enum { TOPICS = sizeof topics / sizeof *topics };
    struct subscription subscriptions[TOPICS] = {0};
    struct subscriber subscriber = {subscriptions, TOPICS};
    struct topic_matches matches = {0};
    struct topic_index index;

    (void)state;
    assert_true(topic_index_open(&index, 1));
    for (uint32_t i = 0; i < TOPICS; i++)
        assert_true(topic_index_add(&index, &subscriber, i, topics[i], strlen(topics[i])));
    for (uint32_t i = 0; i < TOPICS; i++) {
        topic_index_match(&index, topics[i], strlen(topics[i]), false, &matches);
        assert_int_equal(matches.count, 1);
        assert_ptr_equal(topic_index_find(&index, topics[i], strlen(topics[i])),
                         subscriptions[i].node);
    }
    topic_index_match(&index, "c/x", 3, false, &matches);
    assert_int_equal(matches.count, 0);
    for (uint32_t i = 0; i < TOPICS; i++)
        topic_index_remove(&index, &subscriber, i);
    topic_matches_free(&matches);
    topic_index_close(&index);
}

static void addresses_are_counted_each(void **state)
{
    struct address_limits limits = {.seed = 1};
    struct counted_address *first = NULL, *second = NULL, *third = NULL;
    struct ip_address one, two;

    (void)state;
    address_limits_open(&limits);
    assert_true(ip_address_read(&one, "192.0.2.1"));
    assert_true(ip_address_read(&two, "192.0.2.2"));
    assert_int_equal(address_limits_enter(&limits, &one, 1, 0, &first), ADDRESS_ADMITTED);
    assert_int_equal(address_limits_enter(&limits, &two, 1, 0, &second), ADDRESS_ADMITTED);
    assert_ptr_not_equal(first, second);
    assert_int_equal(address_limits_enter(&limits, &two, 1, 0, &third), ADDRESS_HAS_MOST);
    address_limits_leave(&limits, 0, &first);
    address_limits_leave(&limits, 0, &second);
    address_limits_free(&limits);
}

static void tokens_have_a_bucket_each(void **state)
{
    struct rate_limits limits = {0};

    (void)state;
    rate_limits_open(&limits, 1);
    assert_int_equal(rate_limits_take(&limits, 1, 1, 1, 0), 0);
    assert_true(rate_limits_take(&limits, 1, 1, 1, 0) > 0);
    assert_int_equal(rate_limits_take(&limits, 2, 1, 1, 0), 0);
    rate_limits_free(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_concern_who_is_named),
        cmocka_unit_test(streams_are_of_their_user_and_session),
        cmocka_unit_test(clients_are_counted_by_their_own_id),
        cmocka_unit_test(topics_are_found_by_their_levels),
        cmocka_unit_test(addresses_are_counted_each),
        cmocka_unit_test(tokens_have_a_bucket_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
