#include "requests/verdict.h"

#include "clock.h"
#include "envelope.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "near_topic.h"
#include "net/connection.h"
#include "requests/service.h"
#include "rights.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "topic.h"
#include "topics/audience.h"

#include <string.h>

enum { EARLIER_MOST = 1000 /* events of its topic that are looked at */ };

/* One stream before one event. */
struct trial {
    const struct verdict_question *question;
    const struct stream_past *past;
    struct event event;
    struct stream_moment moment;
    struct bytes topics; /* that it had then */
    bool topics_known;
    struct bytes *out;
};

void verdict_add_number(struct bytes *out, const char *name, uint64_t value)
{
    bytes_append_format(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

void verdict_add_text(struct bytes *out, const char *name, const char *text, size_t length)
{
    bytes_append_format(out, ",\"%s\":", name);
    bytes_append_json_string(out, text, length);
}

static void say(const struct trial *trial, const char *cause, uint64_t at_ms)
{
    bytes_append_format(trial->out, "\"cause\":\"%s\"", cause);
    if (at_ms != 0)
        verdict_add_number(trial->out, "at", at_ms);
}

/* Of a decision that may not be known. */
static uint64_t time_of(const struct decision *decision)
{
    return decision != NULL ? decision->at_ms : 0;
}

static void add_topic(const struct trial *trial, const char *name, const char *topic)
{
    verdict_add_text(trial->out, name, topic, strlen(topic));
}

static const char *user_of(const struct stream_past *past)
{
    return past->user != NULL && past->user[0] != '\0' ? past->user : NULL;
}

/* ---- topics ---- */

static enum subscription_kind kind_of(const char *topic)
{
    return (enum subscription_kind)(topic[0] - '0');
}

/* An inbox is for what is said to its user, on whatever topic. */
static bool is_about(const struct event *event, const char *topic)
{
    if (kind_of(topic) == SUBSCRIPTION_INBOX)
        return (event->flags & ENVELOPE_TARGETED) != 0;
    return topic_matches(topic + 1, strlen(topic + 1), event->topic, event->topic_length);
}

/* The next topic of a list; begin with NULL. */
static const char *next_topic(const struct bytes *topics, const char *topic)
{
    const char *next = topic == NULL ? topics->data : topic + strlen(topic) + 1;

    return topics->length > 0 && next < topics->data + topics->length ? next : NULL;
}

/* The one by which it hears the event, else one that matches it but is of another kind, else NULL. */
static const char *find_matching(const struct trial *trial, bool *hears)
{
    const char *found = NULL;

    *hears = false;
    for (const char *topic = NULL; (topic = next_topic(&trial->topics, topic)) != NULL;) {
        if (!is_about(&trial->event, topic))
            continue;
        *hears = audience_may_hear(&trial->event, kind_of(topic), user_of(trial->past));
        if (*hears)
            return topic;
        /* What tells most is the one of the event's own kind. */
        if (found == NULL || audience_suits(trial->event.flags, kind_of(topic)))
            found = topic;
    }
    return found;
}

/* The decision of this kind between two places that names a matching topic; the last one, or the
 * first. */
static const struct decision *find_change(const struct trial *trial, enum decision_kind kind,
                                          size_t from, size_t to, bool last)
{
    const struct decision *found = NULL;

    for (size_t i = from; i < to; i++) {
        const struct decision *decision = &trial->past->records[i];
        if (decision->kind != kind || (found != NULL && !last))
            continue;
        for (const char *topic = stream_past_first_topic(decision); topic != NULL;
             topic = decision_next_text(decision, topic))
            if (is_about(&trial->event, topic))
                found = decision;
    }
    return found;
}

static enum near_topic find_nearest(const struct bytes *topics, const char *name, size_t length,
                                    const char **nearest)
{
    enum near_topic best = NEAR_NOT;

    for (const char *topic = NULL; (topic = next_topic(topics, topic)) != NULL;) {
        enum near_topic near = kind_of(topic) == SUBSCRIPTION_INBOX
                                   ? NEAR_NOT
                                   : near_topic_is(topic + 1, strlen(topic + 1), name, length);
        if (near > best) {
            best = near;
            *nearest = topic + 1;
        }
    }
    return best;
}

static void judge_unsubscribed(const struct trial *trial)
{
    const struct stream_past *past = trial->past;
    size_t place = trial->moment.place;
    const char *near_name = NULL;
    const struct decision *change = find_change(trial, DECISION_REMOVED, 0, place, true);

    if (change != NULL) {
        say(trial, "unsubscribed", change->at_ms);
        return;
    }
    change = find_change(trial, DECISION_ADDED, place, past->count, false);
    if (change != NULL) {
        say(trial, "subscribed-later", change->at_ms);
        return;
    }
    if ((trial->event.flags & ENVELOPE_TARGETED) != 0) {
        say(trial, "no-inbox", 0);
        return;
    }
    enum near_topic near =
        find_nearest(&trial->topics, trial->event.topic, trial->event.topic_length, &near_name);
    if (near != NEAR_NOT) {
        say(trial, "near-name", time_of(trial->moment.by));
        add_topic(trial, "topic", near_name);
        add_topic(trial, "near", near_topic_words(near));
        return;
    }
    say(trial, trial->topics_known ? "not-subscribed" : "topics-not-known", 0);
}

/* ---- rights ---- */

/* The last event of the topic before this one that the user might hear: until then it had the right. */
static void add_right_before(const struct trial *trial)
{
    const struct logged_topic *topic = trial->question->logged->topic;
    const struct event_log *log = trial->question->service->log;
    uint32_t before = logged_topic_after(topic, trial->event.sequence - 1);

    for (uint32_t i = 0; i < before && i < EARLIER_MOST; i++) {
        const struct logged_event *logged = logged_topic_at(topic, before - 1 - i);
        const struct event event = logged_event_get(logged);
        if ((event.flags & ENVELOPE_BOUND) == 0 ||
            !audience_may_hear(&event, SUBSCRIPTION_BOUND, user_of(trial->past)))
            continue;
        uint64_t age = loop_now(&trial->question->service->net->loop) - logged->logged_at_ms;
        bytes_append_format(trial->out, ",\"heard_until\":{\"id\":\"%llu-%llu\",\"at\":%llu}",
                            (unsigned long long)log->epoch, (unsigned long long)event.sequence,
                            (unsigned long long)(clock_wall_ms() - age));
        return;
    }
}

static void judge_right(const struct trial *trial, const char *topic)
{
    const struct decision *told = find_change(trial, DECISION_DEAF, 0, trial->past->count, false);

    say(trial, "no-right", trial->question->at_ms);
    add_topic(trial, "topic", topic);
    if (told != NULL)
        verdict_add_number(trial->out, "told", told->at_ms);
    add_right_before(trial);
}

/* It has a topic that matches, and does not hear the event by it. */
static void judge_kind(const struct trial *trial, const char *topic)
{
    uint16_t flags = trial->event.flags;
    enum subscription_kind kind = kind_of(topic);
    const char *cause = "plain-event";

    if ((flags & ENVELOPE_TARGETED) != 0)
        cause = kind == SUBSCRIPTION_INBOX ? "to-others" : "no-inbox";
    else if ((flags & ENVELOPE_PRIVATE) != 0)
        cause = "not-private";
    else if ((flags & ENVELOPE_BOUND) != 0 && kind == SUBSCRIPTION_BOUND)
        cause = NULL;
    else if ((flags & ENVELOPE_BOUND) != 0)
        cause = "not-bound";
    if (cause == NULL) {
        judge_right(trial, topic + 1);
        return;
    }
    say(trial, cause, trial->question->at_ms);
    add_topic(trial, "topic", topic + 1);
    if (kind != SUBSCRIPTION_OPEN)
        add_topic(trial, "subscribed", kind == SUBSCRIPTION_PRIVATE ? "private" : "bound");
}

/* ---- what became of it ---- */

/* True when it had ended before the event was withheld from it. */
static bool was_withheld(const struct trial *trial, const struct decision *ending)
{
    const struct stream *live = trial->past->live;
    uint64_t since = ending != NULL                           ? ending->other
                     : live != NULL && live->identity != NULL ? live->identity->withheld
                                                              : 0;

    return since != 0 && trial->event.sequence >= since;
}

/* Ends of which a client may know nothing: what was written to it may be lost on the way. */
static const char *name_end(const struct decision *ending)
{
    return close_reason_name((enum close_reason)ending->reason);
}

static const struct report_receipt *find_receipt(const struct trial *trial)
{
    const struct reports *reports = &trial->question->service->streams->reports;
    const struct report *report = reports_find(reports, trial->event.sequence);

    return report != NULL ? reports_find_receipt(reports, report, trial->past->connid) : NULL;
}

static void judge_written(const struct trial *trial, uint64_t given_ms,
                          const struct decision *ending)
{
    const struct report_receipt *receipt = find_receipt(trial);
    bool had = receipt != NULL && receipt->state == RECEIPT_HAD;

    say(trial, had ? "had" : "written", had ? receipt->had_at_ms : given_ms);
    if (had)
        verdict_add_number(trial->out, "written", given_ms);
    else if (receipt != NULL && receipt->state == RECEIPT_MISSING)
        bytes_append_text(trial->out, ",\"said\":false");
    if (trial->moment.how == THEN_RESUMED)
        bytes_append_text(trial->out, ",\"caught_up\":true");
    if (ending != NULL) {
        verdict_add_number(trial->out, "ended", ending->at_ms);
        add_topic(trial, "reason", name_end(ending));
    }
}

/* It has not come so far in the log. */
static bool is_to_come(const struct trial *trial)
{
    const struct log_position position =
        replay_position(trial->question->service->replays, trial->past->live);

    return position.sequence < trial->event.sequence;
}

static void judge_live(const struct trial *trial, uint64_t given_ms)
{
    const struct stream *live = trial->past->live;

    if (live->replay != NULL && is_to_come(trial)) {
        say(trial, "catching-up", given_ms);
    } else if (live->connection.backlog != NULL) {
        say(trial, "waiting", given_ms);
        verdict_add_number(trial->out, "bytes", live->connection.output.length);
    } else {
        judge_written(trial, given_ms, NULL);
    }
}

static void judge_given(const struct trial *trial)
{
    const struct decision *ending = stream_past_ending(trial->past, trial->moment.place);
    uint64_t given_ms =
        trial->moment.how == THEN_RESUMED ? time_of(trial->moment.by) : trial->question->at_ms;

    if (was_withheld(trial, ending)) {
        say(trial, "expired", ending != NULL ? ending->at_ms : trial->question->at_ms);
    } else if (ending != NULL && ending->pending > 0) {
        say(trial, ending->reason == CLOSE_SLOW ? "slow" : "cut-off", ending->at_ms);
        verdict_add_number(trial->out, "queued", given_ms);
        verdict_add_number(trial->out, "bytes", ending->pending);
        add_topic(trial, "reason", name_end(ending));
    } else if (ending == NULL && trial->past->live != NULL) {
        judge_live(trial, given_ms);
    } else if (ending == NULL) {
        say(trial, "polls", given_ms);
    } else {
        judge_written(trial, given_ms, ending);
    }
}

/* ---- all in their order ---- */

static void judge_absent(const struct trial *trial)
{
    const struct stream_moment *moment = &trial->moment;
    const char *const causes[] = {[THEN_HAD] = "had-before",
                                  [THEN_GAP] = "gap",
                                  [THEN_LATER] = "came-later",
                                  [THEN_ENDED] = "ended"};
    bool ended = moment->how != THEN_HAD && moment->ending != NULL;

    say(trial, ended ? "ended" : causes[moment->how], time_of(ended ? moment->ending : moment->by));
    if (ended)
        add_topic(trial, "reason", name_end(moment->ending));
    if (ended && moment->by != NULL && moment->by != moment->ending) {
        verdict_add_number(trial->out, "came_back", moment->by->at_ms);
        if (moment->how == THEN_GAP)
            bytes_append_text(trial->out, ",\"recovered\":false");
    }
}

static void judge_present(const struct trial *trial)
{
    bool hears;
    const char *topic = find_matching(trial, &hears);

    if (topic == NULL)
        judge_unsubscribed(trial);
    else if (!hears)
        judge_kind(trial, topic);
    else
        judge_given(trial);
}

static void judge(const struct trial *trial)
{
    const struct event *event = &trial->event;

    if (event->whisper != 0 && event->whisper != trial->past->connid) {
        say(trial, "whispered", trial->question->at_ms);
        verdict_add_number(trial->out, "to", event->whisper == UINT64_MAX ? 0 : event->whisper);
    } else if (event->except != 0 && event->except == trial->past->connid) {
        say(trial, "excluded", trial->question->at_ms);
    } else if (trial->moment.how == THEN_THERE || trial->moment.how == THEN_RESUMED) {
        judge_present(trial);
    } else {
        judge_absent(trial);
    }
}

void verdict_write(struct bytes *out, const struct verdict_question *question,
                   const struct stream_past *past)
{
    struct trial trial = {.question = question,
                          .past = past,
                          .event = logged_event_get(question->logged),
                          .out = out};

    trial.moment = stream_past_at(past, trial.event.sequence);
    trial.topics_known = stream_past_topics(past, trial.moment.place, &trial.topics);
    judge(&trial);
    out->failed = out->failed || trial.topics.failed;
    bytes_free(&trial.topics);
}

void verdict_write_hearing(struct bytes *out, const struct bytes *topics, const char *topic,
                           size_t length)
{
    static const char *const words[] = {[SUBSCRIPTION_OPEN] = "plain",
                                        [SUBSCRIPTION_BOUND] = "bound",
                                        [SUBSCRIPTION_INBOX] = "inbox",
                                        [SUBSCRIPTION_PRIVATE] = "private"};
    const char *near_name = NULL;
    bool some = false;

    bytes_append_text(out, ",\"hears\":[");
    for (const char *held = NULL; (held = next_topic(topics, held)) != NULL;) {
        if (kind_of(held) != SUBSCRIPTION_INBOX &&
            !topic_matches(held + 1, strlen(held + 1), topic, length))
            continue;
        bytes_append_format(out, "%s\"%s\"", some ? "," : "", words[kind_of(held)]);
        some = true;
    }
    bytes_append_text(out, "]");
    enum near_topic near = some ? NEAR_NOT : find_nearest(topics, topic, length, &near_name);
    if (near == NEAR_NOT)
        return;
    verdict_add_text(out, "topic", near_name, strlen(near_name));
    verdict_add_text(out, "near", near_topic_words(near), strlen(near_topic_words(near)));
}
