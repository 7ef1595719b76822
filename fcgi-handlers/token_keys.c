#include "token_keys.h"

#include "backend_gate.h"
#include "clock.h"
#include "messages.h"
#include "trouble.h"
#include "web_request.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A set that a server gave; freed by the last who uses it. */
struct key_set {
    atomic_uint users;
    struct jose_keys *keys;
};

enum { ABSENT_MAX = 8, ABSENT_HEADER_MAX = 128 };

/* The header of a token whose key the server has not: tokens of one maker begin alike. */
struct absent_key {
    uint64_t noted_ms; /* monotonic */
    size_t length;     /* 0: none */
    char header[ABSENT_HEADER_MAX];
};

struct token_keys_common {
    const struct config *config;
    struct backend_gate *gate;
    struct trouble trouble;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t fetched;
    bool fetching;
    bool was_asked, was_asked_for_another;
    uint64_t asked_ms, got_ms; /* monotonic; when it was asked last, and when it answered */
    uint64_t another_ms;       /* when it was asked last for a key that was not known */
    struct key_set *set;       /* NULL: none was had yet */
    struct absent_key absent[ABSENT_MAX];
    size_t next_absent; /* the oldest one */
};

struct token_keys {
    const struct config *config;
    struct token_keys_common *common;
    const struct jose_keys *own[TOKEN_KEYS_OWN];
    size_t own_count;
    struct web_request *request; /* NULL: no server is asked */
};

/* ---- opening ---- */

struct token_keys_common *token_keys_common_open(const struct config *config)
{
    struct token_keys_common *common = calloc(1, sizeof *common);
    const struct backend_gate_options gate = {.threads = (unsigned)config->subscribe_threads,
                                              .time_limit_ms = config->token_time,
                                              .down_ms = config->token_down_time};
    if (common == NULL)
        return NULL;
    common->config = config;
    common->gate = backend_gate_open(&gate);
    if (common->gate == NULL || !web_request_open_library()) {
        backend_gate_close(&common->gate);
        free(common);
        return NULL;
    }
    (void)pthread_mutex_init(&common->lock, NULL);
    (void)pthread_cond_init(&common->fetched, NULL);
    return common;
}

static void leave_set(struct key_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->users, 1) > 1)
        return;
    jose_keys_free(&set->keys);
    free(set);
}

void token_keys_common_close(struct token_keys_common **common)
{
    struct token_keys_common *old = *common;
    if (old == NULL)
        return;
    *common = NULL;
    leave_set(old->set);
    backend_gate_close(&old->gate);
    web_request_close_library();
    (void)pthread_cond_destroy(&old->fetched);
    (void)pthread_mutex_destroy(&old->lock);
    free(old);
}

struct token_keys *token_keys_open(const struct config *config, struct token_keys_common *common,
                                   const struct jose_keys *const own[TOKEN_KEYS_OWN])
{
    struct token_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return NULL;
    keys->config = config;
    keys->common = common;
    for (size_t i = 0; i < TOKEN_KEYS_OWN; i++)
        if (own[i] != NULL)
            keys->own[keys->own_count++] = own[i];
    if (config->token_jwks_url == NULL)
        return keys;
    const struct web_request_options options = {
        .url = config->token_jwks_url,
        .header = "Accept: application/jwk-set+json, application/json",
        .ca_file = config->token_ca_file,
        .limit_ms = config->token_time,
        .max_answer = JOSE_KEYS_TEXT_MAX,
        .too_large = "the answer is larger than 256 KiB, or its headers are too large"};
    keys->request = web_request_open(&options);
    if (keys->request == NULL)
        token_keys_close(&keys);
    return keys;
}

void token_keys_close(struct token_keys **keys)
{
    if (*keys == NULL)
        return;
    web_request_close(&(*keys)->request);
    free(*keys);
    *keys = NULL;
}

bool token_keys_are_there(const struct token_keys *keys)
{
    return keys->own_count > 0 || keys->request != NULL;
}

/* ---- the server's set ---- */

static struct key_set *use_set(struct token_keys_common *common)
{
    (void)pthread_mutex_lock(&common->lock);
    struct key_set *set = common->set;
    if (set != NULL)
        (void)atomic_fetch_add(&set->users, 1);
    (void)pthread_mutex_unlock(&common->lock);
    return set;
}

static void tell(struct token_keys *keys, bool good, const char *reason, long status)
{
    enum trouble_change change = trouble_note(&keys->common->trouble, !good);
    if (change == TROUBLE_BEGINS)
        message_error("the server of [token] jwks_url does not answer as it should",
                      message_text("reason", reason), message_number("status", status),
                      message_text("url", keys->config->token_jwks_url));
    else if (change == TROUBLE_ENDS)
        message_warning("the server of [token] jwks_url answers again",
                        message_text("url", keys->config->token_jwks_url));
}

static struct key_set *fetch(struct token_keys *keys)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    const struct bytes *answer;
    const char *reason;
    long status;
    struct key_set *set = NULL;
    struct jose_keys *got = NULL;
    if (web_request_send(keys->request, NULL, 0, &answer, &reason, &status)) {
        got = jose_keys_parse_public_set(answer->data != NULL ? answer->data : "", answer->length,
                                         error);
        reason = error;
    }
    tell(keys, got != NULL, reason, status);
    if (got != NULL)
        set = calloc(1, sizeof *set);
    if (set == NULL) {
        jose_keys_free(&got);
        return NULL;
    }
    set->keys = got;
    atomic_store(&set->users, 1);
    return set;
}

/* Why a set is wanted. */
enum want {
    WANT_FRESH,  /* one that is not too old */
    WANT_ANOTHER /* than `set`, in which a key was missing */
};

/* With the lock held: what there is will do, or nothing may be asked for now. */
static bool is_settled(const struct token_keys_common *common, enum want want,
                       const struct key_set *set)
{
    uint64_t now = clock_monotonic_ms();
    if (want == WANT_ANOTHER)
        return common->set != set || (!common->fetching && common->was_asked_for_another &&
                                      now - common->another_ms < TOKEN_KEYS_UNKNOWN_MS);
    if (common->set == NULL)
        return false;
    uint64_t since = common->was_asked ? now - common->asked_ms : UINT64_MAX;
    return common->fetching || now - common->got_ms < common->config->token_jwks_time ||
           since < TOKEN_KEYS_RETRY_MS;
}

/* With the lock held. True: it is for this thread to ask. One that asks already is waited for, and
 * what it got, or did not get, is what there is. */
static bool is_mine_to_ask(struct token_keys_common *common, enum want want,
                           const struct key_set *set)
{
    bool waited = false;
    while (common->fetching && !is_settled(common, want, set)) {
        (void)pthread_cond_wait(&common->fetched, &common->lock);
        waited = true;
    }
    if (waited || is_settled(common, want, set))
        return false;
    common->fetching = common->was_asked = true;
    common->asked_ms = clock_monotonic_ms();
    if (want == WANT_ANOTHER) {
        common->was_asked_for_another = true;
        common->another_ms = common->asked_ms;
    }
    return true;
}

/* One thread asks for all; those who have a set that is merely too old do not wait for it. */
static void ask(struct token_keys *keys, enum want want, const struct key_set *set)
{
    struct token_keys_common *common = keys->common;
    uint64_t entered = backend_gate_enter(common->gate);
    if (entered == 0)
        return;
    (void)pthread_mutex_lock(&common->lock);
    bool mine = is_mine_to_ask(common, want, set);
    bool good = common->set != NULL;
    (void)pthread_mutex_unlock(&common->lock);
    if (mine) {
        struct key_set *got = fetch(keys), *old = NULL;
        (void)pthread_mutex_lock(&common->lock);
        good = got != NULL;
        if (good) {
            old = common->set;
            common->set = got;
            common->got_ms = clock_monotonic_ms();
        }
        common->fetching = false;
        (void)pthread_cond_broadcast(&common->fetched);
        (void)pthread_mutex_unlock(&common->lock);
        leave_set(old);
    }
    backend_gate_leave(common->gate, entered, good);
}

static void refresh(struct token_keys *keys, enum want want, const struct key_set *set)
{
    struct token_keys_common *common = keys->common;
    (void)pthread_mutex_lock(&common->lock);
    bool settled = is_settled(common, want, set);
    (void)pthread_mutex_unlock(&common->lock);
    if (!settled)
        ask(keys, want, set);
}

/* ---- keys that were asked for in vain ---- */

static size_t header_of(const char *token, size_t length)
{
    const char *end = memchr(token, '.', length);
    return end != NULL && end - token <= ABSENT_HEADER_MAX ? (size_t)(end - token) : 0;
}

static bool is_absent(struct token_keys_common *common, const char *token, size_t length)
{
    size_t size = header_of(token, length);
    bool found = false;
    (void)pthread_mutex_lock(&common->lock);
    uint64_t now = clock_monotonic_ms();
    for (size_t i = 0; i < ABSENT_MAX && size > 0 && !found; i++) {
        const struct absent_key *absent = &common->absent[i];
        found = absent->length == size && memcmp(absent->header, token, size) == 0 &&
                now - absent->noted_ms < TOKEN_KEYS_UNKNOWN_MS;
    }
    (void)pthread_mutex_unlock(&common->lock);
    return found;
}

static void note_absent(struct token_keys_common *common, const char *token, size_t length)
{
    size_t size = header_of(token, length);
    if (size == 0)
        return;
    (void)pthread_mutex_lock(&common->lock);
    struct absent_key *absent = &common->absent[common->next_absent];
    common->next_absent = (common->next_absent + 1) % ABSENT_MAX;
    absent->noted_ms = clock_monotonic_ms();
    absent->length = size;
    memcpy(absent->header, token, size);
    (void)pthread_mutex_unlock(&common->lock);
}

/* So young that the server would say the same now. */
static bool is_new(struct token_keys_common *common, const struct key_set *set)
{
    (void)pthread_mutex_lock(&common->lock);
    bool new = common->set == set &&clock_monotonic_ms() - common->got_ms < TOKEN_KEYS_RETRY_MS;
    (void)pthread_mutex_unlock(&common->lock);
    return new;
}

/* ---- tokens ---- */

static enum access_token_result read_with(const struct token_keys *keys, const struct key_set *set,
                                          const char *token, size_t length,
                                          struct identity *identity, const char **why)
{
    const struct config *config = keys->config;
    const struct access_token_rules rules = {.issuer = config->token_issuer,
                                             .audience = config->token_audience,
                                             .skew_ms = config->token_skew};
    const struct jose_keys *sets[TOKEN_KEYS_OWN + 1];
    size_t count = 0;
    for (; count < keys->own_count; count++)
        sets[count] = keys->own[count];
    if (set != NULL)
        sets[count++] = set->keys;
    return access_token_read_by_any(identity, &rules, sets, count, token, length, clock_wall_ms(),
                                    why);
}

static enum token_verdict judge(enum access_token_result result)
{
    switch (result) {
    case ACCESS_TOKEN_OK:
        return TOKEN_GOOD;
    case ACCESS_TOKEN_NO_MEMORY:
        return TOKEN_UNAVAILABLE;
    default:
        return TOKEN_REFUSED;
    }
}

/* The token names a key that is not in `set`: it is refused when the server has just said that it
 * has none of this name, else nobody can say. */
static enum token_verdict verify_with_another_set(struct token_keys *keys,
                                                  const struct key_set *set, const char *token,
                                                  size_t length, struct identity *identity,
                                                  const char **why)
{
    struct token_keys_common *common = keys->common;
    if (is_absent(common, token, length))
        return TOKEN_REFUSED;
    refresh(keys, WANT_ANOTHER, set);
    struct key_set *newer = use_set(common);
    enum access_token_result result = newer != set
                                          ? read_with(keys, newer, token, length, identity, why)
                                          : ACCESS_TOKEN_UNKNOWN_KEY;
    enum token_verdict verdict = judge(result);
    if (result == ACCESS_TOKEN_UNKNOWN_KEY) {
        if (newer != set || is_new(common, set)) {
            note_absent(common, token, length);
        } else {
            *why = "its key is not known, and the server of [token] jwks_url cannot be asked again "
                   "yet";
            verdict = TOKEN_UNAVAILABLE;
        }
    }
    leave_set(newer);
    return verdict;
}

static enum token_verdict verify_with_server(struct token_keys *keys, const char *token,
                                             size_t length, struct identity *identity,
                                             const char **why)
{
    refresh(keys, WANT_FRESH, NULL);
    struct key_set *set = use_set(keys->common);
    enum access_token_result result = read_with(keys, set, token, length, identity, why);
    enum token_verdict verdict = judge(result);
    if (set == NULL && result != ACCESS_TOKEN_OK) {
        *why = "the server of [token] jwks_url has given no keys yet";
        verdict = TOKEN_UNAVAILABLE;
    } else if (result == ACCESS_TOKEN_UNKNOWN_KEY) {
        verdict = verify_with_another_set(keys, set, token, length, identity, why);
    }
    leave_set(set);
    return verdict;
}

enum token_verdict token_keys_verify(struct token_keys *keys, const char *token, size_t length,
                                     struct identity *identity, const char **why)
{
    /* The server is asked for what the keys at hand do not verify. */
    if (keys->request == NULL || keys->own_count > 0) {
        enum access_token_result result = read_with(keys, NULL, token, length, identity, why);
        if (keys->request == NULL || result == ACCESS_TOKEN_OK)
            return judge(result);
    }
    return verify_with_server(keys, token, length, identity, why);
}
