#include "authorise_point.h"

#include "backend_gate.h"
#include "clock.h"
#include "messages.h"
#include "password.h"
#include "rights.h"
#include "trouble.h"

#include <pthread.h>
#include <stdlib.h>

struct authority_common {
    struct backend_gate *gate; /* to the database */
    struct password_checker *passwords;
    /* Of the checker. It also bounds what passwords cost at a time: one hash for each process. */
    pthread_mutex_t lock;
    struct trouble trouble; /* the log says that the database does not answer */
};

struct authority {
    struct authority_common *common;
    size_t most_allowed; /* bytes of user ids: what the daemon takes as one part of a message */
    struct acl *acl;
    struct acl_topic row; /* used again for each point */
    struct bytes followers;
};

_Static_assert((int)SQL_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");

const char *point_result_word(enum point_result result)
{
    static const char *const words[] = {
        [POINT_UNREGISTERED] = "unregistered",        [POINT_FORBIDDEN] = "forbidden",
        [POINT_WRONG_PASSWORD] = "wrong password",    [POINT_NOT_YOURS] = "not yours",
        [POINT_LIMITED] = "too many wrong passwords",
    };
    return words[result];
}

struct authority_common *authority_common_open(const struct config *config)
{
    const struct password_options passwords = {
        .remember_ms = config->password_remember,
        .wrong_at_once = (unsigned)config->password_wrong_at_once,
        .wrong_ms = config->password_wrong_time,
    };
    const struct backend_gate_options gate = {.threads = (unsigned)config->publish_threads,
                                              .time_limit_ms = config->acl_time,
                                              .down_ms = config->acl_down_time};
    struct authority_common *common = calloc(1, sizeof *common);
    if (common == NULL)
        return NULL;
    common->gate = backend_gate_open(&gate);
    common->passwords = password_checker_open(&passwords);
    if (common->gate != NULL && common->passwords != NULL &&
        pthread_mutex_init(&common->lock, NULL) == 0)
        return common;
    password_checker_close(&common->passwords);
    backend_gate_close(&common->gate);
    free(common);
    return NULL;
}

void authority_common_close(struct authority_common **common)
{
    struct authority_common *old = *common;
    if (old == NULL)
        return;
    *common = NULL;
    password_checker_close(&old->passwords);
    backend_gate_close(&old->gate);
    (void)pthread_mutex_destroy(&old->lock);
    free(old);
}

struct authority *authority_open(const struct event_settings *settings,
                                 struct authority_common *common, char error[CONFIG_ERROR_SIZE])
{
    struct authority *authority = calloc(1, sizeof *authority);
    if (authority == NULL)
        return NULL;
    authority->common = common;
    authority->most_allowed = (size_t)settings->config.max_event_body * 6;
    authority->acl = acl_open(&settings->acl.options, error);
    if (authority->acl == NULL)
        authority_close(&authority);
    return authority;
}

void authority_close(struct authority **authority)
{
    struct authority *old = *authority;
    if (old == NULL)
        return;
    *authority = NULL;
    acl_close(&old->acl);
    acl_topic_free(&old->row);
    bytes_free(&old->followers);
    free(old);
}

static bool refuse(struct publish_fault *fault, int status, const char *reason, const char *detail)
{
    *fault = (struct publish_fault){.status = status, .reason = reason, .detail = detail};
    return false;
}

static bool decide(struct point_decision *decision, enum point_result result)
{
    decision->result = result;
    return true;
}

static bool lack_memory(struct publish_fault *fault)
{
    return refuse(fault, 503, "Out of memory", NULL);
}

/* ---- the database ---- */

/* One line when it goes away and one when it is back, not one for each post. */
static void tell_change(struct authority *authority, enum sql_status status)
{
    enum trouble_change change =
        trouble_note(&authority->common->trouble, status == SQL_UNAVAILABLE);
    if (change == TROUBLE_BEGINS)
        message_error("the database of registered topics does not answer",
                      message_text("reason", acl_error(authority->acl)));
    else if (change == TROUBLE_ENDS)
        message_warning("the database of registered topics answers again");
}

typedef enum sql_status question(struct authority *authority, const struct publish_point *point);

/* False, with *fault set, when the database's answer is none. */
static bool ask_database(struct authority *authority, question *ask,
                         const struct publish_point *point, enum sql_status *answer,
                         struct publish_fault *fault)
{
    struct backend_gate *gate = authority->common->gate;
    uint64_t entered = backend_gate_enter(gate);
    if (entered == 0)
        return refuse(fault, 503, "Registered topics are unavailable", NULL);
    enum sql_status status = *answer = ask(authority, point);
    backend_gate_leave(gate, entered, status != SQL_UNAVAILABLE);
    tell_change(authority, status);
    if (status == SQL_OK || status == SQL_NOT_FOUND)
        return true;
    if (status == SQL_NO_MEMORY)
        return lack_memory(fault);
    if (status == SQL_UNAVAILABLE)
        return refuse(fault, 503, "Registered topics are unavailable", NULL);
    message_error("a topic cannot be looked up", message_text("reason", acl_error(authority->acl)));
    return refuse(fault, 500, "Registered topics cannot be read", NULL);
}

static enum sql_status find_topic(struct authority *authority, const struct publish_point *point)
{
    return acl_find_topic(authority->acl, point->topic, point->topic_length, &authority->row);
}

static enum sql_status find_followers(struct authority *authority,
                                      const struct publish_point *point)
{
    bytes_clear(&authority->followers);
    return acl_find_followers(authority->acl, point->topic, point->topic_length,
                              &authority->followers);
}

/* ---- the rules, one by one ---- */

static void tell_damage(const struct authority *authority, const char *what)
{
    message_error("the row of a registered topic is damaged",
                  message_text("topic", authority->row.topic.text), message_text("fault", what));
}

/* True: go on; false: it is settled, by *decision or by *fault (*settled false). */
static bool may_publish(struct authority *authority, const char *publisher,
                        struct point_decision *decision, struct publish_fault *fault, bool *settled)
{
    switch (rights_check_publisher(&authority->row, publisher, NULL)) {
    case RIGHTS_GRANTED:
        return true;
    case RIGHTS_NO_MEMORY:
        *settled = lack_memory(fault);
        return false;
    case RIGHTS_UNBOUND:
        *settled = refuse(fault, 400, "Bind key missing", NULL);
        return false;
    case RIGHTS_DAMAGED:
        tell_damage(authority, "pub is no JSON array");
        break;
    case RIGHTS_FORBIDDEN:
        break;
    }
    *settled = decide(decision, POINT_FORBIDDEN);
    return false;
}

static enum password_result check_password(const struct authority *authority,
                                           const struct publish_point *point)
{
    struct authority_common *common = authority->common;
    (void)pthread_mutex_lock(&common->lock);
    enum password_result result = password_check(
        common->passwords, point->topic, point->topic_length, authority->row.pub_password.text,
        point->password, point->password_length, clock_monotonic_ms());
    (void)pthread_mutex_unlock(&common->lock);
    return result;
}

static bool knows_password(struct authority *authority, const struct publish_point *point,
                           struct point_decision *decision, struct publish_fault *fault,
                           bool *settled)
{
    const struct sql_text *hash = &authority->row.pub_password;
    if (hash->text == NULL || hash->length == 0)
        return true;
    switch (check_password(authority, point)) {
    case PASSWORD_RIGHT:
        return true;
    case PASSWORD_NO_RESOURCES:
        *settled = lack_memory(fault);
        return false;
    case PASSWORD_LIMITED:
        message_warning("too many wrong passwords for a topic",
                        message_text("topic", authority->row.topic.text));
        *settled = decide(decision, POINT_LIMITED);
        return false;
    case PASSWORD_BAD_HASH:
        tell_damage(authority, "pub_password is no hash that is known and not too costly");
        break;
    case PASSWORD_WRONG:
        break;
    }
    *settled = decide(decision, POINT_WRONG_PASSWORD);
    return false;
}

static enum rights_result find_hearers(struct authority *authority,
                                       const struct publish_point *point,
                                       struct point_decision *decision)
{
    if (point->targeted)
        return rights_find_inboxes(&authority->row, &authority->followers, &decision->flags,
                                   &decision->allowed);
    return rights_find_receivers(&authority->row, &decision->flags, &decision->allowed);
}

static bool fits(const struct authority *authority, const struct bytes *allowed)
{
    return allowed->length <= authority->most_allowed;
}

static bool grant(struct authority *authority, const struct publish_point *point,
                  struct point_decision *decision, struct publish_fault *fault)
{
    enum sql_status status;
    if (point->targeted && !ask_database(authority, find_followers, point, &status, fault))
        return false;
    enum rights_result result = find_hearers(authority, point, decision);
    if (result == RIGHTS_NO_MEMORY)
        return lack_memory(fault);
    if (!fits(authority, &decision->allowed)) {
        message_error("more users may hear a topic than fit into a message",
                      message_text("topic", authority->row.topic.text));
        return refuse(fault, 500, "Too many users may hear the topic",
                      "let \"+\" stand for all users, or raise [publish] max_body");
    }
    /* The flags are those of a bound event with nobody who may hear it. */
    if (result == RIGHTS_DAMAGED)
        tell_damage(authority, "sub is no JSON array");
    return decide(decision, POINT_GRANTED);
}

static bool authorise_bound(struct authority *authority, const struct publish_point *point,
                            const char *publisher, struct point_decision *decision,
                            struct publish_fault *fault)
{
    bool settled;
    enum sql_status status;
    if (!ask_database(authority, find_topic, point, &status, fault))
        return false;
    if (status == SQL_NOT_FOUND)
        return decide(decision, POINT_UNREGISTERED);
    if (!may_publish(authority, publisher, decision, fault, &settled) ||
        !knows_password(authority, point, decision, fault, &settled))
        return settled;
    return grant(authority, point, decision, fault);
}

/* Whom the publisher names; that it may is all that is asked. */
static bool address(const struct authority *authority, const struct publish_point *point,
                    struct point_decision *decision, struct publish_fault *fault)
{
    decision->flags = ENVELOPE_BOUND | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED;
    if (!fits(authority, &point->users))
        return refuse(fault, 413, "Too many users", "they are larger than [publish] max_body");
    bytes_append(&decision->allowed, point->users.data, point->users.length);
    return decision->allowed.failed ? lack_memory(fault) : decide(decision, POINT_GRANTED);
}

/* What the publisher may do at all. */
static bool is_within(const struct publisher *publisher, const struct publish_point *point)
{
    if (point->bound && (publisher->may & PUBLISHER_MAY_BOUND) == 0)
        return false;
    if (point->whispered && (publisher->may & PUBLISHER_MAY_WHISPER) == 0)
        return false;
    if (point->granted && (publisher->may & PUBLISHER_MAY_PRIVATE) == 0)
        return false;
    if (point->addressed && (publisher->may & PUBLISHER_MAY_USERS) == 0)
        return false;
    return publisher_may_reach(publisher, point->topic, point->topic_length);
}

bool authorise_point(struct authority *authority, const struct publish_point *point,
                     const struct publisher *publisher, const char *user,
                     struct point_decision *decision, struct publish_fault *fault)
{
    if (!is_within(publisher, point))
        return decide(decision, POINT_NOT_YOURS);
    if (point->granted)
        decision->flags = ENVELOPE_PRIVATE;
    if (point->addressed)
        return address(authority, point, decision, fault);
    if (!point->bound)
        return decide(decision, POINT_GRANTED);
    if (user == NULL)
        return refuse(fault, 400, "Bind key missing",
                      "a bound event point needs the publisher's bind key");
    return authorise_bound(authority, point, user, decision, fault);
}
