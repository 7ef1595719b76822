/* What several commands have in common: options, configuration, the daemon's address and token. */
#ifndef ESN_SETTINGS_H
#define ESN_SETTINGS_H

#include "config/config.h"
#include "http_client.h"
#include "secret.h"

#include <getopt.h>
#include <jansson.h>

enum {
    SETTINGS_OPTION_HELP = 'h',
    SETTINGS_OPTION_CONFIG = 256,
    SETTINGS_OPTION_URL,
    SETTINGS_OPTION_TOKEN_FILE,
    SETTINGS_OPTION_JSON,
    SETTINGS_OPTION_OWN /* a command's own options begin here */
};

/* clang-format off */
#define SETTINGS_OPTIONS_COMMON \
    {"help", no_argument, NULL, SETTINGS_OPTION_HELP}, \
    {"config", required_argument, NULL, SETTINGS_OPTION_CONFIG}
#define SETTINGS_OPTIONS_HTTP \
    {"url", required_argument, NULL, SETTINGS_OPTION_URL}, \
    {"token-file", required_argument, NULL, SETTINGS_OPTION_TOKEN_FILE}
/* clang-format on */

/* Start it as {0}. */
struct settings {
    const char *config_option, *url, *token_file; /* as given; NULL: not given */
    bool json;
    struct config config;
    struct secret_list tokens;
    char *address; /* the URL that settings_aim() made */
};

/* Takes what getopt_long(3) found when it is one of the options above, with optarg. False: it is
 * not. */
bool settings_take_option(struct settings *settings, int option);
/* Reads the configuration. A missing file is a fault unless it is the built-in one and nobody asked
 * for it: then all is at its default. False after it said why on standard error. */
bool settings_load(struct settings *settings);
/* Loads tokens from --token-file, else from the configured file. False after it said why. */
bool settings_load_tokens(struct settings *settings, const char *configured);
/* Sets the request's address and token: `path` (NULL: nothing more) at --url, else at the first
 * address that the configuration lets the daemon listen on. What it points at lives as long as the
 * settings. False after it said why. */
bool settings_aim(struct settings *settings, const char *path, struct http_client_request *request);
/* The same for a service of esn-event: `path` below --url when that ends in a slash, else --url as it
 * is; with the publish token, unless the address or `token` (NULL: none) is one. */
bool settings_aim_at_event(struct settings *settings, const char *path, const char *token,
                           struct http_client_request *request);
/* Has it answered, and what comes read: the status of `read`, or COMMAND_FAILED after it said why
 * nothing came. */
int settings_exchange(const struct http_client_request *request,
                      int (*read)(void *context, const struct http_client_answer *answer),
                      void *context);
/* Says what the daemon answered in place of what it was asked for with the admin token: this status, and
 * its JSON (NULL: that was none). COMMAND_FAILED. */
int settings_tell_refusal(long status, const json_t *reply);
void settings_free(struct settings *settings);

#endif
