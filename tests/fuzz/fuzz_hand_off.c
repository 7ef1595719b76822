/* Bodies and queries of subscriptions at esn-subscribe: what is taken keeps every limit, and is
 * handed over in one line of a header. */
#include "hand_off.h"
#include "subscription_body.h"
#include "topic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char prefix[] = "/_fanout/";
static const struct config config = {.max_topics = 20,
                                     .max_topic_length = 30,
                                     .max_topic_levels = 5,
                                     .handoff_mode = CONFIG_HANDOFF_LOCAL,
                                     .handoff_prefix = prefix};

static void check_topics(const struct subscription_body *subscription)
{
    bool bound = false;

    if (subscription->topics.count > config.max_topics)
        abort();
    for (size_t i = 0; i < subscription->topics.count; i++) {
        const struct requested_topic *topic = &subscription->topics.list[i];
        if (topic_fault(topic->text, topic->length, config.max_topic_length,
                        config.max_topic_levels) != NULL)
            abort();
        bound = bound || topic->bound || topic->granted;
    }
    if (bound && subscription->bind_key == NULL && subscription->token == NULL)
        abort();
}

static void check_hand_off(const struct subscription_body *subscription)
{
    static const char start[] = "Location: /_fanout/poll?ticket=t";
    const struct hand_off hand_off = {.ticket = "t",
                                      .ticket_length = 1,
                                      .connid = subscription->connid,
                                      .secret = subscription->secret,
                                      .path = "poll",
                                      .wait_ms = subscription->wait_ms,
                                      .has_wait = subscription->has_wait};
    struct bytes out = BYTES_EMPTY;

    hand_off_write(&out, &hand_off, &config);
    if (out.failed || out.length < sizeof start + 3 || memcmp(out.data, start, sizeof start - 1) ||
        memcmp(out.data + out.length - 4, "\r\n\r\n", 4) != 0)
        abort();
    for (size_t i = 10; i < out.length - 4; i++)
        if (out.data[i] <= ' ' || out.data[i] > '~')
            abort();
    bytes_free(&out);
}

static void check(struct subscription_body *subscription, const char *fault)
{
    if (fault == NULL) {
        check_topics(subscription);
        check_hand_off(subscription);
        if ((subscription->connid != 0) != (subscription->secret != NULL))
            abort();
    } else if (*fault == '\0') {
        abort();
    }
    subscription_body_free(subscription);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subscription_body subscription;
    char *query = malloc(size + 1);
    const char *fault = subscription_body_read(&subscription, (const char *)data, size,
                                               SUBSCRIPTION_PROOF, &config);

    check(&subscription, fault);
    if (query == NULL)
        return 0;
    memcpy(query, data, size);
    query[size] = '\0';
    fault = subscription_body_read_query(&subscription, query, SUBSCRIPTION_PROOF, &config);
    check(&subscription, fault);
    free(query);
    return 0;
}
