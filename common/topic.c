#include "topic.h"

#include "utf8.h"

#include <string.h>

static bool is_level(const char *level, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(level, text, length) == 0;
}

bool topic_next_level(const char **rest, size_t *rest_length, const char **level,
                      size_t *level_length)
{
    if (*rest == NULL)
        return false;
    const char *slash = memchr(*rest, '/', *rest_length);
    *level = *rest;
    if (slash == NULL) {
        *level_length = *rest_length;
        *rest = NULL;
        *rest_length = 0;
        return true;
    }
    *level_length = (size_t)(slash - *rest);
    *rest_length -= *level_length + 1;
    *rest = slash + 1;
    return true;
}

const char *topic_fault(const char *topic, size_t length, size_t max_length, size_t max_levels)
{
    if (length == 0)
        return "Topic is empty";
    if (length > max_length)
        return "Topic is too long";
    size_t levels = 1;
    for (size_t i = 0; i < length; i++) {
        if (topic[i] == '\0')
            return "Topic has a NUL character";
        levels += topic[i] == '/';
    }
    if (levels > max_levels)
        return "Topic has too many levels";
    return utf8_is_valid(topic, length) ? NULL : "Topic is not valid UTF-8";
}

bool topic_has_wildcard(const char *topic, size_t length)
{
    const char *level;
    size_t level_length;
    while (topic_next_level(&topic, &length, &level, &level_length)) {
        if (is_level(level, level_length, "+") ||
            (topic == NULL && is_level(level, level_length, "#")))
            return true;
    }
    return false;
}

bool topic_is_reserved(const char *topic, size_t length)
{
    static const char *const reserved[] = {"@SERVER@", "@CONNECTION@", "@USER@", "@bind@"};
    const char *level;
    size_t level_length;
    if (!topic_next_level(&topic, &length, &level, &level_length))
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (is_level(level, level_length, reserved[i]))
            return true;
    }
    return false;
}

/* One side while both are walked level by level. */
struct walk {
    const char *rest;
    size_t rest_length;
    const char *level;
    size_t length;
    bool ended;
};

static void walk_step(struct walk *walk)
{
    walk->ended = !topic_next_level(&walk->rest, &walk->rest_length, &walk->level, &walk->length);
}

static bool is_rest(const struct walk *walk)
{
    return !walk->ended && walk->rest == NULL && is_level(walk->level, walk->length, "#");
}

static bool is_any(const struct walk *walk)
{
    return is_level(walk->level, walk->length, "+");
}

static bool is_private(const struct walk *walk)
{
    return walk->length > 0 && walk->level[0] == '@';
}

bool topic_matches(const char *a, size_t a_length, const char *b, size_t b_length)
{
    struct walk one = {.rest = a, .rest_length = a_length};
    struct walk two = {.rest = b, .rest_length = b_length};
    for (bool first = true;; first = false) {
        walk_step(&one);
        walk_step(&two);
        if (is_rest(&one))
            return !first || !is_private(&two);
        if (is_rest(&two))
            return !first || !is_private(&one);
        if (one.ended || two.ended)
            return one.ended && two.ended;
        if (is_any(&one) || is_any(&two)) {
            if (first && (is_private(&one) || is_private(&two)))
                return false;
        } else if (one.length != two.length || memcmp(one.level, two.level, one.length) != 0) {
            return false;
        }
    }
}

bool topic_covers(const char *pattern, size_t pattern_length, const char *topic,
                  size_t topic_length)
{
    struct walk granted = {.rest = pattern, .rest_length = pattern_length};
    struct walk asked = {.rest = topic, .rest_length = topic_length};
    for (bool first = true;; first = false) {
        walk_step(&granted);
        walk_step(&asked);
        if (is_rest(&granted))
            return !first || !is_private(&asked);
        if (granted.ended || asked.ended)
            return granted.ended && asked.ended;
        if (is_rest(&asked) || (is_any(&granted) && first && is_private(&asked)))
            return false;
        if (!is_any(&granted) && (granted.length != asked.length ||
                                  memcmp(granted.level, asked.level, asked.length) != 0))
            return false;
    }
}
