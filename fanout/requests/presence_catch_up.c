#include "requests/presence_catch_up.h"

#include "bytes.h"
#include "config/config.h"
#include "event_id.h"
#include "events/delivery.h"
#include "events/nodes.h"
#include "log/event_log.h"
#include "requests/presence_events.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"
#include "topic.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_WORK = 32, /* bytes that are compared for a unit of work */
    FRAME_WORK = 4,
    STEPS_OF_WORK = 4 /* from one to the next, likewise */
};

/* ---- the patterns ---- */

struct watch {
    const struct subscription *subscription;
    size_t at, length; /* of its pattern, in the names */
};

struct watches {
    struct watch *list;
    size_t count;
    struct bytes names;
};

static bool is_watch(const struct subscription *subscription)
{
    return subscription->kind == SUBSCRIPTION_OPEN && topic_limits_watches_many(subscription->node);
}

static size_t count_watches(const struct stream *stream)
{
    size_t count = 0;

    for (uint32_t i = 0; i < stream->subscriber.count; i++)
        count += is_watch(&stream->subscriber.subscriptions[i]);
    return count;
}

bool presence_catch_up_is_needed(const struct stream *stream)
{
    return count_watches(stream) > 0;
}

static bool find_watches(struct watches *watches, const struct stream *stream)
{
    size_t most = count_watches(stream);

    *watches = (struct watches){.list = calloc(most + 1, sizeof *watches->list)};
    for (uint32_t i = 0; watches->list != NULL && i < stream->subscriber.count; i++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[i];
        if (!is_watch(subscription))
            continue;
        struct watch *watch = &watches->list[watches->count++];
        *watch = (struct watch){.subscription = subscription, .at = watches->names.length};
        topic_node_write_name(subscription->node, &watches->names);
        watch->length = watches->names.length - watch->at;
    }
    return watches->list != NULL && !watches->names.failed;
}

static void free_watches(struct watches *watches)
{
    free(watches->list);
    bytes_free(&watches->names);
}

/* ---- where to begin ---- */

struct presence_due presence_catch_up_begin(const struct service *service, const char *last_id,
                                            size_t length, bool was_here,
                                            const struct presence_heard *heard)
{
    const struct presence *presence = &service->streams->presence;
    const struct event_log *log = service->log;
    uint64_t told = presence->past.told, epoch;
    struct presence_due due = {.change = told, .news_from = told, .is_known = true};

    struct log_position asked;
    due.announced = last_id == NULL; /* it has missed nothing */
    if (last_id == NULL)
        return due;
    if (heard->is_poll) {
        due.is_known = heard->before_is_known;
        due.change = told - (uint32_t)((uint32_t)told - heard->before);
        due.news_from = told - (uint32_t)((uint32_t)told - heard->through);
        return due;
    }
    due.is_known =
        event_id_read_place(last_id, length, &epoch, &asked.sequence, &asked.values_after) &&
        epoch == log->epoch && asked.sequence <= log->sequence &&
        /* Before an event another daemon had told something else of presence than this one. */
        (was_here || !nodes_may_have_given(service->nodes, asked.sequence)) &&
        presence_past_find(&presence->past, asked.sequence, &due.change);
    return due;
}

/* The first entry that has changed after this change, NULL: none. False when that is not one of the
 * so many newest. */
static bool find_entry(const struct presence *presence, uint64_t change, uint64_t most,
                       const struct presence_entry **first, size_t *work)
{
    const struct presence_entry *entry = presence->newest;
    uint64_t steps = 0;

    *first = NULL;
    for (; entry != NULL && entry->changed > change && steps < most; entry = entry->older) {
        *first = entry;
        steps++;
    }
    *work += steps / STEPS_OF_WORK;
    return entry == NULL || entry->changed <= change;
}

/* ---- telling ---- */

struct telling {
    struct service *service;
    struct stream *stream;
    struct presence_due *due;
    struct replay_measure *measure;
    const struct presence_entry *entry; /* the next ones */
    const struct presence_gone *gone;
    struct watches watches;
    struct bytes topic;
};

static bool announce(const struct telling *telling, const char *told)
{
    char detail[40];

    (void)snprintf(detail, sizeof detail, "{\"told\":\"%s\"}", told);
    return delivery_tell(telling->service->delivery, telling->stream, "presence", detail,
                         replay_position(telling->service->replays, telling->stream));
}

/* What it knew is void: all that are there follow, or the newest of them. */
static bool begin_anew(struct telling *telling)
{
    const struct presence *presence = &telling->service->streams->presence;
    uint64_t most = telling->service->config->max_presence_missed;
    struct presence_due *due = telling->due;

    *due = (struct presence_due){.names_told = due->names_told,
                                 .announced = true,
                                 .news_from = due->news_from,
                                 .gone_from = presence->past.told};
    telling->entry = presence->oldest;
    if (presence->by_clid.count <= most)
        return announce(telling, "all");
    due->change = presence->changes;
    (void)find_entry(presence, 0, most, &telling->entry, &telling->measure->work);
    if (telling->entry != NULL)
        due->change = telling->entry->changed - 1;
    return announce(telling, "newest");
}

/* Finds where to go on. What it has to be told may have been forgotten. */
static bool find_place(struct telling *telling)
{
    const struct presence *presence = &telling->service->streams->presence;
    struct presence_due *due = telling->due;
    uint64_t most = telling->service->config->max_presence_missed;

    if (!due->announced)
        due->gone_from = due->change;
    uint64_t gone_after = due->change > due->gone_from ? due->change : due->gone_from;
    bool found = (due->announced || due->is_known) && gone_after >= presence->past.forgotten &&
                 find_entry(presence, due->change, due->announced ? 2 * most : most,
                            &telling->entry, &telling->measure->work);
    telling->measure->work += presence->past.gone_count / STEPS_OF_WORK;
    if (!found) {
        if (!begin_anew(telling))
            return false;
        gone_after = due->gone_from;
    } else if (!due->announced) {
        due->announced = true;
        if (!announce(telling, "changes"))
            return false;
    }
    telling->gone = presence_past_first_gone(&presence->past, gone_after);
    return true;
}

static bool tell_count(struct telling *telling, const char *clid, size_t length, uint32_t instances)
{
    struct service *service = telling->service;
    struct bytes *topic = &telling->topic;
    char json[PRESENCE_EVENT_SIZE];

    presence_events_write_topic(topic, clid, length);
    if (topic->failed)
        return false;
    if (topic_has_wildcard(topic->data, topic->length))
        return true;
    const struct event event = {
        .topic = topic->data,
        .topic_length = topic->length,
        .json = json,
        .json_length =
            presence_events_write(json, instances > 0 ? "connect" : "disconnect", instances),
        .sequence = replay_position(service->replays, telling->stream).sequence};
    for (size_t i = 0; i < telling->watches.count; i++) {
        const struct watch *watch = &telling->watches.list[i];
        const char *pattern = telling->watches.names.data + watch->at;
        telling->measure->work += 1 + (watch->length + topic->length) / NAME_WORK;
        if (!topic_matches(pattern, watch->length, topic->data, topic->length))
            continue;
        telling->measure->work += FRAME_WORK;
        if (!delivery_replay(service->delivery, telling->stream, watch->subscription, &event,
                             false))
            return false;
    }
    return true;
}

static bool gone_is_next(const struct telling *telling)
{
    return telling->gone != NULL &&
           (telling->entry == NULL || telling->gone->change < telling->entry->changed);
}

/* Nobody hears itself come. */
static bool is_itself_alone(const struct telling *telling, const struct presence_entry *entry)
{
    return entry == telling->stream->presence && entry->instances == 1;
}

/* One that has gone may be there again: then that is told. */
static bool tell_next(struct telling *telling)
{
    const struct presence *presence = &telling->service->streams->presence;
    const struct presence_gone *gone = telling->gone;
    const struct presence_entry *entry = telling->entry;

    telling->measure->work++;
    if (gone_is_next(telling)) {
        telling->due->change = gone->change;
        telling->gone = STAILQ_NEXT(gone, next);
        return presence_find(presence, gone->clid, gone->length) != NULL ||
               tell_count(telling, gone->clid, gone->length, 0);
    }
    telling->due->change = entry->changed;
    telling->entry = entry->newer;
    return is_itself_alone(telling, entry) ||
           tell_count(telling, entry->clid, entry->length, entry->instances);
}

static uint64_t next_change(const struct telling *telling)
{
    if (gone_is_next(telling))
        return telling->gone->change;
    return telling->entry != NULL ? telling->entry->changed : UINT64_MAX;
}

static bool is_over(const struct telling *telling)
{
    return telling->measure->work >= telling->measure->most_work ||
           telling->stream->connection.output.length >= telling->measure->window;
}

/* Those up to this change, which the others have been told of already. */
static enum replay_telling tell_through(struct telling *telling, uint64_t through)
{
    while (next_change(telling) <= through) {
        if (is_over(telling))
            return REPLAY_MORE;
        if (!tell_next(telling))
            return REPLAY_FAILED;
    }
    if (telling->due->change < through)
        telling->due->change = through;
    return REPLAY_TOLD;
}

/* Only what is news ends the waiting of a poll. */
static enum replay_telling tell_poll_of_before(struct telling *telling)
{
    struct stream *stream = telling->stream;

    if (telling->due->announced && telling->due->change >= telling->due->news_from)
        return REPLAY_TOLD;
    enum replay_telling result = tell_through(telling, telling->due->news_from);
    if (result != REPLAY_FAILED && stream->transport->begun != NULL &&
        !stream->transport->begun(&stream->connection))
        return REPLAY_FAILED;
    return result;
}

static enum replay_telling tell_changes(struct telling *telling)
{
    const struct presence *presence = &telling->service->streams->presence;
    struct stream *stream = telling->stream;
    bool polls = stream->transport->answers_once, was_known = telling->due->is_known;

    if (polls && stream->connection.output.length > 0)
        return REPLAY_MORE; /* it is answered with what it has */
    if (!find_watches(&telling->watches, stream) || !find_place(telling))
        return REPLAY_FAILED;
    if (polls && was_known && !telling->due->is_known)
        stream->presence_before = UINT64_MAX;
    enum replay_telling result = polls ? tell_poll_of_before(telling) : REPLAY_TOLD;
    if (result == REPLAY_TOLD)
        result = tell_through(telling, presence->past.told);
    return result;
}

enum replay_telling presence_catch_up_tell(struct stream *stream, struct presence_due *due,
                                           struct replay_measure *measure)
{
    struct service *service = service_of(&stream->connection);
    const struct presence *presence = &service->streams->presence;
    struct telling telling = {.service = service, .stream = stream, .due = due, .measure = measure};

    if (!due->names_told && !stream->transport->answers_once) {
        due->names_told = true;
        if (!presence_events_send_available(service, stream, 0))
            return REPLAY_FAILED;
    }
    if (!presence_catch_up_is_needed(stream)) {
        stream->presence_since = (uint32_t)presence->changes;
        return REPLAY_TOLD;
    }
    enum replay_telling result = tell_changes(&telling);
    free_watches(&telling.watches);
    bytes_free(&telling.topic);
    if (result != REPLAY_TOLD)
        return result;
    /* Of what is still to be told it hears live, but for what was there already when it came. */
    if (presence->pending != NULL && stream_knows_change(stream, presence->pending->changed))
        return REPLAY_MORE;
    if (!stream_knows_change(stream, presence->past.told))
        stream->presence_since = (uint32_t)presence->past.told;
    return REPLAY_TOLD;
}
