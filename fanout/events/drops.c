#include "events/drops.h"

#include "clock.h"
#include "config/config.h"
#include "events/seen_events.h"
#include "messages.h"
#include "net/loop.h"
#include "streams/revocations.h"

#include <string.h>

static bool has_proofs(const struct drop *drop)
{
    return drop->kind == DROP_USER || drop->kind == DROP_SESSION;
}

/* ---- answers ---- */

static void acknowledge(struct drops *drops, const struct drop_receipt *receipt,
                        enum ack_status status, uint32_t dropped)
{
    const struct ack ack = {.sequence = receipt->sequence, .receivers = dropped, .status = status};

    if (receipt->publisher == 0 || drops->inbox == NULL)
        return;
    bus_inbox_acknowledge(drops->inbox, receipt->publisher, &ack);
    bus_inbox_flush(drops->inbox);
}

static void refuse_drop(struct drops *drops, const struct drop_receipt *receipt,
                        enum ack_status status)
{
    seen_events_forget(drops->seen, receipt->key);
    acknowledge(drops, receipt, status, 0);
}

void drops_done(struct drops *drops, const struct drop_receipt *receipt, uint32_t dropped)
{
    seen_events_settle(drops->seen, receipt->key, dropped);
    acknowledge(drops, receipt, ACK_DELIVERED, dropped);
}

/* Of the same order to the same streams: one that is repeated under another's id is none. */
static uint32_t content_of(const struct drops *drops, const struct drop *drop)
{
    unsigned char record[DROP_RECORD_SIZE];
    const struct event as = {.json = (const char *)record,
                             .json_length = sizeof record,
                             .allowed = drop->name,
                             .allowed_length = drop->name_length,
                             .flags = ENVELOPE_ADDRESSED | ENVELOPE_HAS_POST_KEY};

    drop_write(record, drop);
    return seen_events_content(drops->seen, &as);
}

static void answer_double(struct drops *drops, const struct drop_receipt *receipt,
                          const struct drop *drop, const struct seen_event *seen)
{
    if (content_of(drops, drop) != seen->content)
        acknowledge(drops, receipt, ACK_OTHER, 0);
    else if (!seen->pending) /* else it is answered when it is done */
        acknowledge(drops, receipt, ACK_DOUBLE, seen->receivers);
}

/* ---- carrying out ---- */

static void begin_drop(struct drops *drops, const struct drop *drop,
                       const struct drop_receipt *receipt)
{
    drops->taken++;
    if (!drops->begin(drops->context, drop, receipt))
        refuse_drop(drops, receipt, ACK_OVERLOAD);
}

void drops_stored(struct drops *drops, const struct log_entry *entry, bool stored)
{
    const struct log_revocation *kept = &entry->revocation;
    const struct drop drop = {
        .kind = kept->kind, .name = kept->name, .name_length = kept->name_length};
    struct drop_receipt receipt = {.publisher = entry->publisher, .sequence = entry->asked_as};

    memcpy(receipt.key, entry->stored.key, sizeof receipt.key);
    if (stored)
        begin_drop(drops, &drop, &receipt);
    else
        refuse_drop(drops, &receipt, ACK_UNSTORED);
}

static bool send_to_disk(struct drops *drops, const struct drop *drop,
                         const struct drop_receipt *receipt, const struct revocation *revocation)
{
    struct log_entry entry = {.publisher = receipt->publisher,
                              .asked_as = receipt->sequence,
                              .revocation = {.kind = drop->kind,
                                             .name = drop->name,
                                             .name_length = drop->name_length,
                                             .at_ms = revocation->at_ms,
                                             .until_ms = revocation->until_ms}};

    memcpy(entry.stored.key, receipt->key, sizeof entry.stored.key);
    return log_store_append(drops->store, &entry);
}

static const struct revocation *note_revocation(struct drops *drops, const struct drop *drop,
                                                uint64_t at_ms)
{
    return revocations_add(drops->revocations, drop->kind, drop->name, drop->name_length, at_ms,
                           at_ms + drop->for_ms, clock_wall_ms());
}

/* ACK_DELIVERED: it is under way. */
static enum ack_status take_drop(struct drops *drops, const struct drop *drop,
                                 const struct drop_receipt *receipt, uint64_t at_ms)
{
    const struct revocation *revocation = NULL;

    if (has_proofs(drop) && drop->for_ms > 0) {
        revocation = note_revocation(drops, drop, at_ms);
        if (revocation == NULL)
            return ACK_FULL;
    }
    if (revocation == NULL || drops->store == NULL) {
        begin_drop(drops, drop, receipt);
        return ACK_DELIVERED;
    }
    return send_to_disk(drops, drop, receipt, revocation) ? ACK_DELIVERED : ACK_UNSTORED;
}

static void begin_or_refuse(struct drops *drops, const struct drop *drop,
                            const struct drop_receipt *receipt, uint64_t at_ms)
{
    enum ack_status status = take_drop(drops, drop, receipt, at_ms);

    if (status == ACK_FULL)
        message_warning("drop refused: there is no room to remember it",
                        message_number("max_revocations", (int64_t)drops->config->max_revocations));
    if (status != ACK_DELIVERED)
        refuse_drop(drops, receipt, status);
}

void drops_take(struct drops *drops, const struct bus_message *message)
{
    const struct drop *drop = &message->drop;
    uint64_t now = loop_now(drops->loop);
    struct drop_receipt receipt = {.publisher = message->envelope.publisher,
                                   .sequence = message->envelope.sequence};

    seen_events_key(receipt.key, &message->envelope);
    const struct seen_event *seen = seen_events_find(drops->seen, receipt.key, now);
    if (seen != NULL) {
        answer_double(drops, &receipt, drop, seen);
        return;
    }
    if (!seen_events_add_pending(drops->seen, receipt.key, content_of(drops, drop), 0, now)) {
        acknowledge(drops, &receipt, ACK_OVERLOAD, 0);
        return;
    }
    begin_or_refuse(drops, drop, &receipt, clock_wall_ms());
}

/* The engine's clock may be ahead of ours. */
static uint64_t time_of(const struct bus_message *message)
{
    uint64_t now = clock_wall_ms();

    return message->wall_ms < now ? message->wall_ms : now;
}

void drops_take_numbered(struct drops *drops, const struct bus_message *message)
{
    const struct drop *drop = &message->drop;
    const struct drop_receipt receipt = {.publisher = message->envelope.publisher,
                                         .sequence = message->envelope.sequence};
    uint64_t at_ms = time_of(message);

    if (!message->past)
        begin_or_refuse(drops, drop, &receipt, at_ms);
    else if (has_proofs(drop) && at_ms + drop->for_ms > clock_wall_ms() &&
             note_revocation(drops, drop, at_ms) == NULL)
        drops_tell_left_out(1);
}

bool drops_order(struct drops *drops, const struct drop *drop)
{
    const struct drop_receipt nobody = {0};

    return take_drop(drops, drop, &nobody, clock_wall_ms()) == ACK_DELIVERED;
}

void drops_tell_left_out(uint64_t count)
{
    if (count > 0)
        message_error("there is no room for drops of before: proofs of before count again",
                      message_number("drops", (int64_t)count));
}
