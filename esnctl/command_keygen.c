/* esnctl keygen: the secrets that the programs need, each in a file of its own. */
#include "bind_key.h"
#include "commands.h"
#include "secret_output.h"
#include "settings.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: esnctl keygen [OPTION...] [WHAT...]\n"
    "\n"
    "Makes the secrets that the programs need, in files that nobody but their owner and group can\n"
    "read, and says which lines of the configuration name them. WHAT, all of them without it:\n"
    "  bind     bind.key and bind.pub: the application makes bind keys with the public one,\n"
    "           esn-event reads them with the private one\n"
    "  ticket   ticket.secret: esn-subscribe signs with it what esn-fanout takes\n"
    "  publish  publish.token: who has it may post events\n"
    "  admin    admin.token: who has it may look into the daemon\n"
    "  token    token.keys: the application signs access tokens with it, esn-subscribe takes them\n"
    "Nothing is ever overwritten: when one of the files exists, none is made. Root gives each to\n"
    "the group that is to read it: bind.key to esn-event, admin.token to esn-fanout, "
    "ticket.secret\n"
    "to esn-ticket, bind.pub and publish.token to esn-publish, token.keys to esn-token;\n"
    "in a folder whose group is not root's, or without such a group, to the group of the folder.\n"
    "\n"
    "Options:\n"
    "  --dir DIR      where to put them (default: the folder of the configuration)\n"
    "  --bits N       of the RSA key: 2048 to 8192 (default: 2048; 4096 reads six times as "
    "slowly)\n"
    "  --config FILE  configuration (default: ESN_CONF, else " SYSCONFDIR "/es-web-notify.conf)\n"
    "  --help         this text\n"
    "\n"
    "Examples:\n"
    "  esnctl keygen\n"
    "  esnctl keygen --dir /etc/es-web-notify\n"
    "  esnctl keygen --dir new publish\n"
    "\n"
    "Exit status: 0 good, 1 failed, 2 usage.\n";

enum { OPTION_DIR = SETTINGS_OPTION_OWN, OPTION_BITS, DEFAULT_BITS = 2048 };

static const struct product {
    const char *what, *file, *second; /* second: of a pair */
    const char *section, *key;
    const char *group, *second_group; /* whose members read it (deploy/sysusers) */
} products[] = {
    {"bind", "bind.key", "bind.pub", "bind_key", "private_key_file", "esn-event", "esn-publish"},
    {"ticket", "ticket.secret", NULL, "ticket", "secret_file", "esn-ticket", NULL},
    {"publish", "publish.token", NULL, "publish", "token_file", "esn-publish", NULL},
    {"admin", "admin.token", NULL, "admin", "token_file", "esn-fanout", NULL},
    {"token", "token.keys", NULL, "token", "keys_file", "esn-token", NULL},
};
enum { PRODUCTS = sizeof products / sizeof *products };

struct generation {
    const char *folder;
    unsigned bits;
    bool wanted[PRODUCTS];
};

/* NULL after it said why. The caller frees. */
static char *path_in(const char *folder, const char *file)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, file) >= 0)
        return path;
    (void)command_fail("out of memory");
    return NULL;
}

static bool is_free(const struct generation *generation, const char *file)
{
    struct stat status;
    char *path = path_in(generation->folder, file);
    bool missing = path != NULL && lstat(path, &status) != 0 && errno == ENOENT;
    if (path != NULL && !missing)
        (void)command_fail("%s: is there already, or cannot be looked for; nothing was made", path);
    free(path);
    return missing;
}

static bool all_are_free(const struct generation *generation)
{
    for (size_t i = 0; i < PRODUCTS; i++) {
        const struct product *product = &products[i];
        if (generation->wanted[i] &&
            (!is_free(generation, product->file) ||
             (product->second != NULL && !is_free(generation, product->second))))
            return false;
    }
    return true;
}

static bool make(const struct generation *generation, const struct product *product)
{
    char error[BIND_KEY_ERROR_SIZE];
    char *path = path_in(generation->folder, product->file);
    char *second = product->second != NULL ? path_in(generation->folder, product->second) : NULL;
    bool made = false;
    if (path != NULL && product->second == NULL)
        made = secret_output_write(path);
    else if (path != NULL && second != NULL) {
        made = bind_key_generate(path, second, generation->bits, error);
        if (!made)
            (void)command_fail("%s", error);
        made = made && secret_output_give(second, generation->folder, product->second_group);
    }
    if (made)
        (void)printf("[%s]\n%s = %s\n", product->section, product->key, path);
    free(path);
    free(second);
    return made;
}

static int generate(const struct generation *generation)
{
    if (!all_are_free(generation))
        return COMMAND_FAILED;
    for (size_t i = 0; i < PRODUCTS; i++) {
        if (generation->wanted[i] &&
            (!secret_output_take_group(generation->folder, products[i].group) ||
             !make(generation, &products[i])))
            return COMMAND_FAILED;
    }
    return COMMAND_GOOD;
}

static bool want(struct generation *generation, const char *what)
{
    for (size_t i = 0; i < PRODUCTS; i++) {
        if (strcmp(products[i].what, what) == 0) {
            generation->wanted[i] = true;
            return true;
        }
    }
    return false;
}

static int generate_wanted(struct generation *generation, int count, char **words,
                           const char *config)
{
    for (int i = 0; i < count; i++) {
        if (!want(generation, words[i]))
            return command_usage(&command_keygen, "there is no \"%s\"", words[i]);
    }
    for (size_t i = 0; count == 0 && i < PRODUCTS; i++)
        generation->wanted[i] = true;
    /* The configuration need not be there yet: keys come first. */
    char *path = strdup(config_path(config));
    if (path == NULL)
        return command_fail("out of memory");
    if (generation->folder == NULL)
        generation->folder = dirname(path);
    int status = generate(generation);
    free(path);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"dir", required_argument, NULL, OPTION_DIR},
        {"bits", required_argument, NULL, OPTION_BITS},
        {NULL, 0, NULL, 0},
    };
    struct generation generation = {.bits = DEFAULT_BITS};
    const char *config = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_keygen);
        if (option == OPTION_DIR)
            generation.folder = optarg;
        else if (option == OPTION_BITS)
            generation.bits = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == SETTINGS_OPTION_CONFIG)
            config = optarg;
        else
            return command_usage_option(&command_keygen);
    }
    if (generation.bits < 2048 || generation.bits > 8192)
        return command_usage(&command_keygen, "--bits should be from 2048 to 8192");
    return generate_wanted(&generation, argc - optind, argv + optind, config);
}

const struct command command_keygen = {"keygen", "make keys, secrets and tokens", help, run};
