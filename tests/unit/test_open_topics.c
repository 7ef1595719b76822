#include "open_topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const char *fault_of(const struct config *config, const char *topic, bool proven)
{
    return open_topics_fault(config, topic, strlen(topic), proven);
}

static void everything_is_open_when_nothing_is_said(void **state)
{
    static char everything[] = CONFIG_OPEN_EVERYTHING;
    static char *words[] = {everything, NULL};
    const struct config unread = {0}, config = {.open_topics = words};
    static const char *const topics[] = {"a", "#", "+/#", "@x/y", "@CONNECTION@/+", ""};

    (void)state;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        assert_null(fault_of(&unread, topics[i], false));
        assert_null(fault_of(&config, topics[i], false));
    }
}

static void a_pattern_has_to_be_open_as_a_whole(void **state)
{
    static char news[] = "news/#", one[] = "shop/+/state";
    static char *words[] = {news, one, NULL}, *none[] = {NULL};
    const struct config config = {.open_topics = words}, closed = {.open_topics = none};
    static const char *const open[] = {"news",     "news/",        "news/a/b",     "news/#",
                                       "news/+/#", "shop/7/state", "shop/+/state", "shop//state"};
    static const char *const not_open[] = {
        "",       "#", "+", "new", "news2", "+/a", "shop/#", "shop/+/+", "shop/7", "shop/7/state/x",
        "@news/x"};

    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        assert_null(fault_of(&config, open[i], false));
        assert_non_null(fault_of(&closed, open[i], true));
    }
    for (size_t i = 0; i < sizeof not_open / sizeof *not_open; i++)
        assert_non_null(fault_of(&config, not_open[i], true));
}

static void presence_is_a_matter_of_its_own(void **state)
{
    static char all[] = "#", presence[] = "@CONNECTION@/#";
    static char *words[] = {all, presence, NULL}, *none[] = {NULL};
    const struct config proven = {.open_topics = words, .presence = CONFIG_PRESENCE_PROVEN};
    const struct config everybody = {.open_topics = none, .presence = CONFIG_PRESENCE_PUBLIC};
    static const char *const topics[] = {"@CONNECTION@", "@CONNECTION@/a", "@CONNECTION@/+",
                                         "@CONNECTION@/#"};

    (void)state;
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        assert_non_null(fault_of(&proven, topics[i], false));
        assert_null(fault_of(&proven, topics[i], true));
        assert_null(fault_of(&everybody, topics[i], false));
    }
    assert_non_null(fault_of(&everybody, "@CONNECTION@x", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_open_when_nothing_is_said),
        cmocka_unit_test(a_pattern_has_to_be_open_as_a_whole),
        cmocka_unit_test(presence_is_a_matter_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
