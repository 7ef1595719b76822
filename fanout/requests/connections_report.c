#include "requests/connections_report.h"

#include "config/config.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/request_reader.h"
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
    TAILQ_ENTRY(connections_report) by_turn;
    struct connection *connection;
    bool is_ready;  /* in the queue: what was written has been taken */
    bool has_moved; /* likewise, since that was looked at */
    bool details, chunked, has_clid, has_some;
    uint64_t left;      /* streams that are still to be told at most */
    uint64_t compared;  /* topics, since the last piece */
    struct bytes match; /* what a stream has to have somewhere; empty: anything */
    size_t cursor;
    struct bytes clid;  /* of whom alone, has_clid */
    struct bytes piece; /* since the last one was queued */
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
    bytes_append_text(&report->piece, report->has_some ? ",\n" : "");
    report->has_some = true;
}

static void write_details(struct hash_node *by_connid, void *context)
{
    struct connections_report *report = context;
    const struct stream *stream = stream_of_connid_node(by_connid);
    struct bytes *json = &report->piece;

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
    bytes_append_json_string(&report->piece, entry->clid, entry->length);
    bytes_append_format(&report->piece, ":%u", entry->instances);
}

/* ---- all of them ---- */

void connections_reports_open(struct connections_reports *reports)
{
    TAILQ_INIT(&reports->ready);
}

static struct connections_report *report_of(const struct connection *connection)
{
    return stream_of(connection)->transport_state;
}

static void set_ready(struct connections_report *report, bool is_ready)
{
    struct connections_reports *reports = service_of(report->connection)->reports;

    if (report->is_ready == is_ready)
        return;
    report->is_ready = is_ready;
    if (is_ready)
        TAILQ_INSERT_TAIL(&reports->ready, report, by_turn);
    else
        TAILQ_REMOVE(&reports->ready, report, by_turn);
}

static void free_report(struct connection *connection)
{
    struct connections_report *report = report_of(connection);

    set_ready(report, false);
    stream_of(connection)->transport_state = NULL;
    bytes_free(&report->clid);
    bytes_free(&report->match);
    bytes_free(&report->piece);
    free(report);
}

static void look_further(struct connections_report *report)
{
    const struct streams *streams = service_of(report->connection)->streams;
    const struct hash_table *table =
        report->details ? &streams->by_connid : &streams->presence.by_clid;

    report->compared = 0;
    for (int i = 0;
         i < PIECE_BUCKETS && report->piece.length < PIECE_BYTES && report->compared < PIECE_TOPICS;
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
    const struct streams *streams = service_of(report->connection)->streams;
    struct bytes *json = &report->piece;

    if (!report->details) {
        separate(report);
        bytes_append_format(json, "\"@TOTAL@\":%zu",
                            streams->by_connid.count + streams->polls.by_connid.count);
    }
    bytes_append_text(json, "}");
}

static bool queue_piece(struct connections_report *report)
{
    struct connection *connection = report->connection;
    struct bytes *piece = &report->piece;
    size_t length = piece->length;
    char head[24];
    int head_length = report->chunked ? snprintf(head, sizeof head, "%zx\r\n", length) : 0;

    if (piece->failed)
        return false;
    if (length == 0)
        return true;
    if ((head_length > 0 && !connection_queue_bytes(connection, head, (size_t)head_length)) ||
        !connection_queue_bytes(connection, piece->data, length) ||
        (report->chunked && !connection_queue_bytes(connection, "\r\n", 2)))
        return false;
    bytes_clear(piece);
    return true;
}

static bool end_report(struct connections_report *report)
{
    struct connection *connection = report->connection;

    write_end(report);
    if (!queue_piece(report) ||
        (report->chunked && !connection_queue_bytes(connection, "0\r\n\r\n", 5)))
        return false;
    free_report(connection);
    connection->user = &request_reader_user;
    (void)connection_start_reading(connection);
    connection_end_writing(connection, CLOSE_DONE);
    return true;
}

static bool write_piece(struct connections_report *report)
{
    look_further(report);
    if (report->cursor == 0)
        return end_report(report);
    return queue_piece(report);
}

void connections_report_run(struct service *service)
{
    struct connections_report *first = TAILQ_FIRST(&service->reports->ready);

    if (first == NULL)
        return;
    struct connection *connection = first->connection;
    set_ready(first, false);
    if (!write_piece(first))
        connection_close(connection, CLOSE_MEMORY);
    else if (connection->user != &request_reader_user && connection->output.length == 0)
        set_ready(first, true); /* nothing in it was wanted */
}

bool connections_report_can_go_on(const struct service *service)
{
    return !TAILQ_EMPTY(&service->reports->ready);
}

/* ---- its connection ---- */

/* Behind the request in the same bytes: what is thrown away may have been another one. */
static void report_input(struct connection *connection, const char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    connection->dirty_input = true;
    connection->keep_alive = false;
}

static uint64_t report_deadline(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->soft_time;
}

static void report_due(struct connection *connection)
{
    struct connections_report *report = report_of(connection);
    bool moved = connection_has_moved(connection) || report->has_moved;

    report->has_moved = false;
    if (connection->backlog != NULL && !moved)
        connection_close(connection, CLOSE_SLOW);
    else
        connection_set_deadline(connection);
}

static void report_drained(struct connection *connection)
{
    report_of(connection)->has_moved = true;
    set_ready(report_of(connection), true);
}

/* It is over soon, or its time is. */
static void report_stop(struct connection *connection)
{
    (void)connection;
}

static const struct connection_user report_user = {.input = report_input,
                                                   .deadline = report_deadline,
                                                   .due = report_due,
                                                   .drained = report_drained,
                                                   .stop = report_stop,
                                                   .left = free_report};

static bool begin_report(struct connection *connection, const struct http_request *request,
                         struct connections_report *report)
{
    if (!http_reply_stream_head(connection, request, "application/json;charset=utf-8"))
        return false;
    report->connection = connection;
    report->chunked = http_request_is_1_1(request);
    bytes_append_text(&report->piece, "{");
    connection->user = &report_user;
    connection->state = CONNECTION_STREAMING;
    /* What follows is the next request; and who has said all it wants to say is answered. */
    connection_stop_reading(connection);
    connection_set_deadline(connection);
    return true;
}

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

static void reply_head(struct connection *connection, const struct http_request *request)
{
    if (http_reply_stream_head(connection, request, "application/json;charset=utf-8"))
        connection_end_answer(connection, connection->keep_alive);
    else
        connection_close(connection, CLOSE_MEMORY);
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
    report->connection = connection;
    stream_of(connection)->transport_state = report;
    if (!begin_report(connection, request, report)) {
        free_report(connection);
        connection_close(connection, CLOSE_MEMORY);
    }
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
        reply_head(connection, request);
    else
        reply_report(connection, request, &query);
    free_query(&query);
}
