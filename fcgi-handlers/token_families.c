#include "token_families.h"

#include "backend_gate.h"
#include "messages.h"
#include "trouble.h"

#include <stdlib.h>

struct token_families_common {
    struct backend_gate *gate;
    struct trouble trouble;
};

struct token_families {
    const struct config *config;
    const struct redis_config *redis;
    struct token_families_common *common;
    const struct refresh_store_kind *kind;
    struct refresh_store *store; /* NULL until it can be opened */
};

/* ---- opening ---- */

struct token_families_common *token_families_common_open(const struct config *config)
{
    const bool is_redis = config->token_store == CONFIG_TOKEN_STORE_REDIS;
    const struct backend_gate_options gate = {
        .threads = (unsigned)config->subscribe_threads,
        .time_limit_ms =
            is_redis ? config->redis_connect_time + config->redis_time : REFRESH_SQLITE_BUSY_MS,
        .down_ms = is_redis ? config->redis_down_time : 0};
    struct token_families_common *common = calloc(1, sizeof *common);
    if (common == NULL)
        return NULL;
    common->gate = backend_gate_open(&gate);
    if (common->gate == NULL)
        token_families_common_close(&common);
    return common;
}

void token_families_common_close(struct token_families_common **common)
{
    if (*common == NULL)
        return;
    backend_gate_close(&(*common)->gate);
    free(*common);
    *common = NULL;
}

struct token_families *token_families_open(const struct config *config,
                                           const struct redis_config *redis,
                                           struct token_families_common *common)
{
    struct token_families *families = calloc(1, sizeof *families);
    if (families == NULL)
        return NULL;
    families->config = config;
    families->redis = redis;
    families->common = common;
    families->kind =
        config->token_store == CONFIG_TOKEN_STORE_REDIS ? &refresh_redis : &refresh_sqlite;
    return families;
}

void token_families_close(struct token_families **families)
{
    if (*families == NULL)
        return;
    if ((*families)->store != NULL)
        (*families)->kind->close((*families)->store);
    free(*families);
    *families = NULL;
}

/* ---- the gate ---- */

static void leave(struct token_families *families, uint64_t entered, bool answered,
                  const char *error)
{
    backend_gate_leave(families->common->gate, entered, answered);
    enum trouble_change change = trouble_note(&families->common->trouble, !answered);
    if (change == TROUBLE_BEGINS)
        message_error("refresh tokens cannot be looked up", message_text("reason", error));
    else if (change == TROUBLE_ENDS)
        message_warning("refresh tokens can be looked up again");
}

/* 0: it is known not to answer, or cannot be opened. */
static uint64_t enter(struct token_families *families)
{
    char error[REFRESH_STORE_ERROR_SIZE] = "";
    uint64_t entered = backend_gate_enter(families->common->gate);
    if (entered == 0 || families->store != NULL)
        return entered;
    families->store = families->kind->open(families->config, families->redis, error);
    if (families->store != NULL)
        return entered;
    leave(families, entered, false, error);
    return 0;
}

/* ---- what is asked of it ---- */

bool token_families_begin(struct token_families *families, const struct refresh_family *family,
                          const char *hash)
{
    char error[REFRESH_STORE_ERROR_SIZE] = "";
    uint64_t entered = enter(families);
    if (entered == 0)
        return false;
    bool good = families->kind->begin(families->store, family, hash, error);
    leave(families, entered, good, error);
    return good;
}

enum refresh_result token_families_use(struct token_families *families,
                                       const struct refresh_use *use, struct refresh_family *family)
{
    char error[REFRESH_STORE_ERROR_SIZE] = "";
    uint64_t entered = enter(families);
    *family = (struct refresh_family){0};
    if (entered == 0)
        return REFRESH_UNAVAILABLE;
    enum refresh_result result = families->kind->use(families->store, use, family, error);
    leave(families, entered, result != REFRESH_UNAVAILABLE, error);
    return result;
}

enum refresh_result token_families_revoke(struct token_families *families,
                                          const struct refresh_use *use,
                                          struct refresh_family *family)
{
    char error[REFRESH_STORE_ERROR_SIZE] = "";
    uint64_t entered = enter(families);
    *family = (struct refresh_family){0};
    if (entered == 0)
        return REFRESH_UNAVAILABLE;
    enum refresh_result result = families->kind->revoke(families->store, use, family, error);
    leave(families, entered, result != REFRESH_UNAVAILABLE, error);
    return result;
}
