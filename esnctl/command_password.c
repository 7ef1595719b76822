/* esnctl password: the password that publishers on a registered topic must give. */
#include "commands.h"
#include "database.h"
#include "password_input.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: esnctl password [OPTION...] TOPIC\n"
    "       esnctl password [OPTION...] --hash\n"
    "\n"
    "Sets the password that whoever publishes on a registered topic must give, the owner too. It "
    "is\n"
    "asked for, or read from standard input when that is no terminal; it has at most 72 bytes. "
    "The\n"
    "hash is bcrypt, as PHP's password_hash() makes it.\n"
    "\n"
    "Options:\n"
    "  --clear        no password is wanted any more\n"
    "  --hash         change nothing, print the hash\n"
    "  --file FILE    read the password from the first line of FILE\n"
    "  --cost N       4 to 15, each step doubles the work of guessing and of checking (default: "
    "12)\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl password CASA/NIVEL_AGUA\n"
    "  pwgen 20 1 | tee sensor.password | esnctl password CASA/NIVEL_AGUA\n"
    "  esnctl password --clear CASA/NIVEL_AGUA\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_CLEAR = SETTINGS_OPTION_OWN, OPTION_HASH, OPTION_FILE, OPTION_COST };

struct password_call {
    struct settings settings;
    const char *file;
    bool clear, hash_only;
    unsigned cost;
};

static int store(struct password_call *call, const char *topic, const char *hash)
{
    struct database database;
    const struct acl_values values = {.pub_password = hash};
    if (!settings_load(&call->settings) || !database_open(&database, &call->settings, false))
        return COMMAND_FAILED;
    int status = database_tell(&database, acl_change_topic(database.acl, topic, &values), topic);
    database_close(&database);
    return status;
}

static int set_password(struct password_call *call, const char *topic)
{
    char hash[PASSWORD_HASH_SIZE] = "";
    if (!call->clear && !password_input_hash(call->file, call->cost, hash))
        return COMMAND_FAILED;
    if (!call->hash_only)
        return store(call, topic, hash);
    (void)puts(hash);
    return COMMAND_GOOD;
}

static bool take_option(struct password_call *call, int option)
{
    switch (option) {
    case OPTION_CLEAR:
        call->clear = true;
        return true;
    case OPTION_HASH:
        call->hash_only = true;
        return true;
    case OPTION_FILE:
        call->file = optarg;
        return true;
    case OPTION_COST:
        call->cost = strspn(optarg, "0123456789") == strlen(optarg) && strlen(optarg) < 3
                         ? (unsigned)strtoul(optarg, NULL, 10)
                         : 0;
        return call->cost >= 4 && call->cost <= PASSWORD_COST_MAX;
    default:
        return settings_take_option(&call->settings, option);
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"clear", no_argument, NULL, OPTION_CLEAR},
        {"hash", no_argument, NULL, OPTION_HASH},
        {"file", required_argument, NULL, OPTION_FILE},
        {"cost", required_argument, NULL, OPTION_COST},
        {NULL, 0, NULL, 0},
    };
    struct password_call call = {.file = "-"};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_password);
        if (!take_option(&call, option))
            return option == OPTION_COST
                       ? command_usage(&command_password, "--cost should be from 4 to 15")
                       : command_usage_option(&command_password);
    }
    if (argc - optind != (call.hash_only ? 0 : 1) || (call.hash_only && call.clear))
        return command_usage(&command_password, "needs one TOPIC, or --hash alone");
    int status = set_password(&call, call.hash_only ? NULL : argv[optind]);
    settings_free(&call.settings);
    return status;
}

const struct command command_password = {"password", "set the password of a registered topic", help,
                                         run};
