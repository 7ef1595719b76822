#include "requests/stream_past.h"

#include "streams/stream.h"
#include "streams/streams.h"

#include <stdlib.h>
#include <string.h>

/* In a turn of the loop, since all wait meanwhile: some tenths of a millisecond. */
enum { DECISIONS_AT_ONCE = 2000, STREAMS_AT_ONCE = 1000 };

/* ---- whose ---- */

static bool is_text_of(const char *text, const char *wanted)
{
    return wanted == NULL || (text != NULL && strcmp(text, wanted) == 0);
}

static bool is_wanted(const struct decision *decision, const struct stream_whose *whose)
{
    const char *user = decision_next_text(decision, NULL);
    const char *clid = user != NULL ? decision_next_text(decision, user) : NULL;

    if (decision->connid == 0 || (whose->connid != 0 && decision->connid != whose->connid))
        return false;
    if (whose->user == NULL && whose->clid == NULL)
        return true;
    return user != NULL && is_text_of(user, whose->user) && is_text_of(clid, whose->clid);
}

static bool is_wanted_stream(const struct stream *stream, const struct stream_whose *whose)
{
    const char *user = stream_user(stream);
    const struct presence_entry *presence = stream->presence;

    if (whose->connid != 0 && stream->connid != whose->connid)
        return false;
    if (whose->user != NULL && (user == NULL || strcmp(user, whose->user) != 0))
        return false;
    return whose->clid == NULL || (presence->length == strlen(whose->clid) &&
                                   memcmp(presence->clid, whose->clid, presence->length) == 0);
}

/* ---- finding them ---- */

static struct stream_past *find_past(const struct stream_pasts *pasts, uint64_t connid)
{
    for (size_t i = 0; i < pasts->count; i++)
        if (pasts->list[i].connid == connid)
            return &pasts->list[i];
    return NULL;
}

/* Among as many as there is room for, the newest ones: ids grow. */
static void add_connid(struct stream_pasts *pasts, uint64_t connid)
{
    size_t at = pasts->count;

    if (find_past(pasts, connid) != NULL)
        return;
    while (at > 0 && pasts->list[at - 1].connid < connid)
        at--;
    if (pasts->count == STREAM_PASTS_MOST)
        pasts->more++;
    else
        pasts->count++;
    if (at == STREAM_PASTS_MOST)
        return;
    memmove(&pasts->list[at + 1], &pasts->list[at], (pasts->count - 1 - at) * sizeof *pasts->list);
    pasts->list[at] = (struct stream_past){.connid = connid};
}

/* ---- piece by piece ---- */

static void look_at_stream(struct hash_node *by_connid, void *context)
{
    struct stream_pasts *pasts = context;
    const struct stream *stream = stream_of_connid_node(by_connid);

    if (is_wanted_stream(stream, pasts->whose))
        add_connid(pasts, stream->connid);
}

/* False: it has too many of them to be looked at in one go. */
static bool add_those_of_user(struct stream_pasts *pasts, const struct streams *streams)
{
    const char *user = pasts->whose->user;
    const struct identity_name *name =
        identities_find(&streams->identities, DROP_USER, user, strlen(user));
    const struct stream_identity *identity;
    size_t count = 0;

    if (name == NULL)
        return true;
    LIST_FOREACH(identity, &name->members, by_user)
    if (++count > STREAMS_AT_ONCE)
        return false;
    LIST_FOREACH(identity, &name->members, by_user)
    if (identity->stream != NULL && is_wanted_stream(identity->stream, pasts->whose))
        add_connid(pasts, identity->stream->connid);
    return true;
}

static bool look_at_decisions(struct stream_pasts *pasts, const struct streams *streams)
{
    struct decision decision;

    for (int i = 0; i < DECISIONS_AT_ONCE; i++) {
        if (!decisions_next(&streams->decisions, &pasts->place, &decision))
            return true;
        if (is_wanted(&decision, pasts->whose))
            add_connid(pasts, decision.connid);
    }
    return false;
}

static bool look_at_held(struct stream_pasts *pasts, const struct streams *streams)
{
    const struct stream_whose *whose = pasts->whose;

    if (whose->connid != 0) {
        if (streams_find(streams, whose->connid) != NULL)
            add_connid(pasts, whose->connid);
        return true;
    }
    if (pasts->cursor == 0 && whose->user != NULL && add_those_of_user(pasts, streams))
        return true;
    for (int i = 0; i < STREAMS_AT_ONCE; i++) {
        pasts->cursor = hash_table_walk(&streams->by_connid, pasts->cursor, look_at_stream, pasts);
        if (pasts->cursor == 0)
            return true;
    }
    return false;
}

void stream_pasts_begin(struct stream_pasts *pasts, const struct stream_whose *whose)
{
    *pasts = (struct stream_pasts){.list = calloc(STREAM_PASTS_MOST + 1, sizeof *pasts->list),
                                   .whose = whose};
    pasts->failed = pasts->list == NULL;
}

bool stream_pasts_look_on(struct stream_pasts *pasts, const struct streams *streams)
{
    if (pasts->failed)
        return true;
    if (pasts->looks_at_held)
        return look_at_held(pasts, streams);
    pasts->looks_at_held = look_at_decisions(pasts, streams);
    return false;
}

/* ---- what is known of them ---- */

void stream_pasts_add(struct stream_pasts *pasts, const struct decision *decision,
                      const struct decision_place *place)
{
    struct stream_past *past = decision->connid != 0 ? find_past(pasts, decision->connid) : NULL;

    if (past == NULL)
        return;
    if (past->place_count == past->capacity) {
        size_t capacity = past->capacity * 2 + 8;
        struct decision_place *more = reallocarray(past->places, capacity, sizeof *more);
        if (more == NULL) {
            pasts->failed = true;
            return;
        }
        past->places = more;
        past->capacity = capacity;
    }
    past->places[past->place_count++] = *place;
}

static char *copy(const char *text, size_t length)
{
    return strndup(text != NULL ? text : "", length);
}

static void take_names(struct stream_past *past)
{
    const char *user = NULL, *clid = NULL;
    size_t length = 0;

    for (size_t i = 0; i < past->count; i++) {
        const char *known = decision_next_text(&past->records[i], NULL);
        if (known == NULL)
            continue;
        user = known;
        clid = decision_next_text(&past->records[i], known);
        length = clid != NULL ? strlen(clid) : 0;
    }
    if (past->live != NULL) {
        user = stream_user(past->live);
        clid = past->live->presence->clid;
        length = past->live->presence->length;
    }
    past->user = copy(user, user != NULL ? strlen(user) : 0);
    past->clid = copy(clid, length);
}

/* False without memory. */
static bool take_records(struct stream_past *past, const struct decisions *decisions)
{
    past->records = calloc(past->place_count + 1, sizeof *past->records);
    if (past->records == NULL)
        return false;
    for (size_t i = 0; i < past->place_count; i++)
        if (decisions_at(decisions, &past->places[i], &past->records[past->count]))
            past->count++;
    return true;
}

void stream_pasts_settle(struct stream_pasts *pasts, const struct streams *streams)
{
    for (size_t i = 0; i < pasts->count; i++) {
        struct stream_past *past = &pasts->list[i];
        past->live = streams_find(streams, past->connid);
        pasts->failed = pasts->failed || !take_records(past, &streams->decisions);
        take_names(past);
        pasts->failed = pasts->failed || past->user == NULL || past->clid == NULL;
    }
}

void stream_pasts_free(struct stream_pasts *pasts)
{
    for (size_t i = 0; i < pasts->count; i++) {
        free(pasts->list[i].places);
        free(pasts->list[i].records);
        free(pasts->list[i].user);
        free(pasts->list[i].clid);
    }
    free(pasts->list);
    *pasts = (struct stream_pasts){0};
}

/* ---- how it stood ---- */

static bool is_life(const struct decision *decision)
{
    return decision->kind == DECISION_BEGAN || decision->kind == DECISION_ENDED;
}

/* Before the first thing that is known: it was there unless that is that it came. */
static bool was_there_at_first(const struct stream_past *past)
{
    for (size_t i = 0; i < past->count; i++)
        if (is_life(&past->records[i]))
            return past->records[i].kind == DECISION_ENDED;
    return true;
}

static enum presence_then how_it_came(const struct decision *began, uint64_t sequence)
{
    if (began->other == UINT64_MAX)
        return THEN_LATER;
    if (began->other < sequence)
        return THEN_RESUMED;
    return began->recovered ? THEN_HAD : THEN_GAP;
}

struct stream_moment stream_past_at(const struct stream_past *past, uint64_t sequence)
{
    struct stream_moment moment = {.how = THEN_THERE};
    bool there = was_there_at_first(past);
    const struct decision *ending = NULL;

    for (size_t i = 0; i < past->count; i++) {
        const struct decision *decision = &past->records[i];
        if (decision->sequence >= sequence)
            break;
        moment.place = i + 1;
        if (!is_life(decision))
            continue;
        there = decision->kind == DECISION_BEGAN;
        ending = there ? NULL : decision;
        moment.by = decision;
    }
    moment.ending = ending;
    /* One that had no topics yet may have asked for the past since. */
    for (size_t i = moment.place; i < past->count; i++) {
        const struct decision *decision = &past->records[i];
        if (decision->kind == DECISION_ENDED && there)
            break;
        if (decision->kind != DECISION_BEGAN || (there && decision->other == UINT64_MAX))
            continue;
        moment.how = how_it_came(decision, sequence);
        moment.by = decision;
        moment.place = i + 1;
        return moment;
    }
    if (!there) {
        moment.how = THEN_ENDED;
        moment.by = ending;
    }
    return moment;
}

const struct decision *stream_past_ending(const struct stream_past *past, size_t place)
{
    for (size_t i = place; i < past->count; i++)
        if (past->records[i].kind == DECISION_ENDED)
            return &past->records[i];
    return NULL;
}

/* ---- its topics ---- */

const char *stream_past_first_topic(const struct decision *decision)
{
    const char *user = decision_next_text(decision, NULL);
    const char *clid = user != NULL ? decision_next_text(decision, user) : NULL;

    return clid != NULL ? decision_next_text(decision, clid) : NULL;
}

static void add_topics(struct bytes *topics, const struct decision *decision)
{
    for (const char *topic = stream_past_first_topic(decision); topic != NULL;
         topic = decision_next_text(decision, topic))
        bytes_append(topics, topic, strlen(topic) + 1);
}

static void remove_topic(struct bytes *topics, const char *unwanted)
{
    for (size_t at = 0; at < topics->length;) {
        size_t size = strlen(topics->data + at) + 1;
        if (strcmp(topics->data + at, unwanted) == 0) {
            memmove(topics->data + at, topics->data + at + size, topics->length - at - size);
            topics->length -= size;
            return;
        }
        at += size;
    }
}

static void add_held_topics(struct bytes *topics, const struct stream *stream)
{
    for (uint32_t i = 0; i < stream->subscriber.count; i++) {
        const struct subscription *held = &stream->subscriber.subscriptions[i];
        const char digit = (char)('0' + (int)held->kind);
        bytes_append(topics, &digit, 1);
        if (held->kind == SUBSCRIPTION_INBOX)
            bytes_append_text(topics, AUDIENCE_INBOX_TOPIC);
        else
            topic_node_write_name(held->node, topics);
        bytes_append(topics, "", 1);
    }
}

/* What it had at a later time, and when that was: at its next end, or now; or when it polled. */
static bool find_base(const struct stream_past *past, size_t place, size_t *at,
                      struct bytes *topics)
{
    for (*at = place; *at < past->count; (*at)++) {
        if (past->records[*at].kind != DECISION_ENDED)
            continue;
        add_topics(topics, &past->records[*at]);
        return !past->records[*at].cut;
    }
    if (past->live != NULL) {
        add_held_topics(topics, past->live);
        return true;
    }
    for (size_t i = place; i-- > 0;) {
        if (past->records[i].kind != DECISION_BEGAN)
            continue;
        *at = place;
        add_topics(topics, &past->records[i]);
        return !past->records[i].cut;
    }
    return false;
}

bool stream_past_topics(const struct stream_past *past, size_t place, struct bytes *topics)
{
    size_t at;
    bool known = find_base(past, place, &at, topics);

    while (at-- > place) { /* what came since was not there, what went was */
        const struct decision *decision = &past->records[at];
        known = known && !decision->cut;
        if (decision->kind == DECISION_REMOVED)
            add_topics(topics, decision);
        else if (decision->kind == DECISION_ADDED)
            for (const char *topic = stream_past_first_topic(decision); topic != NULL;
                 topic = decision_next_text(decision, topic))
                remove_topic(topics, topic);
    }
    return known && !topics->failed;
}
