#include "requests/client_message.h"

#include "subscription_body.h"

#include <jansson.h>
#include <stdlib.h>

static const char *read_ticket(struct client_message *message)
{
    const json_t *ticket = json_object_get(message->json, "ticket");

    if (ticket == NULL || json_is_null(ticket))
        return NULL;
    message->ticket = json_string_value(ticket);
    message->ticket_length = json_string_length(ticket);
    return message->ticket != NULL ? NULL : "Ticket should be a string";
}

static const char *read_subscribe(struct client_message *message, const json_t *points, bool proven,
                                  const struct config *config)
{
    const json_t *last_id = json_object_get(message->json, "last_id");

    if (last_id != NULL && !json_is_null(last_id)) {
        if (!json_is_string(last_id))
            return "Last id should be a string";
        message->last_id = json_string_value(last_id);
        message->last_id_length = json_string_length(last_id);
    }
    const char *fault = read_ticket(message);
    if (fault != NULL)
        return fault;
    return requested_topics_read(&message->topics, points, proven ? REQUESTED_TOPICS_PROVEN : 0,
                                 config);
}

static const char *read_unsubscribe(struct client_message *message, const json_t *points,
                                    bool proven, const struct config *config)
{
    (void)proven;
    return requested_topics_read(&message->topics, points, REQUESTED_TOPICS_GIVEN_UP, config);
}

static const char *read_alive(struct client_message *message, const json_t *secret, bool proven,
                              const struct config *config)
{
    (void)proven;
    (void)config;
    if (!json_is_string(secret))
        return "Secret should be a string";
    message->secret = json_string_value(secret);
    message->secret_length = json_string_length(secret);
    return read_ticket(message);
}

static const char *read_ping(struct client_message *message, const json_t *value, bool proven,
                             const struct config *config)
{
    (void)proven;
    (void)message;
    (void)value;
    (void)config;
    return NULL;
}

static const struct request {
    const char *key;
    enum client_message_kind kind;
    const char *(*read)(struct client_message *, const json_t *, bool proven,
                        const struct config *);
} requests[] = {
    {"subscribe", CLIENT_SUBSCRIBE, read_subscribe},
    {"unsubscribe", CLIENT_UNSUBSCRIBE, read_unsubscribe},
    {"alive", CLIENT_ALIVE, read_alive},
    {"ping", CLIENT_PING, read_ping},
};

/* The one thing that a message asks for; NULL: none, or *fault says that there are several. */
static const struct request *find_request(const json_t *json, const char **fault)
{
    const struct request *found = NULL;

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (json_object_get(json, requests[i].key) == NULL)
            continue;
        if (found != NULL)
            *fault = "Message asks for several things at once";
        found = &requests[i];
    }
    return found;
}

/* Beside what it asks for, or alone. */
static const char *read_had(struct client_message *message)
{
    const json_t *had = json_object_get(message->json, "had");

    message->had = json_string_value(had);
    message->had_length = json_string_length(had);
    return had == NULL || json_is_null(had) || message->had != NULL ? NULL : "had should be an id";
}

const char *client_message_read(struct client_message *message, const char *text, size_t length,
                                bool proven, const struct config *config)
{
    *message = (struct client_message){0};
    if (subscription_body_is_too_heavy(text, length, config))
        return SUBSCRIPTION_TOO_HEAVY;
    *message = (struct client_message){
        .json = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL)};
    if (message->json == NULL)
        return "Invalid JSON in message";
    if (!json_is_object(message->json))
        return "Message should be an object";
    const char *fault = read_had(message);
    const struct request *request = find_request(message->json, &fault);
    if (fault != NULL)
        return fault;
    message->kind = request != NULL ? request->kind : CLIENT_HAD;
    if (request == NULL)
        return message->had != NULL
                   ? NULL
                   : "Message should be subscribe, unsubscribe, alive, had or ping";
    return request->read(message, json_object_get(message->json, request->key), proven, config);
}

void client_message_free(struct client_message *message)
{
    requested_topics_free(&message->topics);
    json_decref(message->json);
    *message = (struct client_message){0};
}
