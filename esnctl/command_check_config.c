/* esnctl check-config: reads the configuration and what it names, and prints what is made from the
 * table of keys. */
#include "commands.h"
#include "config/config_value.h"
#include "config_checks.h"
#include "service_user.h"
#include "settings.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "Usage: esnctl check-config [OPTION...]\n"
    "\n"
    "Reads the configuration as the programs do and says every fault with file, line and what\n"
    "would be right; also reads the files of tokens, keys and certificates that it names, looks\n"
    "whether keys that are a pair fit together, and asks the database of registered topics,\n"
    "Redis and the server of jwks_url. Root does so as the users esn-fanout, esn-event and\n"
    "esn-subscribe, when they are there, for each of them what its program needs, since that\n"
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

static int check(const struct config *config, unsigned readers)
{
    bool partly = false;
    if (!config_checks_pass(config, readers, &partly))
        return command_fail("%s: not good for the user %s", config->path, service_user_current());
    (void)printf("%s: good for the user %s%s\n", config->path, service_user_current(),
                 partly ? ", as far as it may read" : "");
    return COMMAND_GOOD;
}

static int check_file(const char *option, unsigned readers, bool prints_values)
{
    struct config config;
    char error[CONFIG_ERROR_SIZE];
    if (!config_load(&config, config_path(option), error)) {
        (void)fprintf(stderr, "%s\n", error); /* it names the file in each line */
        return COMMAND_FAILED;
    }
    int status = COMMAND_GOOD;
    if (prints_values)
        print_values(&config);
    else
        status = check(&config, readers);
    config_free(&config);
    return status;
}

static const struct service {
    const char *user;
    unsigned reader;
} services[] = {{"esn-fanout", CONFIG_READER_FANOUT},
                {"esn-event", CONFIG_READER_EVENT},
                {"esn-subscribe", CONFIG_READER_SUBSCRIBE}};
enum { SERVICES = sizeof services / sizeof *services };

/* Becoming a user is for good, so that a process of its own does it. */
static int check_as_service(const struct service *service, const char *option)
{
    char error[SERVICE_USER_ERROR_SIZE];
    int status;
    pid_t child = fork();
    if (child < 0)
        return command_fail("cannot start a process: %s", strerror(errno));
    if (child == 0) {
        status = service_user_become_named(service->user, error)
                     ? check_file(option, service->reader, false)
                     : command_fail("%s", error);
        (void)fflush(stdout);
        _exit(status);
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return command_fail("cannot wait for a process: %s", strerror(errno));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : COMMAND_FAILED;
}

/* For root each service's part as its user, since what root may read says nothing. */
static int check_as_services(const char *option)
{
    int status = COMMAND_GOOD;
    for (size_t i = 0; i < SERVICES; i++) {
        int one = check_as_service(&services[i], option);
        if (one != COMMAND_GOOD)
            status = one;
    }
    return status;
}

static bool has_service_users(void)
{
    for (size_t i = 0; i < SERVICES; i++) {
        if (getpwnam(services[i].user) == NULL)
            return false;
    }
    return true;
}

/* Who runs a service has to read its part; who runs none may be kept from a file. */
static unsigned current_reader(void)
{
    for (size_t i = 0; i < SERVICES; i++) {
        if (strcmp(service_user_current(), services[i].user) == 0)
            return services[i].reader;
    }
    return CONFIG_READER_STRANGER;
}

static int check_as(const char *user, const char *option, bool prints_values)
{
    char error[SERVICE_USER_ERROR_SIZE];
    if (user == NULL && !prints_values && geteuid() == 0 && has_service_users())
        return check_as_services(option);
    if (user != NULL && !service_user_become_named(user, error))
        return command_fail("%s", error);
    return check_file(option, current_reader(), prints_values);
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
        return check_as(user, path, printer != NULL);
    printer->print(stdout);
    return COMMAND_GOOD;
}

const struct command command_check_config = {
    "check-config", "read the configuration and say what is wrong", help, run};
