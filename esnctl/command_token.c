/* esnctl token: access tokens as an application makes them, and what one says. */
#include "clock.h"
#include "commands.h"
#include "identity/access_token.h"
#include "identity/jws.h"
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl token [OPTION...] make [USER]\n"
    "       esnctl token [OPTION...] read TOKEN\n"
    "\n"
    "make prints an access token, as an application makes them, signed with the first secret of\n"
    "[token] keys_file; without USER it is one of a session without a user. read says what a "
    "token\n"
    "claims and whether it is valid now; TOKEN - reads it from standard input. `iss` and `aud` "
    "are\n"
    "those of the configuration.\n"
    "\n"
    "Options:\n"
    "  --sub TOPIC     of make: a private topic or pattern that it may hear; again for more\n"
    "  --pub TOPIC     of make: one that it may speak on; again for more\n"
    "  --sid TEXT      of make: the application's session\n"
    "  --clid NAME     of make: the client id that its holder has\n"
    "  --info JSON     of make: what is shown to others beside the user\n"
    "  --life SECONDS  of make: how long it is valid (default: 300)\n"
    "  --key FILE      file of keys (default: [token] keys_file)\n"
    "  --json          of read: as JSON\n"
    "  --config FILE   configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help          this text\n"
    "\n"
    "Examples:\n"
    "  esnctl token make ana\n"
    "  esnctl token --sub 'orders/4711' --life 60 make ana\n"
    "  curl -N \"$ESN_BASE_URL\" -d '{\"token\": \"'\"$(esnctl token make ana)\"'\",\n"
    "      \"ep\": [{\"topic\": \"@USER@\", \"binded\": true}]}'\n"
    "  esnctl token read \"$(esnctl token make ana)\"\n"
    "\n"
    "Exit status: 0 good, and of read: valid; 1 failed, or not valid; 2 usage.\n";

enum {
    OPTION_SUB = SETTINGS_OPTION_OWN,
    OPTION_PUB,
    OPTION_SID,
    OPTION_CLID,
    OPTION_INFO,
    OPTION_LIFE,
    OPTION_KEY,
    LIFE_MAX = 31536000
};

struct token_call {
    struct settings settings;
    struct proof_texts sub, pub;
    const char *sid, *clid, *info, *key;
    int64_t life_s;
};

static struct access_token_rules rules_of(const struct config *config)
{
    return (struct access_token_rules){.issuer = config->token_issuer,
                                       .audience = config->token_audience,
                                       .skew_ms = config->token_skew};
}

/* ---- make ---- */

/* The claims of `esn`; NULL without memory, or when a text is no UTF-8. */
static json_t *write_more(const struct token_call *call, json_t *info)
{
    json_t *more = json_pack("{sO* ss*}", "info", info, "clid", call->clid);
    if (more != NULL && call->sub.count > 0 &&
        json_object_set_new(more, "sub", proof_texts_array(&call->sub)) != 0) {
        json_decref(more);
        return NULL;
    }
    if (more != NULL && call->pub.count > 0 &&
        json_object_set_new(more, "pub", proof_texts_array(&call->pub)) != 0) {
        json_decref(more);
        return NULL;
    }
    return more;
}

/* The caller frees; NULL without memory, or when a text is no UTF-8. */
static char *write_claims(const struct token_call *call, const char *user, json_t *info,
                          uint64_t now_ms)
{
    const struct config *config = &call->settings.config;
    json_t *more = write_more(call, info);
    json_t *claims =
        more == NULL
            ? NULL
            : json_pack("{ss* so so ss* ss* ss* so}", "sub", user, "iat", proof_date(now_ms), "exp",
                        proof_date(now_ms + (uint64_t)call->life_s * 1000), "iss",
                        config->token_issuer, "aud", config->token_audience, "sid", call->sid,
                        "esn", more);
    if (claims != NULL && json_object_size(json_object_get(claims, "esn")) == 0)
        (void)json_object_del(claims, "esn");
    char *text = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text;
}

/* Why esn-subscribe would refuse it; NULL: it would not. */
static const char *find_fault(const struct config *config, const char *secret, const char *token,
                              uint64_t now_ms)
{
    static char error[JOSE_KEYS_ERROR_SIZE];
    const struct access_token_rules rules = rules_of(config);
    struct identity identity;
    const char *why = NULL;
    struct jose_keys *keys = jose_keys_parse(secret, strlen(secret), error);
    if (keys == NULL)
        return error;
    if (access_token_read(&identity, &rules, keys, token, strlen(token), now_ms, &why) ==
        ACCESS_TOKEN_OK)
        identity_free(&identity);
    jose_keys_free(&keys);
    return why;
}

static int sign(const struct token_call *call, const char *user, json_t *info)
{
    const char *secret = call->settings.tokens.values[0];
    if (strlen(secret) < JOSE_SECRET_MIN)
        return command_fail("the secret has fewer than 32 characters");
    uint64_t now_ms = clock_wall_ms();
    char *claims = write_claims(call, user, info, now_ms);
    char *token = claims != NULL ? jws_sign(secret, claims) : NULL;
    const char *why = token != NULL ? find_fault(&call->settings.config, secret, token, now_ms)
                                    : "a text is no UTF-8, or there is no memory";
    int status = COMMAND_GOOD;
    if (why != NULL)
        status = command_fail("esn-subscribe would refuse it: %s", why);
    else
        (void)puts(token);
    free(claims);
    free(token);
    return status;
}

static int make(struct token_call *call, const char *user)
{
    json_t *info = call->info != NULL ? json_loads(call->info, JSON_DECODE_ANY, NULL) : NULL;
    if (call->info != NULL && info == NULL)
        return command_usage(&command_token, "--info is no JSON. Text needs quotes of its own: "
                                             "'\"text\"'");
    int status = COMMAND_FAILED;
    if (settings_load(&call->settings) &&
        proof_load_secrets(&call->settings, call->key, call->settings.config.token_keys_file,
                           "[token] keys_file"))
        status = sign(call, user, info);
    json_decref(info);
    return status;
}

/* ---- read ---- */

static int tell(const struct token_call *call, const struct jose_keys *keys, const char *token,
                size_t length)
{
    const struct access_token_rules rules = rules_of(&call->settings.config);
    struct identity identity;
    const char *why = NULL;
    json_t *claims = NULL;
    enum access_token_result result =
        access_token_read(&identity, &rules, keys, token, length, clock_wall_ms(), &why);
    if (result == ACCESS_TOKEN_OK)
        identity_free(&identity);
    if (result == ACCESS_TOKEN_NO_MEMORY)
        return command_fail("out of memory");
    /* What nobody of ours has signed is not shown. */
    if (jws_verify(keys, token, length, &claims) != JWS_OK)
        return command_fail("invalid access token: %s", why);
    return proof_print(claims, why, call->settings.json);
}

static int read_token(struct token_call *call, const char *word)
{
    static char input[PROOF_TEXT_MAX];
    char error[JOSE_KEYS_ERROR_SIZE];
    size_t length;
    const char *token = proof_take(word, input, &length);
    if (token == NULL || !settings_load(&call->settings))
        return COMMAND_FAILED;
    const char *file = call->key != NULL ? call->key : call->settings.config.token_keys_file;
    if (file == NULL)
        return command_fail("[token] keys_file is not set: access tokens cannot be read");
    struct jose_keys *keys = jose_keys_load(file, error);
    if (keys == NULL)
        return command_fail("%s", error);
    int status = tell(call, keys, token, length);
    jose_keys_free(&keys);
    return status;
}

/* ---- options ---- */

static bool take_option(struct token_call *call, int option)
{
    switch (option) {
    case OPTION_SUB:
        return proof_texts_add(&call->sub, optarg);
    case OPTION_PUB:
        return proof_texts_add(&call->pub, optarg);
    case OPTION_SID:
        call->sid = optarg;
        return true;
    case OPTION_CLID:
        call->clid = optarg;
        return true;
    case OPTION_INFO:
        call->info = optarg;
        return true;
    case OPTION_KEY:
        call->key = optarg;
        return true;
    default:
        return settings_take_option(&call->settings, option);
    }
}

static int act(struct token_call *call, int count, char **words)
{
    if (count >= 1 && count <= 2 && strcmp(words[0], "make") == 0)
        return make(call, count == 2 ? words[1] : NULL);
    if (count == 2 && strcmp(words[0], "read") == 0)
        return read_token(call, words[1]);
    return command_usage(&command_token, "needs make, with a USER or without, or read TOKEN");
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"sub", required_argument, NULL, OPTION_SUB},
        {"pub", required_argument, NULL, OPTION_PUB},
        {"sid", required_argument, NULL, OPTION_SID},
        {"clid", required_argument, NULL, OPTION_CLID},
        {"info", required_argument, NULL, OPTION_INFO},
        {"life", required_argument, NULL, OPTION_LIFE},
        {"key", required_argument, NULL, OPTION_KEY},
        {NULL, 0, NULL, 0},
    };
    struct token_call call = {.life_s = 300};
    int option, status = COMMAND_GOOD;
    while (status == COMMAND_GOOD && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_token);
        if (option == OPTION_LIFE && !proof_read_seconds(optarg, LIFE_MAX, &call.life_s))
            status = command_usage(&command_token, "--life should be a number of seconds");
        else if (option != OPTION_LIFE && !take_option(&call, option))
            status = command_usage_option(&command_token);
    }
    if (status == COMMAND_GOOD)
        status = act(&call, argc - optind, argv + optind);
    proof_texts_free(&call.sub);
    proof_texts_free(&call.pub);
    settings_free(&call.settings);
    return status;
}

const struct command command_token = {"token", "make and read access tokens", help, run};
