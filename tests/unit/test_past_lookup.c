/* What a ticket says of its user's rights over bound topics: which it may hear, which have no row,
 * what comes to its inbox, and that nothing is said when the database does not answer. */
#include "acl_fixture.h"
#include "captured_messages.h"
#include "past_lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct subscribe_settings settings;
    struct past_lookup_common *common;
    struct past_lookup *lookup;
    struct past_rights past;
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_int_equal(acl_fixture_empty_tables(state), 0);
    scene->settings.config.subscribe_threads = 1;
    scene->settings.config.acl_time = ACL_FIXTURE_GENEROUS_MS;
    scene->settings.acl.options = acl_fixture.options;
    scene->settings.knows_acl = true;
    scene->common = past_lookup_common_open(&scene->settings.config);
    assert_non_null(scene->common);
    scene->lookup = past_lookup_open(&scene->settings, scene->common);
    assert_non_null(scene->lookup);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    past_rights_free(&scene->past);
    past_lookup_close(&scene->lookup);
    past_lookup_common_close(&scene->common);
    free(scene);
    return 0;
}

enum { TOPICS_MAX = 8 };

/* A word that begins with "=" asks for a bound topic, any other for one that anybody may hear. */
static void find(struct scene *scene, const char *user, const char *last_id,
                 const char *const words[TOPICS_MAX])
{
    struct requested_topic list[TOPICS_MAX];
    struct subscription_body body = {.last_id = last_id, .topics.list = list};
    for (size_t i = 0; i < TOPICS_MAX && words[i] != NULL; i++) {
        const char *text = words[i] + (words[i][0] == '=');
        list[body.topics.count++] = (struct requested_topic){
            .text = text, .length = strlen(text), .bound = words[i][0] == '='};
    }
    past_rights_free(&scene->past);
    past_lookup_find(scene->lookup, &body, user, &scene->past);
}

/* Topics, each followed by NUL, with a blank instead. */
static void expect(const struct bytes *topics, const char *wanted)
{
    char text[256] = "";
    assert_true(topics->length < sizeof text);
    for (size_t i = 0; i < topics->length; i++)
        text[i] = topics->data[i] != '\0' ? topics->data[i] : ' ';
    assert_string_equal(text, wanted);
}

static void test_what_cannot_be_heard_is_said_by_name_and_place(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"open",  "=hers", "=his",  "=new",
                                                  "other", "=both", "=his2", "=new2"};
    acl_fixture_add("hers", "", NULL, "[\"ana\"]");
    acl_fixture_add("his", "", NULL, "[\"luis\"]");
    acl_fixture_add("his2", "", NULL, "[\"luis\"]");
    acl_fixture_add("both", "", NULL, "[\"luis\",\"ana\"]");
    find(scene, "ana", NULL, words);
    assert_true(scene->past.topics_known);
    expect(&scene->past.deaf, "his new his2 new2 ");
    expect(&scene->past.places, "cc"); /* the third, fourth, seventh and eighth */
    expect(&scene->past.unregistered, "new new2 ");
    expect(&scene->past.unregistered_places, "88");
    assert_false(scene->past.inbox_known);
    expect(&scene->past.inbox, "");
}

static void test_who_may_hear_all_of_it_is_told_nothing(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"=hers", "=a", "=everybodys"};
    acl_fixture_add("hers", "", NULL, "[\"ana\"]");
    acl_fixture_add("a", "ana", NULL, NULL);
    acl_fixture_add("everybodys", "", NULL, "[\"+\"]");
    find(scene, "ana", NULL, words);
    assert_true(scene->past.topics_known);
    expect(&scene->past.deaf, "");
    expect(&scene->past.places, "");
    expect(&scene->past.unregistered_places, "");
}

static void test_the_inbox_is_of_those_who_come_back(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"=@USER@", "=@USER@x"};
    acl_fixture_add("followed", "", NULL, "[\"ana\"]");
    acl_fixture_add("foreign", "", NULL, "[\"luis\"]");
    acl_fixture_expect(acl_follow(acl_fixture.acl, "followed", "ana"), SQL_OK);
    acl_fixture_expect(acl_follow(acl_fixture.acl, "foreign", "ana"), SQL_OK);
    find(scene, "ana", NULL, words);
    assert_true(scene->past.topics_known);
    assert_false(scene->past.inbox_known);
    find(scene, "ana", "1-2", words);
    assert_true(scene->past.inbox_known);
    expect(&scene->past.inbox, "followed ");
    expect(&scene->past.deaf, "@USER@x "); /* a topic like any other */
    expect(&scene->past.places, "2");
}

static void test_without_bound_topics_nothing_is_asked(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"open", "other"};
    find(scene, "ana", "1-2", words);
    assert_false(scene->past.topics_known);
    assert_false(scene->past.inbox_known);
}

/* Nobody is deaf because nobody could be asked; the log says it once, and once that it is over. */
static void test_what_nobody_can_say_stays_unknown(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"=hers"};
    acl_fixture_add("hers", "", NULL, "[\"ana\"]");
    scene->settings.acl.options.create = false;
    scene->settings.acl.options.path = "/nowhere/topics.db";
    captured_messages_begin();
    for (int i = 0; i < 2; i++) {
        find(scene, "ana", NULL, words);
        assert_false(scene->past.topics_known);
    }
    unsigned said = captured_messages_count("the database of registered topics does not answer");
    scene->settings.acl.options.path = acl_fixture.path;
    find(scene, "ana", NULL, words);
    unsigned over = captured_messages_count("the database of registered topics answers again");
    captured_messages_end();
    assert_int_equal(said, 1);
    assert_int_equal(over, 1);
    assert_true(scene->past.topics_known);
    expect(&scene->past.deaf, "");
}

static void test_without_a_database_nothing_is_known(void **state)
{
    struct scene *scene = *state;
    static const char *const words[TOPICS_MAX] = {"=hers"};
    scene->settings.knows_acl = false;
    past_lookup_close(&scene->lookup);
    scene->lookup = past_lookup_open(&scene->settings, scene->common);
    find(scene, "ana", NULL, words);
    assert_false(scene->past.topics_known);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_what_cannot_be_heard_is_said_by_name_and_place),
        SCENE(test_who_may_hear_all_of_it_is_told_nothing),
        SCENE(test_the_inbox_is_of_those_who_come_back),
        SCENE(test_without_bound_topics_nothing_is_asked),
        SCENE(test_what_nobody_can_say_stays_unknown),
        SCENE(test_without_a_database_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, acl_fixture_open_sqlite, acl_fixture_close_sqlite);
}
