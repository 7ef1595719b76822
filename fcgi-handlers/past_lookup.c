#include "past_lookup.h"

#include "backend_gate.h"
#include "hex.h"
#include "messages.h"
#include "rights.h"
#include "trouble.h"

#include <stdlib.h>
#include <string.h>

struct past_lookup_common {
    struct backend_gate *gate; /* to the database */
    struct trouble trouble;    /* the log says that it does not answer */
};

struct past_lookup {
    struct past_lookup_common *common;
    struct acl *acl; /* NULL: no database can be asked */
    struct acl_topic row;
    struct bytes allowed;
};

static const char inbox_topic[] = "@USER@";

struct past_lookup_common *past_lookup_common_open(const struct config *config)
{
    const struct backend_gate_options gate = {.threads = (unsigned)config->subscribe_threads,
                                              .time_limit_ms = config->acl_time,
                                              .down_ms = config->acl_down_time};
    struct past_lookup_common *common = calloc(1, sizeof *common);
    if (common == NULL)
        return NULL;
    common->gate = backend_gate_open(&gate);
    if (common->gate == NULL)
        past_lookup_common_close(&common);
    return common;
}

void past_lookup_common_close(struct past_lookup_common **common)
{
    if (*common != NULL)
        backend_gate_close(&(*common)->gate);
    free(*common);
    *common = NULL;
}

struct past_lookup *past_lookup_open(const struct subscribe_settings *settings,
                                     struct past_lookup_common *common)
{
    char error[SQL_ERROR_SIZE];
    struct past_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->common = common;
    if (settings->knows_acl)
        lookup->acl = acl_open(&settings->acl.options, error);
    return lookup;
}

void past_lookup_close(struct past_lookup **lookup)
{
    struct past_lookup *old = *lookup;
    if (old == NULL)
        return;
    *lookup = NULL;
    acl_close(&old->acl);
    acl_topic_free(&old->row);
    bytes_free(&old->allowed);
    free(old);
}

/* A row that is damaged, or without memory to read it, lets nobody hear. */
static bool may_hear(struct past_lookup *lookup, const struct acl_topic *row, const char *user)
{
    uint16_t flags;
    return rights_find_receivers(row, &flags, &lookup->allowed) == RIGHTS_GRANTED &&
           rights_may_hear(flags, lookup->allowed.data, lookup->allowed.length, user);
}

static bool is_inbox(const struct requested_topic *topic)
{
    return topic->length == sizeof inbox_topic - 1 &&
           memcmp(topic->text, inbox_topic, topic->length) == 0;
}

static void append_topic(struct bytes *out, const char *topic, size_t length)
{
    bytes_append(out, topic, length);
    bytes_append(out, "", 1);
}

/* ---- asking ---- */

struct past_question {
    struct past_lookup *lookup;
    const char *user;
    struct past_rights *past;
};

static bool take_followed(const struct acl_topic *row, void *context)
{
    const struct past_question *question = context;
    if (may_hear(question->lookup, row, question->user))
        append_topic(&question->past->inbox, row->topic.text, row->topic.length);
    return !question->past->inbox.failed;
}

static enum sql_status ask_inbox(struct past_question *question)
{
    enum sql_status status =
        acl_list_followed(question->lookup->acl, question->user, take_followed, question);
    question->past->inbox_known = status == SQL_OK && !question->past->inbox.failed;
    return status;
}

/* Says by its place that something is true of a topic. */
static void mark_place(struct bytes *places, size_t place)
{
    static const char digits[] = "0123456789abcdef";
    while (places->length <= place / 4 && !places->failed)
        bytes_append(places, "0", 1);
    if (places->failed)
        return;
    char *digit = places->data + place / 4;
    *digit = digits[hex_value(*digit) | 1 << place % 4];
}

static enum sql_status ask_topic(struct past_question *question,
                                 const struct requested_topic *topic, size_t place)
{
    struct past_lookup *lookup = question->lookup;
    enum sql_status status = acl_find_topic(lookup->acl, topic->text, topic->length, &lookup->row);
    struct past_rights *past = question->past;
    if (status == SQL_NOT_FOUND) {
        append_topic(&past->unregistered, topic->text, topic->length);
        mark_place(&past->unregistered_places, place);
    }
    if (status != SQL_OK || !may_hear(lookup, &lookup->row, question->user)) {
        append_topic(&past->deaf, topic->text, topic->length);
        mark_place(&past->places, place);
    }
    return status == SQL_NOT_FOUND ? SQL_OK : status;
}

static enum sql_status ask(struct past_question *question,
                           const struct subscription_body *subscription)
{
    const struct requested_topics *topics = &subscription->topics;
    enum sql_status status = SQL_OK;
    for (size_t i = 0; i < topics->count && status == SQL_OK; i++) {
        const struct requested_topic *topic = &topics->list[i];
        if (!topic->bound)
            continue;
        if (!is_inbox(topic))
            status = ask_topic(question, topic, i);
        else if (subscription->last_id != NULL)
            status = ask_inbox(question);
    }
    struct past_rights *past = question->past;
    past->topics_known = status == SQL_OK && !past->deaf.failed && !past->places.failed &&
                         !past->unregistered.failed && !past->unregistered_places.failed;
    return status;
}

static bool has_bound(const struct subscription_body *subscription)
{
    for (size_t i = 0; i < subscription->topics.count; i++)
        if (subscription->topics.list[i].bound)
            return true;
    return false;
}

static void tell_change(struct past_lookup *lookup, enum sql_status status)
{
    enum trouble_change change = trouble_note(&lookup->common->trouble, status != SQL_OK);
    if (change == TROUBLE_BEGINS)
        message_warning("bound events that clients missed are held back, and they are not told "
                        "what they cannot hear: the database of registered topics does not answer",
                        message_text("reason", acl_error(lookup->acl)));
    else if (change == TROUBLE_ENDS)
        message_warning("the database of registered topics answers again");
}

void past_lookup_find(struct past_lookup *lookup, const struct subscription_body *subscription,
                      const char *user, struct past_rights *past)
{
    if (lookup->acl == NULL || !has_bound(subscription))
        return;
    uint64_t entered = backend_gate_enter(lookup->common->gate);
    if (entered == 0)
        return;
    struct past_question question = {lookup, user, past};
    enum sql_status status = ask(&question, subscription);
    backend_gate_leave(lookup->common->gate, entered, status != SQL_UNAVAILABLE);
    tell_change(lookup, status);
}
