#include "requests/deaf_topics.h"

#include "user_set.h"

#include <string.h>

void deaf_topics_write(struct bytes *out, const struct past_rights *past)
{
    struct user_set unregistered;

    if (past == NULL || !past->topics_known || past->deaf.length == 0)
        return;
    if (!user_set_fill(&unregistered, past->unregistered.data, past->unregistered.length)) {
        out->failed = true;
        return;
    }
    bytes_append_text(out, ",\"deaf\":[");
    for (size_t at = 0; at < past->deaf.length;) {
        const char *topic = past->deaf.data + at;
        size_t length = strlen(topic);
        bytes_append_text(out, at > 0 ? ",{\"topic\":" : "{\"topic\":");
        bytes_append_json_string(out, topic, length);
        bytes_append_text(out, user_set_has(&unregistered, topic) ? ",\"reason\":\"unregistered\"}"
                                                                  : ",\"reason\":\"forbidden\"}");
        at += length + 1;
    }
    bytes_append_text(out, "]");
    user_set_free(&unregistered);
}
