#include "settings.h"

#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool settings_take_option(struct settings *settings, int option)
{
    switch (option) {
    case SETTINGS_OPTION_CONFIG:
        settings->config_option = optarg;
        return true;
    case SETTINGS_OPTION_URL:
        settings->url = optarg;
        return true;
    case SETTINGS_OPTION_TOKEN_FILE:
        settings->token_file = optarg;
        return true;
    case SETTINGS_OPTION_JSON:
        settings->json = true;
        return true;
    default:
        return false;
    }
}

static bool is_missing_default(const struct settings *settings, const char *path)
{
    return settings->config_option == NULL && strcmp(path, config_path(NULL)) == 0 &&
           getenv("ESN_CONF") == NULL && access(path, F_OK) != 0 && errno == ENOENT;
}

bool settings_load(struct settings *settings)
{
    char error[CONFIG_ERROR_SIZE];
    const char *path = config_path(settings->config_option);
    if (is_missing_default(settings, path)) {
        if (config_set_defaults(&settings->config))
            return true;
        (void)command_fail("out of memory");
        return false;
    }
    if (config_load(&settings->config, path, error))
        return true;
    (void)fprintf(stderr, "%s\n", error);
    return false;
}

bool settings_load_tokens(struct settings *settings, const char *configured)
{
    char error[SECRET_ERROR_SIZE];
    const char *path = settings->token_file != NULL ? settings->token_file : configured;
    if (!secret_list_load(&settings->tokens, path, error)) {
        (void)command_fail("%s", error);
        return false;
    }
    if (path != NULL && settings->tokens.count == 0) {
        (void)command_fail("%s: holds no token", path);
        return false;
    }
    return true;
}

/* The loopback address that reaches a daemon which listens on all of them. */
static const char *reachable(const char *address, char *out, size_t size)
{
    static const char *const everywhere[][2] = {
        {"0.0.0.0:", "127.0.0.1:"}, {"*:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};
    for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++) {
        size_t length = strlen(everywhere[i][0]);
        if (strncmp(address, everywhere[i][0], length) == 0) {
            (void)snprintf(out, size, "%s%s", everywhere[i][1], address + length);
            return out;
        }
    }
    return address;
}

/* Where no proxy has to say first for whom it asks. */
static const char *plain_listener(const struct config *config)
{
    char *const *listen = config->listen;
    while (*listen != NULL && config_list_has(config->proxy_protocol, *listen))
        listen++;
    return *listen != NULL ? *listen : config->listen[0];
}

bool settings_aim(struct settings *settings, const char *path, struct http_client_request *request)
{
    char reached[64];
    const char *listen = plain_listener(&settings->config);
    const char *below = path != NULL ? path : "/";
    int length;
    free(settings->address);
    settings->address = NULL;
    if (settings->url != NULL && path == NULL) {
        length = asprintf(&settings->address, "%s", settings->url);
    } else if (settings->url != NULL) {
        size_t slashes = strlen(settings->url);
        while (slashes > 0 && settings->url[slashes - 1] == '/')
            slashes--;
        length = asprintf(&settings->address, "%.*s%s", (int)slashes, settings->url, path);
    } else if (strncmp(listen, "unix:", 5) == 0) {
        request->socket_path = listen + 5;
        length = asprintf(&settings->address, "http://localhost%s", below);
    } else {
        length = asprintf(&settings->address, "http://%s%s",
                          reachable(listen, reached, sizeof reached), below);
    }
    if (length < 0) {
        settings->address = NULL;
        (void)command_fail("out of memory");
        return false;
    }
    request->url = settings->address;
    if (settings->tokens.count > 0)
        request->token = settings->tokens.values[0];
    return true;
}

bool settings_aim_at_event(struct settings *settings, const char *path, const char *token,
                           struct http_client_request *request)
{
    size_t length = strlen(settings->url);
    bool is_folder = length > 0 && settings->url[length - 1] == '/';
    bool has_token = token != NULL || strstr(settings->url, "token=") != NULL;
    if ((!has_token && !settings_load_tokens(settings, settings->config.publish_token_file)) ||
        !settings_aim(settings, is_folder ? path : NULL, request))
        return false;
    if (token != NULL)
        request->token = token;
    return true;
}

int settings_exchange(const struct http_client_request *request,
                      int (*read)(void *context, const struct http_client_answer *answer),
                      void *context)
{
    struct http_client_answer answer;
    int status = http_client_perform(request, &answer) ? read(context, &answer)
                                                       : command_fail("%s", answer.error);
    http_client_answer_free(&answer);
    return status;
}

int settings_tell_refusal(long status, const json_t *reply)
{
    const char *error = json_string_value(json_object_get(reply, "error"));
    if (status == 401)
        return command_fail("401: the daemon wants the admin token; see [admin] token_file of its "
                            "configuration, and --token-file");
    return command_fail("%ld: %s", status,
                        error != NULL ? error : "this does not look like esn-fanout");
}

void settings_free(struct settings *settings)
{
    config_free(&settings->config);
    secret_list_free(&settings->tokens);
    free(settings->address);
    *settings = (struct settings){0};
}
