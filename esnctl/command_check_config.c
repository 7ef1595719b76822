/* esnctl check-config: reads the configuration and what it names, and prints what is made from the
 * table of keys. */
#include "../fcgi-handlers/web_request.h"
#include "acl/acl_config.h"
#include "acl/acl_examine.h"
#include "commands.h"
#include "config/config_check.h"
#include "config/config_value.h"
#include "identity/jws_signer.h"
#include "redis/redis_config.h"
#include "service_user.h"
#include "sessions/session_events.h"
#include "settings.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: esnctl check-config [OPTION...]\n"
    "\n"
    "Reads the configuration as the programs do and says every fault with file, line and what\n"
    "would be right; also reads the files of tokens and keys that it names, and asks the database\n"
    "of registered topics, Redis and the server of jwks_url. Root does so as the user " SERVICE_USER
    ", when there is one, since that\n"
    "root may read a file says nothing. For other users, files that they may not read are only\n"
    "mentioned.\n"
    "\n"
    "Options:\n"
    "  --user NAME       what this user may read and write, such as www-data, as whom Apache's\n"
    "                    mod_fcgid runs the handlers\n"
    "  --print values    every key with the value that it has\n"
    "  --print sample    a commented file with every key at its default\n"
    "  --print markdown  the reference of all keys (docs/configuration.md)\n"
    "  --print man       the manual page es-web-notify.conf(5)\n"
    "  --config FILE     configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help            this text\n"
    "\n"
    "Examples:\n"
    "  sudo esnctl check-config && sudo systemctl reload esn-fanout\n"
    "  sudo esnctl check-config --user www-data\n"
    "  esnctl check-config --print values | grep max_\n"
    "  esnctl check-config --print sample > es-web-notify.conf\n"
    "\n"
    "Exit status: 0 good, 1 there are faults, 2 usage.\n";

enum { OPTION_PRINT = SETTINGS_OPTION_OWN, OPTION_USER };

struct printer {
    const char *name;
    void (*print)(FILE *out); /* NULL: values, which needs the file */
};

static const struct printer printers[] = {{"values", NULL},
                                          {"sample", config_print_sample},
                                          {"markdown", config_print_markdown},
                                          {"man", config_print_manual}};
enum { PRINTERS = sizeof printers / sizeof *printers };

static const struct printer *find_printer(const char *name)
{
    for (size_t i = 0; i < PRINTERS; i++) {
        if (strcmp(printers[i].name, name) == 0)
            return &printers[i];
    }
    return NULL;
}

static void print_values(const struct config *config)
{
    const char *section = "";
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (strcmp(section, key->section) != 0)
            (void)printf("%s[%s]\n", *section != '\0' ? "\n" : "", key->section);
        section = key->section;
        (void)printf("%s = ", key->name);
        config_print_value(stdout, config, key);
        (void)putchar('\n');
    }
}

/* True when there is nothing to read here: no file is named, or it is not for the eyes of this
 * user, who does not run the programs. */
static bool is_out_of_reach(const char *path, bool *partly)
{
    if (path == NULL)
        return true;
    if (service_user_is_current() || access(path, R_OK) == 0 || errno != EACCES)
        return false;
    (void)fprintf(stderr, "%s: not checked: you may not read it\n", path);
    *partly = true;
    return true;
}

static bool check_tokens(const char *path, bool *partly)
{
    struct secret_list list;
    char error[SECRET_ERROR_SIZE];
    if (is_out_of_reach(path, partly))
        return true;
    if (!secret_list_load(&list, path, error)) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    bool good = list.count > 0;
    if (!good)
        (void)fprintf(stderr, "%s: holds no token; write one a line\n", path);
    secret_list_free(&list);
    return good;
}

static bool check_key(const char *path, bool is_public, bool *partly)
{
    char key[SECRET_BUS_KEY_SIZE], error[SECRET_ERROR_SIZE];
    if (is_out_of_reach(path, partly))
        return true;
    bool good = secret_bus_key_load(key, path, is_public, error);
    if (!good)
        (void)fprintf(stderr, "%s\n", error);
    explicit_bzero(key, sizeof key);
    return good;
}

static bool check_bind_key(const struct bind_key_options *options, bool *partly)
{
    char error[BIND_KEY_ERROR_SIZE];
    if (is_out_of_reach(options->private_key_file, partly))
        return true;
    struct bind_key_reader *reader = bind_key_reader_open(options, error);
    if (reader == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = reader != NULL;
    bind_key_reader_close(&reader);
    return good;
}

static bool check_bind_keys(const struct config *config, bool *partly)
{
    const struct bind_key_options publishers = bind_key_config_options(config);
    const struct bind_key_options subscribers = bind_key_config_options_of_subscribers(config);
    bool good = check_bind_key(&publishers, partly);
    return (config->binding_mode != CONFIG_BINDING_REDIS || check_bind_key(&subscribers, partly)) &&
           good;
}

static bool check_token_keys(const char *path, bool *partly)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    if (is_out_of_reach(path, partly))
        return true;
    struct jose_keys *keys = jose_keys_load(path, error);
    if (keys == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = keys != NULL;
    jose_keys_free(&keys);
    return good;
}

/* That the server gives keys, to us. */
static bool check_jwks(const struct config *config)
{
    const struct web_request_options options = {
        .url = config->token_jwks_url,
        .ca_file = config->token_ca_file,
        .limit_ms = config->token_time,
        .max_answer = JOSE_KEYS_TEXT_MAX,
        .too_large = "the answer is larger than 256 KiB, or its headers are too large"};
    char error[JOSE_KEYS_ERROR_SIZE];
    const struct bytes *answer;
    const char *reason = "no memory";
    struct jose_keys *keys = NULL;
    long status;
    if (config->token_jwks_url == NULL)
        return true;
    struct web_request *request = web_request_open(&options);
    if (request != NULL && web_request_send(request, NULL, 0, &answer, &reason, &status)) {
        keys = jose_keys_parse_public_set(answer->data != NULL ? answer->data : "", answer->length,
                                          error);
        reason = error;
    }
    bool good = keys != NULL;
    if (!good)
        (void)fprintf(stderr, "[token] jwks_url: %s\n", reason);
    jose_keys_free(&keys);
    web_request_close(&request);
    return good;
}

static bool check_token_signer(const char *path, bool *partly)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    if (is_out_of_reach(path, partly))
        return true;
    struct jws_signer *signer = jws_signer_load(path, error);
    if (signer == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = signer != NULL;
    jws_signer_free(&signer);
    return good;
}

static void print_fault(const char *sentence, void *context)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", sentence);
}

static bool check_database(const struct config *config, bool *partly)
{
    const char *password = config->acl_password_file;
    return !acl_examine_is_wanted(config) ||
           (password != NULL && is_out_of_reach(password, partly)) ||
           acl_examine(config, print_fault, NULL);
}

/* That it answers, to us. */
static bool ask_redis(const struct redis_config *redis)
{
    static const struct redis_word ping[] = {{"PING", 4}};
    char error[REDIS_CLIENT_ERROR_SIZE] = "no memory";
    struct redis_client *client = redis_client_open(&redis->options);
    struct redis_answer *answer = client != NULL ? redis_client_ask(client, ping, 1, error) : NULL;
    bool good = answer != NULL;
    /* That logging out ends no streams is for the operator to know, and may be as he wants it. */
    if (!good || session_events_ask(client, error) != SESSION_EVENTS_ON)
        (void)fprintf(stderr, "[redis] url: %s\n", error);
    redis_answer_free(&answer);
    redis_client_close(&client);
    return good;
}

static bool check_redis(const struct config *config, bool *partly)
{
    const char *password = config->redis_password_file;
    struct redis_config redis;
    char error[SECRET_ERROR_SIZE];
    if (config->redis_url == NULL || (password != NULL && is_out_of_reach(password, partly)))
        return true;
    if (!redis_config_load(&redis, config, error)) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    bool good = ask_redis(&redis);
    redis_config_free(&redis);
    return good;
}

static bool check_log(const struct config *config)
{
    char error[CONFIG_ERROR_SIZE];
    bool good = config_check_log_folder(config, error);
    if (!good)
        (void)fprintf(stderr, "%s\n", error);
    return good;
}

static int check(const struct config *config)
{
    bool partly = false;
    bool good = check_tokens(config->publish_token_file, &partly);
    good = check_tokens(config->admin_token_file, &partly) && good;
    good = check_tokens(config->ticket_secret_file, &partly) && good;
    good = check_tokens(config->acl_password_file, &partly) && good;
    good = check_bind_keys(config, &partly) && good;
    good = check_token_keys(config->token_keys_file, &partly) && good;
    good = check_jwks(config) && good;
    good = check_token_signer(config->token_sign_file, &partly) && good;
    good = check_key(config->bus_public_key_file, true, &partly) && good;
    good = check_key(config->bus_secret_key_file, false, &partly) && good;
    good = check_database(config, &partly) && good;
    good = check_redis(config, &partly) && good;
    good = check_log(config) && good;
    if (!good)
        return command_fail("%s: not good for the user %s", config->path, service_user_current());
    (void)printf("%s: good for the user %s%s\n", config->path, service_user_current(),
                 partly ? ", as far as it may read" : "");
    return COMMAND_GOOD;
}

static int check_file(const char *option, const char *user, bool prints_values)
{
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    _Static_assert((int)SERVICE_USER_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
    if (!service_user_become(user, error) || !config_load(&config, config_path(option), error)) {
        (void)fprintf(stderr, "%s\n", error);
        return COMMAND_FAILED;
    }
    int status = COMMAND_GOOD;
    if (prints_values)
        print_values(&config);
    else
        status = check(&config);
    config_free(&config);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"print", required_argument, NULL, OPTION_PRINT},
        {"user", required_argument, NULL, OPTION_USER},
        {NULL, 0, NULL, 0},
    };
    const struct printer *printer = NULL;
    const char *path = NULL, *user = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_check_config);
        if (option == OPTION_PRINT && (printer = find_printer(optarg)) == NULL)
            return command_usage(&command_check_config,
                                 "--print should be values, sample, markdown or man");
        if (option == SETTINGS_OPTION_CONFIG)
            path = optarg;
        else if (option == OPTION_USER)
            user = optarg;
        else if (option != OPTION_PRINT)
            return command_usage_option(&command_check_config);
    }
    if (optind < argc)
        return command_usage(&command_check_config, "takes no argument: %s", argv[optind]);
    if (printer == NULL || printer->print == NULL)
        return check_file(path, user, printer != NULL);
    printer->print(stdout);
    return COMMAND_GOOD;
}

const struct command command_check_config = {
    "check-config", "read the configuration and say what is wrong", help, run};
