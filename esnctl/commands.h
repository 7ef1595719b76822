/* esnctl's commands, each in a file of its own. */
#ifndef ESN_COMMANDS_H
#define ESN_COMMANDS_H

enum command_status { COMMAND_GOOD = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

struct command {
    const char *name;
    const char *summary; /* a few words for the list of commands */
    const char *help;    /* all of --help */
    /* argv[0] is the command's name; returns the exit status. */
    int (*run)(int argc, char **argv);
};

extern const struct command command_emit, command_listen, command_connections, command_state,
    command_check_config, command_keygen, command_topic, command_follow, command_unfollow,
    command_password, command_bindkey, command_whoami, command_token, command_ticket,
    command_publisher, command_drop, command_report, command_outbox, command_explain, command_top,
    command_position, command_doctor, command_upgrade, command_nodes;

/* Complains on standard error about how the command was called; returns COMMAND_USAGE. */
int command_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same where getopt_long(3) has complained already. */
int command_usage_option(const struct command *command);
/* Says on standard error what failed; returns COMMAND_FAILED. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the command's help; returns the exit status. */
int command_help(const struct command *command);

#endif
