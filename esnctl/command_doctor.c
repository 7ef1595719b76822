/* esnctl doctor: goes through the web server as a page would, looks at this machine, and says what is
 * wrong and what to change. */
#include "commands.h"
#include "doctor/doctor.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: esnctl doctor [OPTION...] URL\n"
    "\n"
    "Goes through the web server as a page would, to the address under which pages have the\n"
    "broker, such as https://shop.example/notify/: name, certificate, each transport, whether\n"
    "frames and events come at once, compression, WebSockets, HTTP/2, silent streams, other\n"
    "origins, what is open that should not be. On the same machine also the web server's "
    "configuration and\n"
    "processes, what check-config looks at (as root: as each service's user), the database, the\n"
    "kernel's settings. Of each finding: what was seen, why it matters, the line to change, and "
    "in\n"
    "which file. It publishes on topics below esnctl-doctor/ and changes nothing.\n"
    "\n"
    "Options:\n"
    "  --origin O          pages come from there, such as https://www.shop.example\n"
    "  --wait SECONDS      how long to wait for what should come at once (default: 15)\n"
    "  --late SECONDS      what comes later than this comes late (default: 2; 0: whenever)\n"
    "  --patience SECONDS  how long a stream without events is watched (default: 35; 0: not)\n"
    "  --ca FILE           certificates that are trusted, in place of the system's\n"
    "  --web-config FILE   the web server's configuration, where it is not found by itself\n"
    "  --remote            only what can be seen from outside\n"
    "  --ignore NAME       as if this finding had not been found; may be said again for others\n"
    "  --json              the findings as JSON\n"
    "  --token-file FILE   file with an entry token (default: [publish] token_file)\n"
    "  --config FILE       configuration (default: ESN_CONF, else " SYSCONFDIR
    "/es-web-notify.conf)\n"
    "  --help              this text\n"
    "\n"
    "Examples:\n"
    "  sudo esnctl doctor https://shop.example/notify/ --origin https://www.shop.example\n"
    "  esnctl doctor --remote --token-file token https://shop.example/notify/\n"
    "\n"
    "Exit status: 0 nothing found, 1 something found, or failed, 2 usage.\n";

enum {
    OPTION_ORIGIN = SETTINGS_OPTION_OWN,
    OPTION_WAIT,
    OPTION_LATE,
    OPTION_PATIENCE,
    OPTION_CA,
    OPTION_WEB_CONFIG,
    OPTION_REMOTE,
    OPTION_IGNORE
};

enum { WAIT_MS = 15000, LATE_MS = 2000, PATIENCE_MS = 35000, MOST_SECONDS = 86400 };

/* ---- looking ---- */

/* The token may be for other eyes: then no event is sent. */
static void load_token(struct doctor *doctor)
{
    struct settings *settings = &doctor->settings;
    const char *path =
        settings->token_file != NULL ? settings->token_file : settings->config.publish_token_file;
    if (path == NULL || access(path, R_OK) != 0 ||
        !settings_load_tokens(settings, settings->config.publish_token_file))
        (void)fprintf(stderr, "No entry token is at hand: no event is sent.\n");
}

static void find_web_server(struct doctor *doctor)
{
    struct web_server *server = &doctor->server;
    web_server_find(server, doctor->port);
    const char *path = doctor->web_config != NULL ? doctor->web_config : server->config;
    if (server->kind == WEB_SERVER_UNKNOWN && doctor->web_config != NULL)
        server->kind = strstr(path, "nginx") != NULL ? WEB_SERVER_NGINX : WEB_SERVER_APACHE;
    if (server->kind == WEB_SERVER_UNKNOWN)
        return;
    doctor->findings.web = server->kind;
    if (!web_config_load(&doctor->web, server->kind, path))
        (void)fprintf(stderr, "%s: cannot be read: the lines to change are named without place.\n",
                      path);
}

static bool read_port(struct doctor *doctor)
{
    CURLU *parts = curl_url();
    char *port = NULL;
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, doctor->url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (good)
        doctor->port = (unsigned)strtoul(port, NULL, 10);
    curl_free(port);
    curl_url_cleanup(parts);
    return good;
}

static int look(struct doctor *doctor, bool remote)
{
    if (!settings_load(&doctor->settings))
        return COMMAND_FAILED;
    load_token(doctor);
    if (!remote)
        find_web_server(doctor);
    if (doctor_look_at_door(doctor)) {
        doctor_look_at_transports(doctor);
        doctor_look_at_edges(doctor);
    }
    if (!remote) {
        doctor_look_at_web_server(doctor);
        doctor_look_at_host(doctor);
    }
    for (size_t i = 0; i < doctor->ignored_count; i++)
        findings_forget(&doctor->findings, doctor->ignored[i]);
    bool printed = findings_print(&doctor->findings, doctor->settings.json);
    if (!printed)
        return command_fail("standard output cannot be written");
    if (doctor->findings.failed)
        return command_fail("out of memory");
    return doctor->findings.count > 0 ? COMMAND_FAILED : COMMAND_GOOD;
}

/* ---- options ---- */

static bool read_seconds(const char *text, unsigned *ms)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || seconds > MOST_SECONDS)
        return false;
    *ms = (unsigned)seconds * 1000;
    return true;
}

static bool ignore(struct doctor *doctor, const char *name)
{
    if (!findings_know(name) || doctor->ignored_count == DOCTOR_IGNORED)
        return false;
    doctor->ignored[doctor->ignored_count++] = name;
    return true;
}

/* False: it is none of these, or not as it should be. */
static bool take_option(struct doctor *doctor, int option, bool *remote)
{
    switch (option) {
    case OPTION_ORIGIN:
        doctor->origin = optarg;
        return true;
    case OPTION_WAIT:
        return read_seconds(optarg, &doctor->wait_ms);
    case OPTION_LATE:
        return read_seconds(optarg, &doctor->late_ms);
    case OPTION_PATIENCE:
        return read_seconds(optarg, &doctor->patience_ms);
    case OPTION_CA:
        doctor->ca_file = optarg;
        return true;
    case OPTION_WEB_CONFIG:
        doctor->web_config = optarg;
        return true;
    case OPTION_IGNORE:
        return ignore(doctor, optarg);
    case OPTION_REMOTE:
        *remote = true;
        return true;
    default:
        return settings_take_option(&doctor->settings, option);
    }
}

/* Without a query, with a slash at its end; NULL: no memory. A token in it is a finding. */
static char *clean_url(struct doctor *doctor, const char *word)
{
    char *url = NULL;
    size_t length = strcspn(word, "?#");
    const char *slash = length > 0 && word[length - 1] == '/' ? "" : "/";
    if (strstr(word + length, "token=") != NULL || strstr(word + length, "secret=") != NULL)
        findings_add(&doctor->findings, "token-in-url", NULL, NULL,
                     "the address has a token in its query");
    return asprintf(&url, "%.*s%s", (int)length, word, slash) < 0 ? NULL : url;
}

static int diagnose(struct doctor *doctor, const char *word, bool remote)
{
    char *url = clean_url(doctor, word);
    if (url == NULL)
        return command_fail("out of memory");
    doctor->url = url;
    bool is_web = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    int status =
        !is_web || !read_port(doctor)
            ? command_usage(&command_doctor, "%s: should begin with http:// or https://", word)
            : look(doctor, remote);
    web_config_free(&doctor->web);
    findings_free(&doctor->findings);
    settings_free(&doctor->settings);
    free(url);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        SETTINGS_OPTIONS_COMMON,
        {"token-file", required_argument, NULL, SETTINGS_OPTION_TOKEN_FILE},
        {"json", no_argument, NULL, SETTINGS_OPTION_JSON},
        {"origin", required_argument, NULL, OPTION_ORIGIN},
        {"wait", required_argument, NULL, OPTION_WAIT},
        {"late", required_argument, NULL, OPTION_LATE},
        {"patience", required_argument, NULL, OPTION_PATIENCE},
        {"ca", required_argument, NULL, OPTION_CA},
        {"web-config", required_argument, NULL, OPTION_WEB_CONFIG},
        {"remote", no_argument, NULL, OPTION_REMOTE},
        {"ignore", required_argument, NULL, OPTION_IGNORE},
        {NULL, 0, NULL, 0},
    };
    struct doctor doctor = {.wait_ms = WAIT_MS, .late_ms = LATE_MS, .patience_ms = PATIENCE_MS};
    bool remote = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == SETTINGS_OPTION_HELP)
            return command_help(&command_doctor);
        if (!take_option(&doctor, option, &remote))
            return command_usage_option(&command_doctor);
    }
    if (argc - optind != 1)
        return command_usage(&command_doctor, "needs the URL under which pages have the broker");
    return diagnose(&doctor, argv[optind], remote);
}

const struct command command_doctor = {"doctor", "look for what is wrong with an installation",
                                       help, run};
