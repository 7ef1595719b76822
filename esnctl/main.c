#include "commands.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_emit,         &command_listen,   &command_connections, &command_state,
    &command_check_config, &command_keygen,   &command_topic,       &command_follow,
    &command_unfollow,     &command_password, &command_bindkey,     &command_whoami,
    &command_token,        &command_ticket,   &command_publisher,   &command_drop,
    &command_report,       &command_explain,  &command_doctor,      &command_outbox,
    &command_top,          &command_position, &command_upgrade,     &command_nodes};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const char help_head[] = "Usage: esnctl COMMAND [OPTION...] [ARGUMENT...]\n"
                                "\n"
                                "The operator's hand on es-web-notify: sends events, listens to "
                                "them, looks in, keeps keys and\n"
                                "rights.\n"
                                "\n"
                                "Commands:\n";

static const char help_tail[] =
    "\n"
    "`esnctl COMMAND --help` teaches a command, with examples.\n"
    "\n"
    "Options:\n"
    "  --help     this text\n"
    "  --version  the program's version\n"
    "\n"
    "Where the daemon is, and which token it wants, comes from the configuration of the\n"
    "programs: the file named by --config, else by ESN_CONF in the environment, else\n" SYSCONFDIR
    "/es-web-notify.conf. See es-web-notify.conf(5).\n"
    "\n"
    "A first try, in two terminals:\n"
    "  esnctl listen 'news/#'\n"
    "  esnctl emit news/today hello '{\"text\": \"It works\"}'\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 called in a wrong way.\n";

static int print_help(void)
{
    (void)fputs(help_head, stdout);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)printf("  %-13s %s\n", commands[i]->name, commands[i]->summary);
    (void)fputs(help_tail, stdout);
    return COMMAND_GOOD;
}

int command_usage(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "esnctl %s: ", command->name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\nTry: esnctl %s --help\n", command->name);
    va_end(arguments);
    return COMMAND_USAGE;
}

int command_usage_option(const struct command *command)
{
    (void)fprintf(stderr, "Try: esnctl %s --help\n", command->name);
    return COMMAND_USAGE;
}

int command_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("esnctl: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    return COMMAND_FAILED;
}

int command_help(const struct command *command)
{
    (void)fputs(command->help, stdout);
    return COMMAND_GOOD;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static int run_command(int argc, char **argv)
{
    bool asks = argc == 3 && strcmp(argv[1], "help") == 0;
    const char *name = asks ? argv[2] : argv[1];
    const struct command *command = find_command(name);
    if (command == NULL) {
        (void)fprintf(stderr, "esnctl: there is no command \"%s\"\nTry: esnctl --help\n", name);
        return COMMAND_USAGE;
    }
    if (asks)
        return command_help(command);
    /* So begin the complaints of getopt_long(3). */
    char called[64];
    (void)snprintf(called, sizeof called, "esnctl %s", command->name);
    argv[1] = called;
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int status;
    if (argc < 2) {
        (void)fputs("esnctl: which command?\nTry: esnctl --help\n", stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (argc == 2 && strcmp(argv[1], "help") == 0)) {
        status = print_help();
    } else if (strcmp(argv[1], "--version") == 0) {
        (void)puts("esnctl (es-web-notify) " PACKAGE_VERSION);
        status = COMMAND_GOOD;
    } else {
        status = run_command(argc, argv);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == COMMAND_GOOD)
        return command_fail("standard output cannot be written");
    return status;
}
