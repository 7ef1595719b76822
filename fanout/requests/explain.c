#include "requests/explain.h"

#include "clock.h"
#include "envelope.h"
#include "event_id.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "requests/piecewise_answer.h"
#include "requests/service.h"
#include "requests/stream_past.h"
#include "requests/verdict.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"
#include "topic.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAMED_MOST = 20,         /* events of a topic, refusals */
    MATCH_WORK = 100000,     /* of finding the topics that are named by a pattern */
    MATCHES_LOOKED_AT = 64,  /* of those topics */
    DECISIONS_AT_ONCE = 2000 /* in a turn of the loop */
};

/* What is asked for; texts are empty when they are not. */
struct inquiry {
    struct bytes id, topic, user, clid, connid, as;
    struct stream_whose whose;
    const char *fault; /* static; NULL: none */
};

/* The newest ones of a kind. */
struct newest {
    struct decision_place places[NAMED_MOST];
    size_t count; /* also of those that were more */
};

/* One answer, for which all decisions and streams are looked at in pieces. */
struct explanation {
    struct piecewise_answer answer; /* first */
    const struct service *service;
    struct inquiry inquiry;
    uint64_t sequence; /* of the event; 0: it is about a topic */
    bool seeks_streams, has_streams;
    struct stream_pasts pasts;
    struct decision_place place;
    struct newest unpublished, refused;
};

/* ---- the query ---- */

static const char *read_text(struct inquiry *inquiry, const struct http_request *request,
                             const char *name, struct bytes *text)
{
    if (!http_request_query(request, name, text))
        return NULL;
    const char *value = bytes_terminate(text);
    if (value == NULL || !utf8_is_valid(text->data, text->length) ||
        strlen(value) != text->length) {
        inquiry->fault = "A value should be UTF-8";
        return NULL;
    }
    return value;
}

static bool read_number(const char *text, uint64_t *number)
{
    char *end;

    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static void read_inquiry(struct inquiry *inquiry, const struct http_request *request)
{
    *inquiry = (struct inquiry){0};
    (void)read_text(inquiry, request, "id", &inquiry->id);
    (void)read_text(inquiry, request, "topic", &inquiry->topic);
    inquiry->whose.user = read_text(inquiry, request, "user", &inquiry->user);
    inquiry->whose.clid = read_text(inquiry, request, "clid", &inquiry->clid);
    const char *as = read_text(inquiry, request, "as", &inquiry->as);
    const char *connid = read_text(inquiry, request, "connid", &inquiry->connid);
    if (as != NULL)
        inquiry->whose.user = as;
    if (connid != NULL && !read_number(connid, &inquiry->whose.connid))
        inquiry->fault = "connid should be a number";
    if (inquiry->fault == NULL && (inquiry->id.length == 0) == (inquiry->topic.length == 0))
        inquiry->fault = "Say id or topic";
}

static void free_inquiry(struct inquiry *inquiry)
{
    bytes_free(&inquiry->id);
    bytes_free(&inquiry->topic);
    bytes_free(&inquiry->user);
    bytes_free(&inquiry->clid);
    bytes_free(&inquiry->connid);
    bytes_free(&inquiry->as);
}

/* ---- refusals ---- */

static bool is_text(const char *wanted, const char *text)
{
    return wanted == NULL || (text != NULL && strcmp(wanted, text) == 0);
}

static void write_refused(struct bytes *out, const struct decision *decision)
{
    const char *user = decision_next_text(decision, NULL);
    const char *clid = decision_next_text(decision, user);
    const char *reason = decision_next_text(decision, clid);

    bytes_append_format(out, "{\"at\":%llu", (unsigned long long)decision->at_ms);
    verdict_add_text(out, "reason", reason, strlen(reason));
    if (*user != '\0')
        verdict_add_text(out, "user", user, strlen(user));
    verdict_add_text(out, "clid", clid, strlen(clid));
    bytes_append_text(out, ",\"topics\":[");
    const char *topic = decision_next_text(decision, reason);
    for (int i = 0; topic != NULL && i < NAMED_MOST; i++) {
        bytes_append_text(out, i > 0 ? "," : "");
        bytes_append_json_string(out, topic + 1, strlen(topic + 1));
        topic = decision_next_text(decision, topic);
    }
    bytes_append_text(out, "]}");
}

static bool is_refusal_of(const struct decision *decision, const struct stream_whose *whose)
{
    if (decision->kind != DECISION_REFUSED)
        return false;
    const char *user = decision_next_text(decision, NULL);
    return is_text(whose->user, user) && is_text(whose->clid, decision_next_text(decision, user));
}

static void write_unpublished(struct bytes *out, const struct service *service,
                              const struct decision *decision)
{
    const char *user = decision_next_text(decision, NULL);
    const char *by = decision_next_text(decision, user);
    const char *reason = decision_next_text(decision, by);
    const char *topic = decision_next_text(decision, reason);

    bytes_append_format(out, "{\"at\":%llu", (unsigned long long)decision->at_ms);
    verdict_add_text(out, "reason", reason, strlen(reason));
    verdict_add_text(out, "topic", topic, strlen(topic));
    if (*by != '\0')
        verdict_add_text(out, "by", by, strlen(by));
    if (*user != '\0')
        verdict_add_text(out, "user", user, strlen(user));
    if (decision->other != 0)
        bytes_append_format(out, ",\"id\":\"%llu-%llu\"", (unsigned long long)service->log->epoch,
                            (unsigned long long)decision->other);
    bytes_append_text(out, "}");
}

/* Of this event, said again; or on this topic. */
static bool is_unpublished_of(const struct decision *decision, const struct inquiry *inquiry,
                              uint64_t sequence)
{
    if (decision->kind != DECISION_UNPUBLISHED)
        return false;
    if (sequence != 0)
        return decision->other == sequence;
    const char *topic = decision->text + decision->text_length - 1;
    while (topic > decision->text && topic[-1] != '\0')
        topic--;
    return topic_matches(topic, strlen(topic), inquiry->topic.data, inquiry->topic.length);
}

static void add_newest(struct newest *newest, const struct decision_place *place)
{
    newest->places[newest->count++ % NAMED_MOST] = *place;
}

/* The next of them that is still known; begin with 0. */
static bool next_newest(const struct newest *newest, const struct decisions *decisions, size_t *i,
                        struct decision *decision)
{
    size_t first = newest->count > NAMED_MOST ? newest->count - NAMED_MOST : 0;

    while (first + *i < newest->count) {
        size_t at = (first + (*i)++) % NAMED_MOST;
        if (decisions_at(decisions, &newest->places[at], decision))
            return true;
    }
    return false;
}

/* Some more of all that was decided. True: that was all. */
static bool gather(struct explanation *explanation)
{
    const struct inquiry *inquiry = &explanation->inquiry;
    const struct stream_whose *whose = &inquiry->whose;
    struct decision_place *place = &explanation->place;

    for (int i = 0; i < DECISIONS_AT_ONCE; i++) {
        struct decision decision;
        if (!decisions_next(&explanation->service->streams->decisions, place, &decision))
            return true;
        if (explanation->seeks_streams)
            stream_pasts_add(&explanation->pasts, &decision, place);
        if (is_unpublished_of(&decision, inquiry, explanation->sequence))
            add_newest(&explanation->unpublished, place);
        else if ((whose->user != NULL || whose->clid != NULL) && is_refusal_of(&decision, whose))
            add_newest(&explanation->refused, place);
    }
    return false;
}

static void write_refusals(struct bytes *out, const struct explanation *explanation)
{
    const struct service *service = explanation->service;
    const struct decisions *decisions = &service->streams->decisions;
    struct decision decision;
    const char *between = "";
    size_t i = 0;

    bytes_append_text(out, ",\"unpublished\":[");
    while (next_newest(&explanation->unpublished, decisions, &i, &decision)) {
        bytes_append_text(out, between);
        write_unpublished(out, service, &decision);
        between = ",";
    }
    bytes_append_text(out, "],\"refused\":[");
    i = 0;
    between = "";
    while (next_newest(&explanation->refused, decisions, &i, &decision)) {
        bytes_append_text(out, between);
        write_refused(out, &decision);
        between = ",";
    }
    bytes_append_text(out, "]");
}

/* ---- events ---- */

static uint64_t wall_time_of(const struct service *service, const struct logged_event *logged)
{
    return clock_wall_ms() - (loop_now(&service->net->loop) - logged->logged_at_ms);
}

/* A word for who hears it. */
static const char *kind_of(uint16_t flags)
{
    if ((flags & ENVELOPE_WHISPER) != 0)
        return "whisper";
    if ((flags & ENVELOPE_TARGETED) != 0)
        return (flags & ENVELOPE_ADDRESSED) != 0 ? "to users" : "targeted";
    if ((flags & ENVELOPE_PRIVATE) != 0)
        return "private";
    return (flags & ENVELOPE_BOUND) != 0 ? "bound" : "plain";
}

static size_t users_of(const struct event *event)
{
    size_t users = 0;

    for (size_t i = 0; i < event->allowed_length; i++)
        users += event->allowed[i] == '\0';
    return users;
}

static void write_event(struct bytes *out, const struct service *service,
                        const struct logged_event *logged)
{
    const struct event event = logged_event_get(logged);

    bytes_append_format(out, "{\"id\":\"%llu-%llu\",\"at\":%llu",
                        (unsigned long long)service->log->epoch, (unsigned long long)event.sequence,
                        (unsigned long long)wall_time_of(service, logged));
    verdict_add_text(out, "topic", event.topic, event.topic_length);
    verdict_add_text(out, "kind", kind_of(event.flags), strlen(kind_of(event.flags)));
    if (event.allowed_length > 0)
        verdict_add_number(out, "users", users_of(&event));
    if ((event.flags & ENVELOPE_EVERYONE) != 0)
        bytes_append_text(out, ",\"everyone\":true");
    if ((event.flags & ENVELOPE_ALL_USERS) != 0)
        bytes_append_text(out, ",\"all_users\":true");
    if (event.except != 0)
        verdict_add_number(out, "except", event.except);
    verdict_add_number(out, "bytes", event.json_length);
    bytes_append_text(out, "}");
}

static void write_stream_head(struct bytes *out, const struct stream_past *past)
{
    bytes_append_format(out, "{\"connid\":%llu,\"state\":\"%s\"", (unsigned long long)past->connid,
                        past->live != NULL ? "open" : "gone");
    if (past->user[0] != '\0')
        verdict_add_text(out, "user", past->user, strlen(past->user));
    if (past->clid[0] != '\0')
        verdict_add_text(out, "clid", past->clid, strlen(past->clid));
    if (past->live != NULL)
        verdict_add_text(out, "transport", past->live->transport->name,
                         strlen(past->live->transport->name));
}

typedef void write_one(struct bytes *out, const void *context, const struct stream_past *past);

/* Of streams that had ended before the event (sequence; 0: by now) one says it all, the newest; and
 * none, beside one that is held by now. */
static bool is_one_more(const struct stream_past *past, uint64_t sequence, size_t written,
                        size_t *ended)
{
    bool is_over =
        sequence != 0 ? stream_past_at(past, sequence).how == THEN_ENDED : past->live == NULL;

    return is_over && ((sequence == 0 && written > 0) || (*ended)++ > 0);
}

static void write_streams(struct bytes *out, struct explanation *explanation, write_one *write,
                          const void *context)
{
    struct stream_pasts *pasts = &explanation->pasts;
    const struct streams *streams = explanation->service->streams;
    size_t written = 0, ended = 0;

    if (!pasts->failed)
        stream_pasts_settle(pasts, streams);
    out->failed = out->failed || pasts->failed;
    bytes_append_text(out, ",\"streams\":[");
    for (size_t i = 0; !pasts->failed && i < pasts->count; i++) {
        if (is_one_more(&pasts->list[i], explanation->sequence, written, &ended))
            continue;
        bytes_append_text(out, written++ > 0 ? "," : "");
        write_stream_head(out, &pasts->list[i]);
        write(out, context, &pasts->list[i]);
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]");
    if (ended > 1)
        verdict_add_number(out, "ended_before", ended - 1);
    if (pasts->more > 0)
        verdict_add_number(out, "more", pasts->more);
    verdict_add_number(out, "known_since", streams->decisions.since_ms);
}

static void write_verdict(struct bytes *out, const void *context, const struct stream_past *past)
{
    bytes_append_text(out, ",");
    verdict_write(out, context, past);
}

/* Why nothing can be said of an event. */
static const char *why_unknown(const struct event_log *log, uint64_t epoch, uint64_t sequence)
{
    if (epoch != log->epoch)
        return epoch < log->epoch ? "another-log" : "never";
    if (sequence == 0 || sequence > log->sequence)
        return "never";
    return sequence <= log->forgotten ? "forgotten" : "never";
}

/* NULL: it is not known, or not any more. */
static const struct logged_event *find_event(const struct event_log *log, uint64_t epoch,
                                             uint64_t sequence)
{
    const struct logged_event *logged =
        epoch == log->epoch && sequence > 0 ? event_log_first_after(log, sequence - 1) : NULL;

    return logged != NULL && logged->sequence == sequence ? logged : NULL;
}

static void write_unknown(struct bytes *out, const struct event_log *log, uint64_t epoch,
                          uint64_t sequence)
{
    bytes_append_format(out, "{\"cause\":\"%s\"", why_unknown(log, epoch, sequence));
    bytes_append_format(out, ",\"newest\":\"%llu-%llu\"", (unsigned long long)log->epoch,
                        (unsigned long long)log->sequence);
    bytes_append_format(out, ",\"oldest\":\"%llu-%llu\"}\n", (unsigned long long)log->epoch,
                        (unsigned long long)(log->forgotten + 1));
}

static void write_about_event(struct bytes *out, struct explanation *explanation)
{
    const struct service *service = explanation->service;
    const struct event_log *log = service->log;
    const struct logged_event *logged = find_event(log, log->epoch, explanation->sequence);

    if (logged == NULL) { /* it was there when this began */
        write_unknown(out, log, log->epoch, explanation->sequence);
        return;
    }
    const struct verdict_question question = {
        .service = service, .logged = logged, .at_ms = wall_time_of(service, logged)};
    bytes_append_text(out, "{\"event\":");
    write_event(out, service, logged);
    write_streams(out, explanation, write_verdict, &question);
    write_refusals(out, explanation);
    bytes_append_text(out, "}\n");
}

/* ---- topics ---- */

static int newer_first(const void *a, const void *b)
{
    const struct logged_event *const *left = a, *const *right = b;

    return ((*left)->sequence < (*right)->sequence) - ((*left)->sequence > (*right)->sequence);
}

static size_t take_newest(const struct topic_matches *matches, const struct logged_event **found,
                          size_t count, size_t most)
{
    for (size_t i = 0; i < matches->count && i < MATCHES_LOOKED_AT; i++) {
        const struct logged_topic *topic = logged_topic_of(matches->nodes[i]);
        for (uint32_t j = 0; j < topic->count && j < NAMED_MOST && count < most; j++)
            found[count++] = logged_topic_at(topic, topic->count - 1 - j);
    }
    return count;
}

static void write_published(struct bytes *out, const struct service *service,
                            const struct inquiry *inquiry)
{
    enum { MOST = MATCHES_LOOKED_AT * NAMED_MOST };
    const struct logged_event **found = calloc(MOST, sizeof *found);
    size_t count = 0;
    const struct topic_matches *matches =
        event_log_match(service->log, inquiry->topic.data, inquiry->topic.length, MATCH_WORK);

    if (found == NULL || matches == NULL) {
        out->failed = true;
        free((void *)found);
        return;
    }
    count = take_newest(matches, found, count, MOST);
    qsort((void *)found, count, sizeof *found, newer_first);
    bytes_append_text(out, ",\"published\":[");
    for (size_t i = 0; i < count && i < NAMED_MOST; i++) {
        bytes_append_text(out, i > 0 ? "," : "");
        write_event(out, service, found[i]);
    }
    bytes_append_text(out, "]");
    free((void *)found);
}

static void write_hearing(struct bytes *out, const void *context, const struct stream_past *past)
{
    const struct inquiry *inquiry = context;
    struct bytes topics = BYTES_EMPTY;

    if (past->live != NULL) {
        (void)stream_past_topics(past, past->count, &topics);
        verdict_write_hearing(out, &topics, inquiry->topic.data, inquiry->topic.length);
        out->failed = out->failed || topics.failed;
    }
    const struct decision *ending = past->live == NULL ? stream_past_ending(past, 0) : NULL;
    if (ending != NULL) {
        const char *reason = close_reason_name((enum close_reason)ending->reason);
        verdict_add_number(out, "ended", ending->at_ms);
        verdict_add_text(out, "reason", reason, strlen(reason));
    }
    bytes_free(&topics);
}

static void write_about_topic(struct bytes *out, struct explanation *explanation)
{
    const struct inquiry *inquiry = &explanation->inquiry;

    bytes_append_text(out, "{\"topic\":");
    bytes_append_json_string(out, inquiry->topic.data, inquiry->topic.length);
    write_published(out, explanation->service, inquiry);
    if (explanation->seeks_streams)
        write_streams(out, explanation, write_hearing, inquiry);
    write_refusals(out, explanation);
    bytes_append_text(out, "}\n");
}

/* ---- piece by piece ---- */

static bool explain_on(struct piecewise_answer *answer)
{
    struct explanation *explanation = (struct explanation *)answer;

    if (explanation->seeks_streams && !explanation->has_streams) {
        explanation->has_streams =
            stream_pasts_look_on(&explanation->pasts, explanation->service->streams);
        return false;
    }
    if (!gather(explanation))
        return false;
    if (explanation->sequence != 0)
        write_about_event(&answer->piece, explanation);
    else
        write_about_topic(&answer->piece, explanation);
    return true;
}

static void free_explanation(struct piecewise_answer *answer)
{
    struct explanation *explanation = (struct explanation *)answer;

    stream_pasts_free(&explanation->pasts);
    free_inquiry(&explanation->inquiry);
    free(explanation);
}

static const struct piecewise_kind explain_kind = {.write = explain_on, .free = free_explanation};

/* Takes the texts of the inquiry over. */
static void begin_explanation(struct connection *connection, const struct http_request *request,
                              struct inquiry *inquiry, uint64_t sequence)
{
    struct explanation *explanation = calloc(1, sizeof *explanation);
    const struct stream_whose *whose = &inquiry->whose;

    if (explanation == NULL) {
        http_reply_error(connection, request, 503, "Out of memory");
        return;
    }
    explanation->service = service_of(connection);
    explanation->sequence = sequence;
    explanation->seeks_streams =
        sequence != 0 || whose->user != NULL || whose->clid != NULL || whose->connid != 0;
    explanation->inquiry = *inquiry;
    *inquiry = (struct inquiry){0};
    if (explanation->seeks_streams)
        stream_pasts_begin(&explanation->pasts, &explanation->inquiry.whose);
    piecewise_answer_begin(connection, request, &explanation->answer, &explain_kind);
}

static void answer_about_event(struct connection *connection, const struct http_request *request,
                               struct inquiry *inquiry)
{
    const struct event_log *log = service_of(connection)->log;
    struct bytes text = BYTES_EMPTY;
    uint64_t epoch, sequence;

    if (!event_id_read(inquiry->id.data, inquiry->id.length, &epoch, &sequence)) {
        http_reply_error(connection, request, 400, "id should be that of an event");
    } else if (find_event(log, epoch, sequence) != NULL) {
        begin_explanation(connection, request, inquiry, sequence);
    } else {
        write_unknown(&text, log, epoch, sequence);
        if (text.failed)
            http_reply_error(connection, request, 503, "Out of memory");
        else
            http_reply_json(connection, request, 200, "OK", text.data, text.length);
    }
    bytes_free(&text);
}

void explain_answer(struct connection *connection, const struct http_request *request)
{
    struct inquiry inquiry;

    read_inquiry(&inquiry, request);
    if (inquiry.fault != NULL)
        http_reply_error(connection, request, 400, inquiry.fault);
    else if (http_request_method(request) == HTTP_METHOD_HEAD)
        piecewise_answer_head(connection, request);
    else if (inquiry.id.length > 0)
        answer_about_event(connection, request, &inquiry);
    else
        begin_explanation(connection, request, &inquiry, 0);
    free_inquiry(&inquiry);
}
