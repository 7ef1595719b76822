#include "open_topics.h"

#include "topic.h"

#include <string.h>

static bool is_presence(const char *topic, size_t length)
{
    static const char presence[] = "@CONNECTION@";
    const char *level;
    size_t level_length;
    return topic_next_level(&topic, &length, &level, &level_length) &&
           level_length == sizeof presence - 1 && memcmp(level, presence, level_length) == 0;
}

/* No list at all is that of a configuration which nobody has read: as if nothing stood there. */
static bool is_open(char *const *patterns, const char *topic, size_t length)
{
    if (patterns == NULL)
        return true;
    for (; *patterns != NULL; patterns++)
        if (strcmp(*patterns, CONFIG_OPEN_EVERYTHING) == 0 ||
            topic_covers(*patterns, strlen(*patterns), topic, length))
            return true;
    return false;
}

const char *open_topics_fault(const struct config *config, const char *topic, size_t length,
                              bool proven)
{
    if (is_presence(topic, length))
        return proven || config->presence == CONFIG_PRESENCE_PUBLIC
                   ? NULL
                   : "Presence topics need a proof";
    return is_open(config->open_topics, topic, length) ? NULL : "Topic is not open to everybody";
}
