/* esnctl bindkey: a bind key as an application makes it, to try things out. */
#include "acl/acl_config.h"
#include "clock.h"
#include "commands.h"
#include "settings.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl bindkey [OPTION...] USER\n"
    "\n"
    "Prints a bind key for USER, as an application makes it: it is valid for the seconds that\n"
    "[bind_key] tolerance says. '[][][]' stands for a session without a user.\n"
    "\n"
    "Options:\n"
    "  --key FILE     the public key (default: that of [bind_key] private_key_file)\n"
    "  --age SECONDS  make it so old; below 0: of the future\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl bindkey ana\n"
    "  curl \"$EVENT_URL\" -H \"Authorization: Bearer $TOKEN\" -d '{\"bind_key\": \"'\"$(esnctl "
    "bindkey ana)\"'\",\n"
    "      \"ep\": [{\"topic\": \"CASA/NIVEL_AGUA\", \"binded\": true}], \"e\": {\"type\": "
    "\"level\"}}'\n"
    "  esnctl whoami \"$(esnctl bindkey ana)\"\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_KEY = SETTINGS_OPTION_OWN, OPTION_AGE };

static int make_key(const struct settings *settings, const char *file, long age, const char *user)
{
    char error[BIND_KEY_ERROR_SIZE];
    struct bytes key = BYTES_EMPTY;
    const struct bind_key_options options = bind_key_config_options(&settings->config);
    const char *path = file != NULL ? file : options.private_key_file;
    uint64_t iat = (uint64_t)((int64_t)(clock_wall_ms() / 1000) - age);
    if (path == NULL)
        return command_fail("[bind_key] private_key_file is not set; name a key with --key");
    if (!bind_key_make(&key, path, options.padding, iat, user, error))
        return command_fail("%s", error);
    (void)printf("%.*s\n", (int)key.length, key.data);
    bytes_free(&key);
    return COMMAND_GOOD;
}

static bool read_age(const char *text, long *age)
{
    char *rest;
    *age = strtol(text, &rest, 10);
    return *text != '\0' && *rest == '\0' && *age > -1000000000L && *age < 1000000000L;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"key", required_argument, NULL, OPTION_KEY},
        {"age", required_argument, NULL, OPTION_AGE},
        {NULL, 0, NULL, 0},
    };
    struct settings settings = {0};
    const char *file = NULL;
    long age = 0;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_bindkey);
        if (option == OPTION_KEY)
            file = optarg;
        else if (option == OPTION_AGE && !read_age(optarg, &age))
            return command_usage(&command_bindkey, "--age should be a number of seconds");
        else if (option != OPTION_AGE && !settings_take_option(&settings, option))
            return command_usage_option(&command_bindkey);
    }
    if (argc - optind != 1)
        return command_usage(&command_bindkey, "needs one USER");
    const char *user = argv[optind];
    int status = COMMAND_FAILED;
    if (user_id_kind(user, strlen(user)) == USER_ID_INVALID)
        status = command_usage(&command_bindkey, "\"%s\" is nobody's id", user);
    else if (settings_load(&settings))
        status = make_key(&settings, file, age, user);
    settings_free(&settings);
    return status;
}

const struct command command_bindkey = {"bindkey", "make a bind key, to try things out", help, run};
