/* esnctl ticket: tickets as a backend signs them itself, and what one says. */
#include "clock.h"
#include "commands.h"
#include "hex.h"
#include "identity/jws.h"
#include "proof.h"
#include "ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl ticket [OPTION...] make TOPIC...\n"
    "       esnctl ticket [OPTION...] read TICKET\n"
    "\n"
    "make prints a ticket, which the daemon takes once, and within seconds: the stream has these\n"
    "topics, and is heard as the --uid. It is signed with the first secret of [ticket] "
    "secret_file.\n"
    "read says what a ticket claims and whether it is valid now; TICKET - reads it from standard\n"
    "input. A ticket that is looked at is not used up by it.\n"
    "\n"
    "Options:\n"
    "  --uid USER       of make: whose stream it is; '[][][]': that of a session without a user\n"
    "  --bound TOPIC    of make: a bound topic beside the others; again for more\n"
    "  --private TOPIC  of make: a private topic, which is granted so; again for more\n"
    "  --clid NAME      of make: the client id\n"
    "  --sid TEXT       of make: the application's session\n"
    "  --until SECONDS  of make: so long its user's proof is good, from now (default: for ever)\n"
    "  --last-id ID     of make: what came after this event is sent first\n"
    "  --key FILE       file of the secret (default: [ticket] secret_file)\n"
    "  --json           of read: as JSON\n"
    "  --config FILE    configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help           this text\n"
    "\n"
    "Examples:\n"
    "  curl -N \"$ESN_FANOUT_URL?ticket=$(esnctl ticket make 'news/#')\"\n"
    "  esnctl ticket --uid ana --bound CASA/NIVEL_AGUA make news\n"
    "  esnctl ticket read \"$(esnctl ticket make news)\"\n"
    "\n"
    "Exit status: 0 good, and of read: valid; 1 failed, or not valid; 2 usage.\n";

enum {
    OPTION_UID = SETTINGS_OPTION_OWN,
    OPTION_BOUND,
    OPTION_PRIVATE,
    OPTION_CLID,
    OPTION_SID,
    OPTION_UNTIL,
    OPTION_LAST_ID,
    OPTION_KEY,
    UNTIL_MAX = 31536000,
    ID_SIZE = 16
};

struct ticket_call {
    struct settings settings;
    struct proof_texts topics, bound, private;
    const char *uid, *clid, *sid, *last_id, *key;
    int64_t until_s; /* from now; 0: nobody said */
};

/* ---- make ---- */

static bool add_topics(json_t *list, const struct proof_texts *topics, const char *kind)
{
    bool added = true;
    for (size_t i = 0; added && i < topics->count; i++)
        added = json_array_append_new(list,
                                      json_pack("{ss sb}", "topic", topics->list[i], kind, 1)) == 0;
    return added;
}

static json_t *write_topics(const struct ticket_call *call)
{
    json_t *list = proof_texts_array(&call->topics);
    if (list != NULL && add_topics(list, &call->bound, "binded") &&
        add_topics(list, &call->private, "private"))
        return list;
    json_decref(list);
    return NULL;
}

/* The caller frees; NULL without memory or random numbers, or when a text is no UTF-8. */
static char *write_claims(const struct ticket_call *call, const struct ticket_rules *rules,
                          uint64_t now_ms)
{
    unsigned char random[ID_SIZE];
    char id[2 * ID_SIZE + 1];
    json_t *topics = write_topics(call);
    if (topics == NULL || !secret_random(random, sizeof random)) {
        json_decref(topics);
        return NULL;
    }
    hex_write(id, random, sizeof random);
    json_t *claims = json_pack(
        "{ss so sI ss so ss* ss* ss* ss*}", "aud", TICKET_AUDIENCE, "iat", proof_date(now_ms),
        "exp", (json_int_t)(now_ms / 1000 + rules->life_s), "jti", id, "ep", topics, "uid",
        call->uid, "clid", call->clid, "last_id", call->last_id, "sid", call->sid);
    if (claims != NULL && call->until_s > 0)
        (void)json_object_set_new(claims, "until",
                                  proof_date(now_ms + (uint64_t)call->until_s * 1000));
    char *text = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text;
}

/* Why the daemon would refuse it; NULL: it would not. */
static const char *find_fault(const struct ticket_rules *rules, const char *text, uint64_t now_s)
{
    struct ticket ticket;
    const char *why = NULL;
    if (ticket_read(&ticket, rules, text, strlen(text), now_s, &why) == TICKET_OK)
        ticket_free(&ticket);
    return why;
}

static int sign(const struct ticket_call *call)
{
    const struct ticket_rules rules =
        ticket_rules_of(&call->settings.config, &call->settings.tokens);
    const char *why = ticket_rules_fault(&rules);
    if (why != NULL)
        return command_fail("%s", why);
    uint64_t now_ms = clock_wall_ms();
    char *claims = write_claims(call, &rules, now_ms);
    char *text = claims != NULL ? jws_sign(rules.secrets->values[0], claims) : NULL;
    why = text != NULL ? find_fault(&rules, text, now_ms / 1000)
                       : "a text is no UTF-8, or there is no memory";
    int status = COMMAND_GOOD;
    if (why != NULL)
        status = command_fail("the daemon would refuse it: %s", why);
    else
        (void)puts(text);
    free(claims);
    free(text);
    return status;
}

/* ---- read ---- */

static int tell(const struct ticket_call *call, const char *text, size_t length)
{
    const struct secret_list *secrets = &call->settings.tokens;
    const struct ticket_rules rules = ticket_rules_of(&call->settings.config, secrets);
    struct ticket ticket;
    json_t *claims = NULL;
    const char *why = NULL;
    if (ticket_read(&ticket, &rules, text, length, clock_wall_ms() / 1000, &why) == TICKET_OK)
        ticket_free(&ticket);
    /* What nobody of ours has signed is not shown. */
    if (jws_verify_hs256(secrets->values, secrets->count, text, length, &claims) != JWS_OK)
        return command_fail("invalid ticket: %s", why != NULL ? why : "out of memory");
    return proof_print(claims, why, call->settings.json);
}

/* ---- options ---- */

static bool take_option(struct ticket_call *call, int option)
{
    switch (option) {
    case OPTION_UID:
        call->uid = optarg;
        return true;
    case OPTION_BOUND:
        return proof_texts_add(&call->bound, optarg);
    case OPTION_PRIVATE:
        return proof_texts_add(&call->private, optarg);
    case OPTION_CLID:
        call->clid = optarg;
        return true;
    case OPTION_SID:
        call->sid = optarg;
        return true;
    case OPTION_LAST_ID:
        call->last_id = optarg;
        return true;
    case OPTION_KEY:
        call->key = optarg;
        return true;
    default:
        return settings_take_option(&call->settings, option);
    }
}

static bool load(struct ticket_call *call)
{
    return settings_load(&call->settings) &&
           proof_load_secrets(&call->settings, call->key, call->settings.config.ticket_secret_file,
                              "[ticket] secret_file");
}

static int act(struct ticket_call *call, int count, char **words)
{
    static char input[PROOF_TEXT_MAX];
    if (count >= 1 && strcmp(words[0], "make") == 0) {
        for (int i = 1; i < count; i++)
            if (!proof_texts_add(&call->topics, words[i]))
                return command_fail("out of memory");
        if (call->topics.count + call->bound.count + call->private.count == 0)
            return command_usage(&command_ticket, "make needs a topic");
        return load(call) ? sign(call) : COMMAND_FAILED;
    }
    if (count != 2 || strcmp(words[0], "read") != 0)
        return command_usage(&command_ticket, "needs make TOPIC... or read TICKET");
    size_t length;
    const char *text = proof_take(words[1], input, &length);
    return text != NULL && load(call) ? tell(call, text, length) : COMMAND_FAILED;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"uid", required_argument, NULL, OPTION_UID},
        {"bound", required_argument, NULL, OPTION_BOUND},
        {"private", required_argument, NULL, OPTION_PRIVATE},
        {"clid", required_argument, NULL, OPTION_CLID},
        {"sid", required_argument, NULL, OPTION_SID},
        {"until", required_argument, NULL, OPTION_UNTIL},
        {"last-id", required_argument, NULL, OPTION_LAST_ID},
        {"key", required_argument, NULL, OPTION_KEY},
        {NULL, 0, NULL, 0},
    };
    struct ticket_call call = {0};
    int option, status = COMMAND_GOOD;
    while (status == COMMAND_GOOD && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_ticket);
        if (option == OPTION_UNTIL && !proof_read_seconds(optarg, UNTIL_MAX, &call.until_s))
            status = command_usage(&command_ticket, "--until should be a number of seconds");
        else if (option != OPTION_UNTIL && !take_option(&call, option))
            status = command_usage_option(&command_ticket);
    }
    if (status == COMMAND_GOOD)
        status = act(&call, argc - optind, argv + optind);
    proof_texts_free(&call.topics);
    proof_texts_free(&call.bound);
    proof_texts_free(&call.private);
    settings_free(&call.settings);
    return status;
}

const struct command command_ticket = {"ticket", "make and read tickets", help, run};
