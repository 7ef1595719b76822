#include "streams/access_log.h"

#include "config/config.h"
#include "event.h"
#include "hash_table.h"
#include "messages.h"
#include "net/connection.h"
#include "streams/decisions.h"
#include "streams/presence.h"
#include "streams/stream.h"
#include "streams/transport.h"

#include <stdio.h>
#include <string.h>

/* A line has room for more, but one name is not to push the others out of it. */
enum { NAME_SIZE = 1024, TELL_MS = 60000, BURSTS_A_MINUTE = 10 };

#define WRITE(...) message_write_unlimited(MESSAGE_LEVEL_INFO, __VA_ARGS__, MESSAGE_END)

/* ---- how many ---- */

/* All together may not fill at once what waits for the writer of messages. */
static bool all_admit(struct access_log *access, uint64_t now_ms)
{
    uint64_t rate = access->config->message_access_total;
    uint64_t burst = rate / BURSTS_A_MINUTE > 0 ? rate / BURSTS_A_MINUTE : 1;

    return message_pace_admit(&access->all, burst, rate, now_ms);
}

/* Whoever wants to see everything does. */
static bool admits(struct access_log *access, const void *who, size_t length, uint64_t now_ms)
{
    if (access->config == NULL || message_current_level() < MESSAGE_LEVEL_INFO)
        return false;
    uint64_t rate = access->config->message_access_rate;
    if (rate == 0 || message_current_level() == MESSAGE_LEVEL_DEBUG)
        return rate != 0;
    uint64_t share = hash_bytes(access->seed, who, length) % ACCESS_LOG_SHARES;
    bool admitted =
        message_pace_admit(&access->shares[share], rate, rate, now_ms) && all_admit(access, now_ms);
    access->left_out += !admitted;
    return admitted;
}

/* Those of whom nobody knows the address are one. Gives its text. */
static bool admits_address(struct access_log *access, const struct connection *connection,
                           char address[COUNTED_ADDRESS_TEXT_SIZE])
{
    const struct counted_address *counted = connection_address(connection);
    static const struct ip_address nobody;
    const struct ip_address *network = counted != NULL ? &counted->network : &nobody;

    if (!admits(access, network, sizeof *network, loop_now(&connection->net->loop)))
        return false;
    (void)counted_address_write(counted, address);
    return true;
}

void access_log_tell(struct access_log *access, uint64_t now_ms)
{
    if (access->left_out == 0 || now_ms - access->told_at_ms < TELL_MS)
        return;
    WRITE("lines of the access log left out", message_number("lines", (int64_t)access->left_out));
    access->told_at_ms = now_ms;
    access->left_out = 0;
}

/* ---- lines ---- */

static struct message_field field(const char *key, const char *text)
{
    return message_text(key, text != NULL && *text != '\0' ? text : NULL);
}

/* Bytes that no NUL follows. */
static const char *name_of(char out[NAME_SIZE], const char *text, size_t length)
{
    (void)snprintf(out, NAME_SIZE, "%.*s", length < NAME_SIZE ? (int)length : NAME_SIZE, text);
    return out;
}

static const char *client_of(char out[NAME_SIZE], const struct stream *stream)
{
    const struct presence_entry *presence = stream->presence;

    return presence != NULL ? name_of(out, presence->clid, presence->length) : NULL;
}

void access_log_begun(struct access_log *access, const struct stream *stream)
{
    char address[COUNTED_ADDRESS_TEXT_SIZE], clid[NAME_SIZE];

    if (stream->transport->answers_once && stream->comes_back)
        return;
    if (admits_address(access, &stream->connection, address))
        WRITE("subscribed", field("address", address), field("client", client_of(clid, stream)),
              field("user", stream_user(stream)), message_number("connid", (int64_t)stream->connid),
              field("transport", stream->transport->name),
              message_number("topics", stream->subscriber.count));
}

void access_log_ended(struct access_log *access, const struct stream *stream,
                      enum close_reason reason)
{
    char address[COUNTED_ADDRESS_TEXT_SIZE], clid[NAME_SIZE];

    if (admits_address(access, &stream->connection, address))
        WRITE("stream ended", field("address", address), field("client", client_of(clid, stream)),
              field("user", stream_user(stream)), message_number("connid", (int64_t)stream->connid),
              field("transport", stream->transport->name),
              message_number("topics", stream->subscriber.count),
              field("reason", close_reason_name(reason)));
}

void access_log_refused(struct access_log *access, const struct connection *connection,
                        const struct refused_access *refused)
{
    char address[COUNTED_ADDRESS_TEXT_SIZE];

    if (admits_address(access, connection, address))
        WRITE("subscription refused", field("address", address), field("client", refused->clid),
              field("user", refused->user), message_number("topics", (int64_t)refused->topics),
              field("reason", refused->reason));
}

void access_log_posted(struct access_log *access, uint64_t now_ms, const char *by,
                       const struct event *event, uint64_t receivers)
{
    char topic[NAME_SIZE];

    if (admits(access, &event->token, sizeof event->token, now_ms))
        WRITE("posted", field("by", by),
              field("topic", name_of(topic, event->topic, event->topic_length)),
              message_number("sequence", (int64_t)event->sequence),
              message_number("bytes", (int64_t)event->json_length),
              message_number("receivers", (int64_t)receivers));
}

void access_log_unpublished(struct access_log *access, uint64_t now_ms,
                            const struct unpublished *post)
{
    char topic[NAME_SIZE];

    if (admits(access, post->by, strlen(post->by), now_ms))
        WRITE("post refused", field("by", post->by), field("user", post->user),
              field("topic", name_of(topic, post->topic, post->topic_length)),
              field("reason", post->reason));
}
