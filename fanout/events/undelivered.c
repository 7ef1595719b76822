#include "events/undelivered.h"

#include "bus/bus.h"
#include "bytes.h"
#include "events/delivery.h"
#include "events/intake.h"
#include "events/publisher_counts.h"
#include "events/seen_events.h"
#include "log/event_log.h"
#include "net/net.h"
#include "secret.h"
#include "streams/report_users.h"
#include "streams/streams.h"

#include <string.h>

enum {
    GRACE_MS = 5000, /* for a client that was sent it to say that it had it, however late it came */
    TOLD_AT_ONCE = 64
};

/* ---- one of them ---- */

static void write_topic(struct bytes *topic, const struct undelivered *undelivered,
                        const struct report *report)
{
    const struct publisher_count *publisher =
        publisher_counts_find(undelivered->publishers, report->token);

    bytes_append_text(topic, "@SERVER@/undelivered");
    if (publisher != NULL) {
        bytes_append_text(topic, "/");
        bytes_append_text(topic, publisher->name);
    }
}

static void write_id(struct bytes *out, const struct undelivered *undelivered,
                     const struct report *report)
{
    bytes_append_number(out, undelivered->delivery->log->epoch);
    bytes_append_text(out, "-");
    bytes_append_number(out, report_sequence(report));
}

static void write_event(struct bytes *json, const struct undelivered *undelivered,
                        const struct report_users *users, const struct report_user *user)
{
    bytes_append_text(json, "{\"type\":\"undelivered\",\"detail\":{\"id\":\"");
    write_id(json, undelivered, users->report);
    bytes_append_text(json, "\",\"topic\":");
    bytes_append_json_string(json, users->topic, users->topic_length);
    bytes_append_text(json, ",\"uid\":");
    bytes_append_json_string(json, user->id, strlen(user->id));
    bytes_append_text(json, ",\"sent\":");
    bytes_append_number(json, user->sent);
    bytes_append_text(json, "}}");
}

/* By which it is known when it is told again, since the first try may have failed. False without
 * memory. */
static bool make_key(unsigned char key[ENVELOPE_POST_KEY_SIZE],
                     const struct undelivered *undelivered, const struct report_users *users,
                     const struct report_user *user)
{
    struct bytes text = BYTES_EMPTY;

    bytes_append_text(&text, "1 undelivered ");
    write_id(&text, undelivered, users->report);
    bytes_append_text(&text, " ");
    bytes_append_text(&text, user->id);
    bool made = !text.failed;
    for (size_t half = 0; made && half < 2; half++) {
        text.data[0] = (char)('1' + half);
        uint64_t digest = secret_id(text.data, text.length);
        memcpy(key + half * sizeof digest, &digest, sizeof digest);
    }
    bytes_free(&text);
    return made;
}

static void publish(struct undelivered *undelivered, const struct report_users *users,
                    const struct report_user *user, const unsigned char *key)
{
    struct bytes topic = BYTES_EMPTY, json = BYTES_EMPTY;
    struct bus_message message = {
        .envelope = {.kind = ENVELOPE_EVENT, .flags = ENVELOPE_PRIVATE | ENVELOPE_HAS_POST_KEY}};

    write_topic(&topic, undelivered, users->report);
    write_event(&json, undelivered, users, user);
    memcpy(message.envelope.post_key, key, sizeof message.envelope.post_key);
    message.event = (struct event){.topic = topic.data,
                                   .topic_length = topic.length,
                                   .json = json.data,
                                   .json_length = json.length,
                                   .allowed = "",
                                   .flags = message.envelope.flags};
    if (!topic.failed && !json.failed)
        intake_take(undelivered->intake, &message);
    bytes_free(&topic);
    bytes_free(&json);
}

/* True when it is told, and kept. */
static bool tell_user(struct undelivered *undelivered, const struct report_users *users,
                      const struct report_user *user)
{
    uint64_t now = loop_now(&undelivered->delivery->net->loop);
    unsigned char key[ENVELOPE_POST_KEY_SIZE];

    if (!make_key(key, undelivered, users, user))
        return false;
    const struct seen_event *seen = seen_events_find(undelivered->seen, key, now);
    if (seen == NULL) {
        publish(undelivered, users, user, key);
        seen = seen_events_find(undelivered->seen, key, now);
    }
    return seen != NULL && !seen->pending;
}

/* ---- all of an event ---- */

/* How many are left to be looked at once more. */
static uint32_t tell_users(struct undelivered *undelivered, struct report_users *users,
                           uint32_t *waiting)
{
    uint32_t left = 0, told = 0;

    for (uint32_t i = 0; i < users->count; i++) {
        struct report_user *user = &users->list[i];
        user->is_told = user->is_told || user->had || user->is_unsaid;
        if (user->is_told)
            continue;
        if (user->sent > 0 && !users->is_late)
            (*waiting)++;
        else if (told++ < TOLD_AT_ONCE && tell_user(undelivered, users, user))
            user->is_told = true;
        else
            left++;
    }
    return left;
}

static void look_at(struct deadline *due, void *context)
{
    struct undelivered *undelivered = context;
    struct report_users *users = report_users_of(due);
    struct reports *reports = &undelivered->delivery->streams->reports;
    uint64_t now = loop_now(&undelivered->delivery->net->loop);
    uint32_t waiting = 0;

    if (tell_users(undelivered, users, &waiting) > 0) {
        deadlines_set(&reports->waits, due, now + 1);
    } else if (waiting > 0) {
        users->is_late = true;
        deadlines_set(&reports->waits, due, now + GRACE_MS);
    } else {
        reports_settle(reports, users->report);
    }
}

void undelivered_tell(struct undelivered *undelivered)
{
    const struct net *net = undelivered->delivery->net;

    if (!net->stopping)
        deadlines_advance(&undelivered->delivery->streams->reports.waits, loop_now(&net->loop),
                          look_at, undelivered);
}
