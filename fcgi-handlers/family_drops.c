#include "family_drops.h"

#include "messages.h"
#include "publish_queue.h"

#include <stdlib.h>
#include <string.h>

struct family_drops {
    const struct config *config;
    struct publish_queue *queue;
};

struct family_drops *family_drops_open(const struct subscribe_settings *settings)
{
    struct family_drops *drops = calloc(1, sizeof *drops);
    if (drops == NULL)
        return NULL;
    drops->config = &settings->config;
    drops->queue = publish_queue_new(&settings->bus.options, &settings->config);
    if (drops->queue == NULL)
        family_drops_close(&drops);
    return drops;
}

void family_drops_close(struct family_drops **drops)
{
    if (*drops == NULL)
        return;
    publish_queue_free(&(*drops)->queue);
    free(*drops);
    *drops = NULL;
}

void family_drops_send(struct family_drops *drops, const char *sid)
{
    const struct config *config = drops->config;
    unsigned char record[DROP_RECORD_SIZE];
    const struct drop drop = {.kind = DROP_SESSION,
                              .name = sid,
                              .name_length = strlen(sid),
                              .for_ms = config->token_access_time + config->token_skew};
    struct bus_event event = bus_event_of_drop(&drop, record);
    publish_queue_send(drops->queue, &event, 1);
    bool taken =
        event.acknowledged && (event.ack.status == ACK_DELIVERED || event.ack.status == ACK_DOUBLE);
    if (taken)
        message_info("a family of tokens has ended", message_text("sid", sid),
                     message_number("streams", event.ack.receivers));
    else
        message_warning(
            "a family of tokens has ended, and its streams may go on", message_text("sid", sid),
            message_number("status", event.acknowledged ? (int64_t)event.ack.status : -1));
}
