#include "admit_subscriber.h"

#include "clock.h"
#include "hand_off.h"
#include "handler_reply.h"
#include "identify_subscriber.h"
#include "messages.h"
#include "node_choice.h"
#include "past_lookup.h"
#include "query.h"
#include "retry_after.h"
#include "stand_in.h"
#include "subscribe_route.h"
#include "subscribe_settings.h"
#include "subscription_body.h"
#include "token_desk.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

struct subscribe_shared {
    struct identify_common *identify;
    struct past_lookup_common *past;
    struct token_desk_common *tokens;
    struct node_choice *nodes;
};

struct subscribe_service {
    const struct subscribe_settings *settings;
    struct identify *identify;
    struct past_lookup *past;
    struct token_desk *tokens;
    struct node_choice *nodes;           /* of all threads */
    const struct subscribe_route *route; /* of the request at hand */
    const struct bytes *body;            /* likewise; NULL: it has none */
};

/* ---- what is needed ---- */

static void subscribe_close(void *context)
{
    struct subscribe_shared *shared = context;
    if (shared->identify != NULL)
        identify_common_close(&shared->identify);
    past_lookup_common_close(&shared->past);
    token_desk_common_close(&shared->tokens);
    node_choice_close(&shared->nodes);
    free(shared);
}

static void *subscribe_open(const void *context, bool lasting)
{
    (void)lasting;
    const struct subscribe_settings *settings = context;
    struct subscribe_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->identify = identify_common_open(settings);
    shared->past = past_lookup_common_open(&settings->config);
    shared->tokens = token_desk_common_open(settings);
    shared->nodes = node_choice_open(&settings->config, &settings->redis);
    if (shared->identify != NULL && shared->past != NULL && shared->tokens != NULL &&
        shared->nodes != NULL)
        return shared;
    subscribe_close(shared);
    return NULL;
}

static void subscribe_end(void *context)
{
    struct subscribe_service *service = context;
    token_desk_close(&service->tokens);
    identify_close(&service->identify);
    past_lookup_close(&service->past);
    free(service);
}

static void *subscribe_begin(const void *settings, void *shared)
{
    const struct subscribe_shared *common = shared;
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    struct subscribe_service *service = calloc(1, sizeof *service);
    if (service != NULL) {
        service->settings = settings;
        service->nodes = common->nodes;
        service->identify = identify_open(settings, common->identify, error);
        service->past = past_lookup_open(settings, common->past);
        if (service->identify != NULL)
            service->tokens = token_desk_open(settings, service->identify, common->tokens, error);
        if (service->tokens != NULL && service->past != NULL)
            return service;
        subscribe_end(service);
    }
    message_error("cannot prepare for requests", message_text("reason", error));
    return NULL;
}

static void refuse(struct handler_request *request, int status, const char *reason,
                   const char *detail)
{
    (void)handler_reply_send_error(request, status, reason, detail,
                                   status == 503 ? retry_header : NULL);
}

/* ---- the way on ---- */

static void send_answer(struct handler_request *request, const struct bytes *answer)
{
    if (answer->failed)
        refuse(request, 500, "Out of memory", NULL);
    else
        (void)handler_request_write(request, answer->data, answer->length);
}

static void hand_over(struct subscribe_service *service, struct handler_request *request,
                      const struct subscription_body *subscription, const struct bytes *text,
                      const struct ticket *ticket, const char *way)
{
    const struct subscribe_route *route = service->route;
    const struct config *config = &service->settings->config;
    struct bytes answer = BYTES_EMPTY;
    const struct hand_off hand_off = {.ticket = text->data,
                                      .ticket_length = text->length,
                                      .connid = subscription->connid,
                                      .secret = subscription->secret,
                                      .origin = handler_request_variable(request, "HTTP_ORIGIN"),
                                      .way = ticket->names_node ? way : NULL,
                                      .path = route->purpose == SUBSCRIBE_TICKET ? "" : route->path,
                                      .wait_ms = subscription->wait_ms,
                                      .has_wait = subscription->has_wait,
                                      .says_had = subscription->says_had,
                                      .needs_body = ticket->body != NULL};
    if (route->purpose == SUBSCRIBE_TICKET)
        hand_off_write_ticket(&answer, &hand_off, config);
    else
        hand_off_write(&answer, &hand_off, config);
    send_answer(request, &answer);
    bytes_free(&answer);
    message_debug(
        "subscriber handed over", message_number("topics", (int64_t)subscription->topics.count),
        message_text("bound",
                     subscription->bind_key != NULL || subscription->token != NULL ? "yes" : "no"));
}

/* Whether no stream is held here, and its client goes where it is sent. */
static bool sends_on(const struct subscribe_service *service)
{
    return service->settings->config.handoff_mode == CONFIG_HANDOFF_REDIRECT &&
           service->route->redirects && service->route->purpose == SUBSCRIBE_STREAM;
}

/* With its query, in which the daemon finds all that it needs. */
static void send_on(const struct subscribe_service *service, struct handler_request *request)
{
    struct bytes answer = BYTES_EMPTY;
    hand_off_write_query(&answer, service->route->path, handler_request_query(request),
                         handler_request_variable(request, "HTTP_ORIGIN"),
                         &service->settings->config);
    send_answer(request, &answer);
    bytes_free(&answer);
}

/* A ticket with the topics, or, when they are too many, one that stands for the body, which then
 * goes along. */
static enum ticket_result sign_somehow(const struct subscribe_service *service,
                                       struct ticket *ticket, char digest[TICKET_DIGEST_SIZE],
                                       struct bytes *text)
{
    const struct ticket_rules rules = subscribe_settings_rules(service->settings);
    const struct bytes *body = service->body;
    ticket->issued_ms = clock_wall_ms();
    uint64_t now_s = ticket->issued_ms / 1000;
    enum ticket_result result = ticket_sign(text, &rules, ticket, now_s);
    if (result != TICKET_TOO_LARGE || body == NULL)
        return result;
    if (!ticket_digest(digest, body->data, body->length))
        return TICKET_NO_RESOURCES;
    ticket->body = digest;
    return ticket_sign(text, &rules, ticket, now_s);
}

/* Where what was found out of the past takes too much room, it is left out, and not replayed. */
static enum ticket_result sign(const struct subscribe_service *service, struct ticket *ticket,
                               char digest[TICKET_DIGEST_SIZE], struct bytes *text)
{
    enum ticket_result result = sign_somehow(service, ticket, digest, text);
    if (result != TICKET_TOO_LARGE)
        return result;
    ticket->past = NULL;
    ticket->body = NULL;
    return sign_somehow(service, ticket, digest, text);
}

/* What asks for a ticket alone may show it to whichever daemon its stream is at, and is not told
 * of. */
static void choose_node(const struct subscribe_service *service,
                        const struct subscription_body *subscription, struct ticket *ticket,
                        struct chosen_node *chosen)
{
    if (service->route->purpose != SUBSCRIBE_STREAM ||
        !node_choice_make(service->nodes, subscription->connid, chosen))
        return;
    ticket->names_node = true;
    ticket->node = chosen->node;
}

static void admit_as(struct subscribe_service *service, struct handler_request *request,
                     const struct subscription_body *subscription, const struct identity *identity)
{
    char digest[TICKET_DIGEST_SIZE];
    struct ticket ticket = subscription_body_ticket(subscription, identity);
    struct past_rights past = {0};
    struct bytes text = BYTES_EMPTY;
    struct chosen_node chosen;
    if (ticket.user != NULL)
        past_lookup_find(service->past, subscription, ticket.user, &past);
    ticket.past = &past;
    choose_node(service, subscription, &ticket, &chosen);
    switch (sign(service, &ticket, digest, &text)) {
    case TICKET_OK:
        hand_over(service, request, subscription, &text, &ticket, chosen.way);
        break;
    case TICKET_TOO_LARGE:
        refuse(request, 413, "Too many or too long Event Points",
               "a query takes as many as fit into 7500 bytes; POST them");
        break;
    default:
        refuse(request, 500, "Out of memory", NULL);
    }
    bytes_free(&text);
    past_rights_free(&past);
}

/* The first private topic that no grant covers; NULL: there is none. */
static const struct requested_topic *find_ungranted(const struct requested_topics *topics,
                                                    const struct identity *identity)
{
    for (size_t i = 0; i < topics->count; i++) {
        const struct requested_topic *topic = &topics->list[i];
        if (topic->granted && !identity_grants(identity->sub, topic->text, topic->length))
            return topic;
    }
    return NULL;
}

static void admit_known(struct subscribe_service *service, struct handler_request *request,
                        const struct subscription_body *subscription,
                        const struct identity *identity)
{
    const struct requested_topic *ungranted = find_ungranted(&subscription->topics, identity);
    if (ungranted == NULL) {
        admit_as(service, request, subscription, identity);
        return;
    }
    char fault[REQUESTED_TOPICS_FAULT_SIZE];
    message_info("topic not granted", message_text("topic", ungranted->text),
                 message_text("user", identity->user),
                 message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
    refuse(request, 400, requested_topic_name_fault(fault, "Not granted", ungranted), NULL);
}

/* Who is nobody needs no ticket. Some browsers' EventSource comes back to where it was sent, by
 * then with a ticket that is used up. */
static void admit_nobody(struct subscribe_service *service, struct handler_request *request,
                         const struct subscription_body *subscription)
{
    if (sends_on(service) && service->body == NULL)
        send_on(service, request);
    else
        admit_as(service, request, subscription, NULL);
}

static void admit(struct subscribe_service *service, struct handler_request *request,
                  const struct subscription_body *subscription)
{
    struct identity identity;
    const char *reason;
    switch (identify_subscriber(service->identify, request, subscription, &identity, &reason)) {
    case IDENTIFY_NOBODY:
        admit_nobody(service, request, subscription);
        break;
    case IDENTIFY_KNOWN:
        admit_known(service, request, subscription, &identity);
        identity_free(&identity);
        break;
    case IDENTIFY_REFUSED:
        refuse(request, 400, reason, NULL);
        break;
    default:
        refuse(request, 503, reason, NULL);
    }
}

static void admit_or_refuse(struct subscribe_service *service, struct handler_request *request,
                            struct subscription_body *subscription, const char *fault)
{
    /* What EventSource had last (HTML standard, section 9.2.2): newer than the query it was opened
     * with. */
    const char *last_event = handler_request_variable(request, "HTTP_LAST_EVENT_ID");
    /* One that is no text is none of ours. */
    if (fault == NULL && last_event != NULL && *last_event != '\0' &&
        utf8_is_valid(last_event, strlen(last_event)))
        subscription->last_id = last_event;
    if (fault == NULL)
        admit(service, request, subscription);
    else
        refuse(request, fault == REQUESTED_TOPICS_NO_MEMORY ? 500 : 400, fault, NULL);
    subscription_body_free(subscription);
}

static unsigned allowed(const struct subscribe_service *service,
                        const struct handler_request *request)
{
    return SUBSCRIPTION_PROOF |
           (identify_has_bearer(service->identify, request) ? SUBSCRIPTION_PROVEN : 0);
}

static void handle_body(struct subscribe_service *service, struct handler_request *request,
                        const struct bytes *body)
{
    struct subscription_body subscription;
    service->body = body;
    const char *fault =
        subscription_body_read(&subscription, body->data != NULL ? body->data : "", body->length,
                               allowed(service, request), &service->settings->config);
    admit_or_refuse(service, request, &subscription, fault);
    service->body = NULL;
}

static void handle_query(struct subscribe_service *service, struct handler_request *request)
{
    struct subscription_body subscription;
    const char *fault =
        subscription_body_read_query(&subscription, handler_request_query(request),
                                     allowed(service, request), &service->settings->config);
    admit_or_refuse(service, request, &subscription, fault);
}

/* ---- the request ---- */

/* A body cannot be handed over, only the client be asked to send it again. */
static void pass_on_alive(struct subscribe_service *service, struct handler_request *request)
{
    const struct config *config = &service->settings->config;
    struct bytes answer = BYTES_EMPTY;
    if (config->handoff_mode != CONFIG_HANDOFF_REDIRECT) {
        refuse(request, 404, "Not found", "let the web server pass this path to esn-fanout");
        return;
    }
    hand_off_write_alive(&answer, handler_request_variable(request, "HTTP_ORIGIN"), config);
    send_answer(request, &answer);
    bytes_free(&answer);
}

static void read_and_handle_body(struct subscribe_service *service, struct handler_request *request)
{
    struct bytes body = BYTES_EMPTY;
    enum handler_body verdict =
        handler_request_read_body(request, (size_t)service->settings->config.max_body, &body);
    if (!handler_reply_refuse_body(request, verdict))
        handle_body(service, request, &body);
    bytes_free(&body);
}

static void subscribe_handle(void *context, struct handler_request *request)
{
    struct subscribe_service *service = context;
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    if (stand_in_answer(request, &service->settings->config))
        return;
    if (method != NULL && strcmp(method, "OPTIONS") == 0) {
        handler_reply_send_preflight(request);
        return;
    }
    service->route = subscribe_route_of(handler_request_variable(request, "REQUEST_URI"));
    if (sends_on(service) && query_has(handler_request_query(request), "ticket")) {
        send_on(service, request);
        return;
    }
    if (service->route->purpose == SUBSCRIBE_TOKEN)
        token_desk_handle(service->tokens, request);
    else if (service->route->purpose == SUBSCRIBE_ALIVE)
        pass_on_alive(service, request);
    else if (!service->route->redirects &&
             service->settings->config.handoff_mode == CONFIG_HANDOFF_REDIRECT)
        refuse(request, 400, "WebSockets follow no redirection",
               "POST the subscription to .../ticket, and connect with the ticket");
    else if (service->route->takes_query && method != NULL && strcmp(method, "GET") == 0)
        handle_query(service, request);
    else if (service->route->takes_body && method != NULL && strcmp(method, "POST") == 0)
        read_and_handle_body(service, request);
    else
        refuse(request, 400,
               service->route->takes_body ? "Subscribe with POST" : "Subscribe with GET", NULL);
}

const struct handler_service admit_subscriber_service = {.open = subscribe_open,
                                                         .close = subscribe_close,
                                                         .begin = subscribe_begin,
                                                         .end = subscribe_end,
                                                         .handle = subscribe_handle};
