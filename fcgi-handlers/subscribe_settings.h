/* What esn-subscribe needs from configuration and secret files, read together. */
#ifndef ESN_SUBSCRIBE_SETTINGS_H
#define ESN_SUBSCRIBE_SETTINGS_H

#include "acl/acl_config.h"
#include "bind_key.h"
#include "bus/bus_config.h"
#include "config/config.h"
#include "handler_main.h"
#include "identity/jose_keys.h"
#include "identity/jws_signer.h"
#include "redis/redis_config.h"
#include "secret.h"
#include "ticket.h"

struct subscribe_settings {
    struct config config;
    struct secret_list ticket_secrets;
    struct jose_keys *token_keys; /* NULL: no access tokens are taken */
    struct jws_signer *signer;    /* of access tokens of our own; NULL: there are none */
    struct bus_config bus;        /* with a signer */
    struct redis_config redis;    /* with [redis] url */
    struct acl_config acl; /* to see what clients that come back may hear of what they missed */
    bool knows_acl; /* else, as when its password cannot be read, nothing bound is replayed */
    char acl_fault[SECRET_ERROR_SIZE];
};

/* It is a fault when there is no secret to sign tickets with. */
extern const struct handler_settings subscribe_settings_kind;

/* Opens a reader of bind keys, for one thread; NULL in *reader when [binding] mode is server. False
 * with a sentence in error. */
bool subscribe_settings_open_bind_keys(const struct subscribe_settings *settings,
                                       struct bind_key_reader **reader,
                                       char error[CONFIG_ERROR_SIZE]);

struct ticket_rules subscribe_settings_rules(const struct subscribe_settings *settings);

#endif
