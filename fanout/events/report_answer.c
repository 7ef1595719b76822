#include "events/report_answer.h"

#include "bus/bus.h"
#include "bytes.h"
#include "events/delivery.h"
#include "log/event_log.h"
#include "net/net.h"
#include "streams/presence.h"
#include "streams/streams.h"

#include <string.h>

enum { NAMED_MOST = 1000 /* streams of those that have not said to have had it */ };

static void write_names(struct bytes *out, const char *user, size_t user_length, const char *clid,
                        size_t clid_length)
{
    if (user_length > 0) {
        bytes_append_text(out, ",\"uid\":");
        bytes_append_json_string(out, user, user_length);
    }
    bytes_append_text(out, ",\"clid\":");
    bytes_append_json_string(out, clid, clid_length);
}

static void write_here(struct bytes *out, const struct stream *stream, uint64_t ms)
{
    const char *user = stream_user(stream);

    write_names(out, user, user != NULL ? strlen(user) : 0, stream->presence->clid,
                stream->presence->length);
    bytes_append_text(out, ",\"state\":\"open\",\"ms\":");
    bytes_append_number(out, ms);
}

static void write_gone(struct bytes *out, const struct report_client *client, uint64_t now)
{
    const char *clid = client->names, *user = "";

    if (clid == NULL) /* there was no memory for it */
        clid = PRESENCE_ANONYMOUS;
    else
        user = clid + strlen(clid) + 1;
    write_names(out, user, strlen(user), clid, strlen(clid));
    bytes_append_text(out, ",\"state\":\"gone\",\"ms\":");
    bytes_append_number(out, now - client->left_at_ms);
}

static void write_missing(struct bytes *out, const struct report *report,
                          const struct streams *streams, uint64_t now)
{
    const struct report_receipt *receipt;
    uint32_t named = 0;

    bytes_append_text(out, ",\"missing\":[");
    LIST_FOREACH(receipt, &report->receipts[RECEIPT_MISSING], by_report)
    {
        const struct report_client *client = receipt->client;
        const struct stream *stream = streams_find(streams, report_client_connid(client));
        if (named == NAMED_MOST)
            break;
        bytes_append_text(out, named++ > 0 ? ",{\"connid\":" : "{\"connid\":");
        bytes_append_number(out, report_client_connid(client));
        if (stream != NULL)
            write_here(out, stream, now - receipt->sent_at_ms);
        else
            write_gone(out, client, now);
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]");
    if (report->counts[RECEIPT_MISSING] > named) {
        bytes_append_text(out, ",\"more\":");
        bytes_append_number(out, report->counts[RECEIPT_MISSING] - named);
    }
}

static void write_report(struct bytes *out, const struct report *report,
                         const struct delivery *delivery)
{
    uint64_t sent = 0;

    for (int state = 0; state < RECEIPT_STATES; state++)
        sent += report->counts[state];
    bytes_append_text(out, "{\"id\":\"");
    bytes_append_number(out, delivery->log->epoch);
    bytes_append_text(out, "-");
    bytes_append_number(out, report_sequence(report));
    bytes_append_text(out, "\",\"sent\":");
    bytes_append_number(out, sent);
    bytes_append_text(out, ",\"had\":");
    bytes_append_number(out, report->counts[RECEIPT_HAD]);
    write_missing(out, report, delivery->streams, loop_now(&delivery->net->loop));
    bytes_append_text(out, "}\n");
}

static const struct report *find_report(const struct delivery *delivery,
                                        const struct bus_message *message)
{
    const struct question *question = &message->question;
    const struct report *report =
        question->epoch == delivery->log->epoch
            ? reports_find(&delivery->streams->reports, question->sequence)
            : NULL;

    if (report != NULL && message->envelope.token != 0 && message->envelope.token != report->token)
        return NULL;
    return report;
}

void report_answer(const struct delivery *delivery, struct bus_inbox *inbox,
                   const struct bus_message *question)
{
    const struct report *report = find_report(delivery, question);
    struct bytes text = BYTES_EMPTY;
    struct ack ack = {.sequence = question->envelope.sequence, .status = ACK_UNKNOWN};

    if (report != NULL) {
        write_report(&text, report, delivery);
        ack.status = text.failed ? ACK_OVERLOAD : ACK_DELIVERED;
    }
    bus_inbox_answer(inbox, question->envelope.publisher, &ack,
                     text.failed || text.data == NULL ? "" : text.data,
                     text.failed ? 0 : text.length);
    bytes_free(&text);
}
