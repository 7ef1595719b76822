#include "requests/connections_report.h"

#include "config/config.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/piecewise_answer.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PIECE_BYTES = 32 * 1024, /* written before others have their turn; one stream may be larger */
    PIECE_BUCKETS = 512,     /* looked at for it, and ... */
    PIECE_TOPICS = 4096      /* ... topics compared with what is searched for */
};

/* One answer that is being written. */
struct connections_report {
    struct piecewise_answer answer; /* first */
    const struct service *service;
    bool details, has_clid, has_some;
    uint64_t left;      /* streams that are still to be told at most */
    uint64_t compared;  /* topics, since the last piece */
    struct bytes match; /* what a stream has to have somewhere; empty: anything */
    size_t cursor;
    struct bytes clid; /* of whom alone, has_clid */
};

/* ---- one stream ---- */

/* Headers that prove who somebody is are not shown: whatever an application calls them, one of
 * these words is mostly in it. */
static bool is_masked(const char *name)
{
    static const char *const words[] = {
        "auth", "bearer", "cookie", "credential", "csrf", "xsrf", "jwt",  "key",    "nonce",
        "otp",  "passw",  "proxy-", "secret",     "sess", "sid",  "sign", "ticket", "token"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]) != NULL)
            return true;
    return false;
}

/* Header values are bytes; those that are no UTF-8 are shown as Latin-1, which HTTP once said they
 * were. */
static json_t *header_value(const char *value)
{
    json_t *text = json_string(value);
    char *utf8, *at;

    if (text != NULL)
        return text;
    utf8 = at = malloc(2 * strlen(value) + 1);
    for (; utf8 != NULL && *value; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte < 0x80) {
            *at++ = (char)byte;
        } else {
            *at++ = (char)(0xc0 | byte >> 6);
            *at++ = (char)(0x80 | (byte & 0x3f));
        }
    }
    if (utf8 != NULL)
        text = json_stringn(utf8, (size_t)(at - utf8));
    free(utf8);
    return text;
}

static void add_header(json_t *headers, const char *name, const char *value)
{
    size_t length = strlen(name);
    json_t *text = is_masked(name) ? json_string("***") : header_value(value);

    char lower[256];
    if (length >= sizeof lower)
        length = sizeof lower - 1;
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    lower[length] = '\0';
    const json_t *earlier = json_object_get(headers, lower);
    if (earlier != NULL &&
        text != NULL) { /* lines of the same name make one list (RFC 9110, section 5.3) */
        json_t *joined =
            json_sprintf("%s, %s", json_string_value(earlier), json_string_value(text));
        json_decref(text);
        text = joined;
    }
    (void)json_object_set_new(headers, lower, text);
}

static json_t *headers_of(const struct stream *stream)
{
    json_t *headers = json_object();
    const struct kept_headers *kept = stream->headers;
    const char *at = kept != NULL ? kept->bytes : NULL,
               *end = kept != NULL ? at + kept->length : at;

    while (at != end) {
        const char *value = at + strlen(at) + 1;
        add_header(headers, at, value);
        at = value + strlen(value) + 1;
    }
    return headers;
}

static void write_headers(struct bytes *json, const struct stream *stream)
{
    json_t *headers = headers_of(stream);
    char *text = headers != NULL ? json_dumps(headers, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    if (text != NULL)
        bytes_append_text(json, text);
    else
        json->failed = true;
    free(text);
    json_decref(headers);
}

/* As the client would have written it: a plain topic, or one that is bound or private. */
static void write_topic(struct bytes *json, const struct subscription *subscription,
                        struct bytes *name)
{
    bool is_open = subscription->kind == SUBSCRIPTION_OPEN;

    bytes_clear(name);
    if (subscription->kind == SUBSCRIPTION_INBOX)
        bytes_append_text(name, AUDIENCE_INBOX_TOPIC);
    else
        topic_node_write_name(subscription->node, name);
    json->failed = json->failed || name->failed;
    bytes_append_text(json, is_open ? "" : "{\"topic\":");
    bytes_append_json_string(json, name->data != NULL ? name->data : "", name->length);
    if (!is_open)
        bytes_append_format(json, ",\"%s\":true}",
                            subscription->kind == SUBSCRIPTION_PRIVATE ? "private" : "binded");
}

static void write_body(struct bytes *json, const struct stream *stream)
{
    struct bytes name = BYTES_EMPTY;

    bytes_append_text(json, "{\"clid\":");
    bytes_append_json_string(json, stream->presence->clid, stream->presence->length);
    bytes_append_text(json, ",\"ep\":[");
    for (uint32_t i = 0; i < stream->subscriber.count; i++) {
        bytes_append_text(json, i > 0 ? "," : "");
        write_topic(json, &stream->subscriber.subscriptions[i], &name);
    }
    bytes_append_text(json, "]");
    if (stream->identity != NULL) {
        bytes_append_text(json, ",\"user\":");
        bytes_append_json_string(json, stream_user(stream), strlen(stream_user(stream)));
    }
    bytes_append_text(json, "}");
    bytes_free(&name);
}

static bool has_clid(const struct connections_report *report, const struct stream *stream)
{
    return !report->has_clid ||
           (stream->presence->length == report->clid.length &&
            (report->clid.length == 0 ||
             memcmp(stream->presence->clid, report->clid.data, report->clid.length) == 0));
}

static bool contains(const struct bytes *match, const char *text, size_t length)
{
    return memmem(text, length, match->data, match->length) != NULL;
}

static bool has_topic(struct connections_report *report, const struct stream *stream)
{
    struct bytes name = BYTES_EMPTY;
    bool found = false;

    for (uint32_t i = 0; i < stream->subscriber.count && !found; i++) {
        report->compared++;
        bytes_clear(&name);
        if (stream->subscriber.subscriptions[i].kind == SUBSCRIPTION_INBOX)
            bytes_append_text(&name, AUDIENCE_INBOX_TOPIC);
        else
            topic_node_write_name(stream->subscriber.subscriptions[i].node, &name);
        found = !name.failed && contains(&report->match, name.data, name.length);
    }
    bytes_free(&name);
    return found;
}

/* Its number as a whole; of all else some part. */
static bool has_match(struct connections_report *report, const struct stream *stream)
{
    const struct bytes *match = &report->match;
    const char *user = stream_user(stream);
    char address[COUNTED_ADDRESS_TEXT_SIZE], connid[24];

    if (match->length == 0)
        return true;
    int length = snprintf(connid, sizeof connid, "%llu", (unsigned long long)stream->connid);
    counted_address_write(connection_address(&stream->connection), address);
    return ((size_t)length == match->length && contains(match, connid, (size_t)length)) ||
           contains(match, stream->presence->clid, stream->presence->length) ||
           (user != NULL && contains(match, user, strlen(user))) ||
           contains(match, address, strlen(address)) || has_topic(report, stream);
}

static void write_figures(struct bytes *json, const struct stream *stream)
{
    const struct connection *connection = &stream->connection;
    uint64_t now = loop_now(&connection->net->loop);

    bytes_append_format(json,
                        "\"transport\":\"%s\",\"pending_bytes\":%llu,\"catching_up\":%s,"
                        "\"ends_in_ms\":%llu,\"quiet_ms\":%llu,",
                        stream->transport->name, (unsigned long long)connection->output.length,
                        stream->replay != NULL ? "true" : "false",
                        (unsigned long long)(stream->ends_at > now ? stream->ends_at - now : 0),
                        (unsigned long long)(now - connection->written_at));
}

static void separate(struct connections_report *report)
{
    bytes_append_text(&report->answer.piece, report->has_some ? ",\n" : "");
    report->has_some = true;
}

static void write_details(struct hash_node *by_connid, void *context)
{
    struct connections_report *report = context;
    const struct stream *stream = stream_of_connid_node(by_connid);
    struct bytes *json = &report->answer.piece;

    if (report->left == 0 || !has_clid(report, stream) || !has_match(report, stream))
        return;
    report->left--;
    char address[COUNTED_ADDRESS_TEXT_SIZE];
    separate(report);
    bytes_append_format(json, "\"%llu\":{\"address\":\"%s\",", (unsigned long long)stream->connid,
                        counted_address_write(connection_address(&stream->connection), address));
    write_figures(json, stream);
    bytes_append_text(json, "\"headers\":");
    write_headers(json, stream);
    bytes_append_text(json, ",\"body\":");
    write_body(json, stream);
    bytes_append_text(json, "}");
}

static void write_count(struct hash_node *by_clid, void *context)
{
    struct connections_report *report = context;
    const struct presence_entry *entry = presence_entry_of(by_clid);

    if (entry->instances == 0) /* its end is about to be told */
        return;
    separate(report);
    bytes_append_json_string(&report->answer.piece, entry->clid, entry->length);
    bytes_append_format(&report->answer.piece, ":%u", entry->instances);
}

/* ---- all of them ---- */

static void free_report(struct piecewise_answer *answer)
{
    struct connections_report *report = (struct connections_report *)answer;

    bytes_free(&report->clid);
    bytes_free(&report->match);
    free(report);
}

static void look_further(struct connections_report *report)
{
    const struct streams *streams = report->service->streams;
    const struct hash_table *table =
        report->details ? &streams->by_connid : &streams->presence.by_clid;

    report->compared = 0;
    for (int i = 0; i < PIECE_BUCKETS && report->answer.piece.length < PIECE_BYTES &&
                    report->compared < PIECE_TOPICS;
         i++) {
        report->cursor = hash_table_walk(table, report->cursor,
                                         report->details ? write_details : write_count, report);
        if (report->left == 0)
            report->cursor = 0;
        if (report->cursor == 0)
            return;
    }
}

static void write_end(struct connections_report *report)
{
    const struct streams *streams = report->service->streams;
    struct bytes *json = &report->answer.piece;

    if (!report->details) {
        separate(report);
        bytes_append_format(json, "\"@TOTAL@\":%llu",
                            (unsigned long long)(streams->by_connid.count +
                                                 streams->polls.by_connid.count +
                                                 streams->presence.elsewhere));
    }
    bytes_append_text(json, "}");
}

static bool write_piece(struct piecewise_answer *answer)
{
    struct connections_report *report = (struct connections_report *)answer;

    look_further(report);
    if (report->cursor != 0)
        return false;
    write_end(report);
    return true;
}

static const struct piecewise_kind report_kind = {.write = write_piece, .free = free_report};

/* ---- the query ---- */

/* What is asked for. */
struct report_query {
    bool details, has_clid;
    struct bytes clid, match;
    uint64_t limit;
};

static void free_query(struct report_query *query)
{
    bytes_free(&query->clid);
    bytes_free(&query->match);
}

static bool read_number(const struct bytes *text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] < '0' || text->data[i] > '9' || i > 15)
            return false;
        *out = *out * 10 + (uint64_t)(text->data[i] - '0');
    }
    return text->length > 0;
}

/* False: the limit is no number. */
static bool read_query(struct report_query *query, const struct http_request *request)
{
    struct bytes details = BYTES_EMPTY, limit = BYTES_EMPTY;

    query->has_clid = http_request_query(request, "clid", &query->clid);
    (void)http_request_query(request, "match", &query->match);
    query->details = http_request_query(request, "details", &details) && details.length == 4 &&
                     memcmp(details.data, "true", 4) == 0;
    query->limit = UINT64_MAX;
    bool is_sound =
        !http_request_query(request, "limit", &limit) || read_number(&limit, &query->limit);
    bytes_free(&details);
    bytes_free(&limit);
    return is_sound;
}

/* Takes the texts of the query over. */
static void reply_report(struct connection *connection, const struct http_request *request,
                         struct report_query *query)
{
    struct connections_report *report = calloc(1, sizeof *report);

    if (report == NULL) {
        http_reply_error(connection, request, 503, "Out of memory");
        return;
    }
    report->details = query->details;
    report->has_clid = query->has_clid && query->details;
    report->left = query->details ? query->limit : UINT64_MAX;
    report->clid = query->clid;
    report->match = query->match;
    query->clid = query->match = BYTES_EMPTY;
    report->service = service_of(connection);
    bytes_append_text(&report->answer.piece, "{");
    piecewise_answer_begin(connection, request, &report->answer, &report_kind);
}

static void reply_count(struct connection *connection, const struct http_request *request,
                        const struct bytes *clid)
{
    char count[16];
    int length = snprintf(count, sizeof count, "%u",
                          presence_count(&service_of(connection)->streams->presence,
                                         clid->data != NULL ? clid->data : "", clid->length));

    http_reply_json(connection, request, 200, "OK", count, (size_t)length);
}

void connections_report_answer(struct connection *connection, const struct http_request *request)
{
    struct report_query query = {0};

    if (!read_query(&query, request))
        http_reply_error(connection, request, 400, "limit should be a number");
    else if (query.has_clid && !query.details)
        reply_count(connection, request, &query.clid);
    else if (http_request_method(request) == HTTP_METHOD_HEAD)
        piecewise_answer_head(connection, request);
    else
        reply_report(connection, request, &query);
    free_query(&query);
}
