/* esnctl follow and esnctl unfollow: whose inbox hears the targeted events of a topic. */
#include "commands.h"
#include "database.h"

static const char follow_help[] =
    "Usage: esnctl follow [OPTION...] TOPIC USER...\n"
    "\n"
    "Lets users follow a registered topic: events published on it as targeted reach every page of\n"
    "theirs that subscribed its inbox, whatever else the page is about. Who follows still needs "
    "the\n"
    "right to hear (`esnctl topic grant sub`).\n"
    "\n"
    "Options:\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl follow CASA/ALARM luis eva 7\n"
    "  esnctl topic show CASA/ALARM\n"
    "\n"
    "Exit status: 0 good, also when they followed before; 1 failed, 2 usage.\n";

static const char unfollow_help[] =
    "Usage: esnctl unfollow [OPTION...] TOPIC USER...\n"
    "\n"
    "Ends that users follow a registered topic.\n"
    "\n"
    "Options:\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl unfollow CASA/ALARM eva\n"
    "\n"
    "Exit status: 0 good, 1 failed (also when one did not follow), 2 usage.\n";

typedef enum sql_status edit_follower(struct acl *acl, const char *topic, const char *user);

static int edit_all(const struct settings *settings, edit_follower *edit, char **words, int count)
{
    struct database database;
    int status = COMMAND_GOOD;
    if (!database_open(&database, settings, false))
        return COMMAND_FAILED;
    for (int i = 1; i < count && status == COMMAND_GOOD; i++) {
        enum sql_status result = edit(database.acl, words[0], words[i]);
        status =
            result == SQL_NOT_FOUND && edit == acl_unfollow
                ? command_fail("%s: no such topic, or %s does not follow it", words[0], words[i])
                : database_tell(&database, result, result == SQL_NOT_FOUND ? words[0] : words[i]);
    }
    database_close(&database);
    return status;
}

static int edit_followers(const struct command *command, edit_follower *edit, int argc, char **argv)
{
    static const struct option options[] = {SETTINGS_OPTIONS_COMMON, {NULL, 0, NULL, 0}};
    struct settings settings = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(command);
        if (!settings_take_option(&settings, option))
            return command_usage_option(command);
    }
    if (argc - optind < 2)
        return command_usage(command, "needs TOPIC and USER");
    int status = settings_load(&settings) ? edit_all(&settings, edit, argv + optind, argc - optind)
                                          : COMMAND_FAILED;
    settings_free(&settings);
    return status;
}

static int run_follow(int argc, char **argv)
{
    return edit_followers(&command_follow, acl_follow, argc, argv);
}

static int run_unfollow(int argc, char **argv)
{
    return edit_followers(&command_unfollow, acl_unfollow, argc, argv);
}

const struct command command_follow = {"follow", "let users follow a registered topic", follow_help,
                                       run_follow};
const struct command command_unfollow = {"unfollow", "end that", unfollow_help, run_unfollow};
