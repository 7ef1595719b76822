#include "config/config_check.h"

#include "address_range.h"
#include "config/config_value.h"
#include "cors.h"
#include "net_address.h"
#include "nodes/node_record.h"
#include "redis/redis_url.h"
#include "service_user.h"
#include "topic.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { SENTENCE_SIZE = 400, BUS_PREFIX_MAX = 64 };

struct config_checker {
    config_check_report *report;
    void *context;
    const struct config_key *key; /* the one that is looked at */
};

static void __attribute__((format(printf, 2, 3)))
report_fault(const struct config_checker *checker, const char *format, ...)
{
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    checker->report(checker->context, checker->key, sentence);
}

static void check_socket_path(const struct config_checker *checker, const char *word,
                              const char *path)
{
    struct sockaddr_un address;
    if (*path != '/')
        report_fault(checker, "\"%s\" should have an absolute path, one that begins with /", word);
    else if (strlen(path) >= sizeof address.sun_path)
        report_fault(checker, "\"%s\" is too long for a socket: the path may have %zu bytes", word,
                     sizeof address.sun_path - 1);
}

static void check_listen(struct config_checker *checker, const char *section, const char *name,
                         char *const *words)
{
    checker->key = config_key_find(section, name);
    for (; *words != NULL; words++) {
        struct net_address address;
        if (strncmp(*words, "unix:", 5) == 0)
            check_socket_path(checker, *words, *words + 5);
        else if (!net_address_read(&address, *words))
            report_fault(checker, "\"%s\" should be host:port, [ipv6]:port or unix:/path", *words);
    }
}

static void check_listening(struct config_checker *checker, const struct config *config)
{
    check_listen(checker, "fanout", "listen_lines", config->listen_lines);
    check_listen(checker, "fanout", "listen", config->listen);
    if (config->listen[0] == NULL)
        report_fault(checker,
                     "is empty; without an address nobody could subscribe, write such as %s",
                     checker->key->default_text);
}

static size_t count_words(char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    return count;
}

static void check_tls(struct config_checker *checker, const struct config *config)
{
    size_t certificates = count_words(config->tls_cert), keys = count_words(config->tls_key);

    check_listen(checker, "fanout", "listen_lines_tls", config->listen_lines_tls);
    check_listen(checker, "fanout", "listen_tls", config->listen_tls);
    bool listens = config->listen_tls[0] != NULL || config->listen_lines_tls[0] != NULL;
    checker->key = config_key_find("fanout", "tls_cert");
    if (listens && certificates == 0)
        report_fault(checker, "is empty, but listen_tls or listen_lines_tls names an address");
    checker->key = config_key_find("fanout", "tls_key");
    if (listens && certificates != keys)
        report_fault(checker, "has %zu files, but tls_cert has %zu: each certificate needs its key",
                     keys, certificates);
}

/* It admits by address, which who comes through a socket file has none of. */
static void check_handler_metrics(struct config_checker *checker, const char *name,
                                  const char *word)
{
    struct net_address address;

    checker->key = config_key_find("metrics", name);
    if (word != NULL && !net_address_read(&address, word))
        report_fault(checker, "\"%s\" should be host:port or [ipv6]:port", word);
}

static void check_metrics(struct config_checker *checker, const struct config *config)
{
    struct address_range range;

    check_listen(checker, "metrics", "listen", config->metrics_listen);
    checker->key = config_key_find("metrics", "addresses");
    for (char *const *word = config->metrics_addresses; *word != NULL; word++)
        if (!address_range_read(&range, *word))
            report_fault(checker,
                         "\"%s\" should be an address, or a range of them such as 10.0.0.0/8",
                         *word);
    check_handler_metrics(checker, "listen_event", config->metrics_listen_event);
    check_handler_metrics(checker, "listen_subscribe", config->metrics_listen_subscribe);
}

static void check_proxies(struct config_checker *checker, char *const *words)
{
    struct address_range range;

    checker->key = config_key_find("fanout", "trusted_proxies");
    for (; *words != NULL; words++)
        if (strcmp(*words, "unix") != 0 && !address_range_read(&range, *words))
            report_fault(checker,
                         "\"%s\" should be an address, a range of them such as 10.0.0.0/8, or unix",
                         *words);
}

static void check_proxy_protocol(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("fanout", "proxy_protocol");
    for (char *const *word = config->proxy_protocol; *word != NULL; word++)
        if (!config_list_has(config->listen, *word) &&
            !config_list_has(config->listen_lines, *word) &&
            !config_list_has(config->listen_tls, *word) &&
            !config_list_has(config->listen_lines_tls, *word))
            report_fault(checker,
                         "\"%s\" is none of the addresses of listen, listen_lines, listen_tls and "
                         "listen_lines_tls, word for word",
                         *word);
    if (config->proxy_protocol[0] != NULL && config->trusted_proxies[0] == NULL)
        report_fault(checker, "lets nobody in, since trusted_proxies is empty");
}

static void check_endpoints(struct config_checker *checker, const struct config *config,
                            const char *name, char *const *words)
{
    checker->key = config_key_find("bus", name);
    if (*words == NULL)
        report_fault(checker, "is empty; write such as %s", checker->key->default_text);
    for (; *words != NULL; words++) {
        struct net_address address;
        if (strncmp(*words, "ipc://", 6) == 0)
            check_socket_path(checker, *words, *words + 6);
        else if (strncmp(*words, "tcp://", 6) != 0 || !net_address_read(&address, *words + 6) ||
                 strspn(address.port, "0") == strlen(address.port))
            report_fault(checker, "\"%s\" should be ipc:///path or tcp://host:port", *words);
        else if (!net_address_is_loopback(address.host) && config->bus_public_key_file == NULL)
            report_fault(checker,
                         "\"%s\" leaves this machine unencrypted and open to everybody; set [bus] "
                         "public_key_file, or stay on ipc:// or loopback",
                         *words);
    }
}

static void check_pending(struct config_checker *checker, const struct config *config)
{
    char soft[32], hard[32], total[32];
    config_number_format(soft, sizeof soft, CONFIG_SIZE, config->max_pending_soft);
    config_number_format(hard, sizeof hard, CONFIG_SIZE, config->max_pending);
    config_number_format(total, sizeof total, CONFIG_SIZE, config->max_pending_total);
    checker->key = config_key_find("fanout", "max_pending_soft");
    if (config->max_pending_soft > config->max_pending)
        report_fault(checker, "%s is above max_pending, which is %s; it may be equal at most", soft,
                     hard);
    checker->key = config_key_find("fanout", "max_pending_total");
    if (config->max_pending_total < config->max_pending)
        report_fault(checker, "%s is below max_pending, which is %s; it should be equal at least",
                     total, hard);
}

static void check_bodies(struct config_checker *checker, const struct config *config)
{
    char one[32], total[32];
    config_number_format(one, sizeof one, CONFIG_SIZE, config->max_body);
    config_number_format(total, sizeof total, CONFIG_SIZE, config->max_body_total);
    checker->key = config_key_find("fanout", "max_body_total");
    if (config->max_body_total < config->max_body)
        report_fault(checker, "%s is below max_body, which is %s; it should be equal at least",
                     total, one);
}

static void check_tickets(struct config_checker *checker, const struct config *config)
{
    char longest[32];
    config_number_format(longest, sizeof longest, CONFIG_DURATION, config->ticket_life_max);
    checker->key = config_key_find("ticket", "life");
    if (config->ticket_life > config->ticket_life_max)
        report_fault(checker, "is longer than life_max, which is %s: every ticket would be refused",
                     longest);
}

/* ---- bound topics ---- */

static bool is_web_address(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
                    : strncmp(text, "http://", 7) == 0 ? 7
                                                       : 0;
    return scheme > 0 && text[scheme] != '\0' && strpbrk(text, " \t\"<>#") == NULL;
}

static void check_binding(struct config_checker *checker, const struct config *config)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    const char *method = config->binding_method;
    checker->key = config_key_find("binding", "url");
    if (config->binding_url != NULL && !is_web_address(config->binding_url))
        report_fault(checker, "\"%s\" should begin with http:// or https://", config->binding_url);
    checker->key = config_key_find("token", "jwks_url");
    if (config->token_jwks_url != NULL && !is_web_address(config->token_jwks_url))
        report_fault(checker, "\"%s\" should begin with http:// or https://",
                     config->token_jwks_url);
    checker->key = config_key_find("binding", "method");
    if (method == NULL || method[strspn(method, token)] != '\0')
        report_fault(checker, "should be one word, such as %s", checker->key->default_text);
    checker->key = config_key_find("binding", "mode");
    if (config->binding_mode == CONFIG_BINDING_RSA && config->bind_key_file == NULL)
        report_fault(checker, "rsa needs [bind_key] private_key_file");
    if (config->binding_mode == CONFIG_BINDING_REDIS &&
        (config->binding_key_file == NULL || config->redis_url == NULL))
        report_fault(checker, "redis needs private_key_file and [redis] url");
}

static void check_node_url(struct config_checker *checker, const struct config *config)
{
    const char *fault = config->node_url != NULL ? node_way_fault(config->node_url) : NULL;
    checker->key = config_key_find("fanout", "node_url");
    if (fault != NULL)
        report_fault(checker, "\"%s\" should be %s", config->node_url, fault);
}

static void check_handoff(struct config_checker *checker, const struct config *config)
{
    bool public = config->handoff_mode == CONFIG_HANDOFF_REDIRECT ||
                  config->handoff_mode == CONFIG_HANDOFF_JSON;
    const char *prefix = config->handoff_prefix;
    const char *url = config->handoff_url;
    checker->key = config_key_find("handoff", "prefix");
    if (prefix == NULL || prefix[0] != '/' || prefix[strlen(prefix) - 1] != '/' ||
        strpbrk(prefix, " \t?#%") != NULL)
        report_fault(checker, "should be a path that begins and ends with /, such as %s",
                     checker->key->default_text);
    checker->key = config_key_find("handoff", "url");
    if (url != NULL &&
        (!is_web_address(url) || url[strlen(url) - 1] != '/' || strchr(url, '?') != NULL))
        report_fault(checker, "\"%s\" should begin with http:// or https:// and end with /", url);
    checker->key = config_key_find("handoff", "mode");
    if (public && url == NULL)
        report_fault(checker, "%s needs url, the daemon's public address",
                     checker->key->choices[config->handoff_mode]);
}

/* A wildcard that is part of a level, or has levels behind it, is none. */
static void check_open(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("subscribe", "open");
    for (char *const *word = config->open_topics; *word != NULL; word++) {
        const char *rest = *word, *level;
        size_t rest_length = strlen(rest), length;
        while (topic_next_level(&rest, &rest_length, &level, &length)) {
            bool alone = length == 1 && (*level == '+' || rest == NULL);
            if (!alone &&
                (memchr(level, '+', length) != NULL || memchr(level, '#', length) != NULL))
                report_fault(checker,
                             "\"%s\": + stands for a whole level, and # for the rest, at the end",
                             *word);
        }
    }
}

static void check_origins(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("web", "origins");
    if (config->web_origins[0] == NULL)
        report_fault(checker, "is empty; write * for pages of any origin");
    for (char *const *word = config->web_origins; *word != NULL; word++) {
        if (strcmp(*word, "*") == 0 && (word != config->web_origins || word[1] != NULL))
            report_fault(checker, "* stands for any origin, and alone");
        else if (strcmp(*word, "*") != 0 && !cors_is_origin(*word))
            report_fault(checker,
                         "\"%s\" should be an origin as browsers write it, such as "
                         "https://shop.example",
                         *word);
    }
}

static void check_bind_key(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("bind_key", "tolerance");
    if (config->bind_key_tolerance % 1000 != 0)
        report_fault(checker, "should be whole seconds, as the time in a bind key is");
    checker->key = config_key_find("bind_key", "skew");
    if (config->bind_key_skew % 1000 != 0)
        report_fault(checker, "should be whole seconds, as the time in a bind key is");
}

static void check_acl(struct config_checker *checker, const struct config *config)
{
    const bool mariadb = config->acl_kind == CONFIG_ACL_MARIADB;
    checker->key = config_key_find("acl", "kind");
    if (!mariadb && config->acl_file == NULL)
        report_fault(checker, "sqlite needs file");
    if (mariadb && config->acl_database == NULL)
        report_fault(checker, "mariadb needs database, its name");
    checker->key = config_key_find("acl", "port");
    if (config->acl_port != 0 && config->acl_host == NULL)
        report_fault(checker,
                     "needs host; without one the server is asked through its Unix socket, "
                     "which has no port");
}

static void check_outbox(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("outbox", "kind");
    if (config->outbox_kind == CONFIG_OUTBOX_SQLITE && config->outbox_file == NULL)
        report_fault(checker, "sqlite needs file");
    if (config->outbox_kind == CONFIG_OUTBOX_MARIADB && config->outbox_database == NULL)
        report_fault(checker, "mariadb needs database, its name");
    checker->key = config_key_find("outbox", "port");
    if (config->outbox_port != 0 && config->outbox_host == NULL)
        report_fault(checker, "needs host");
    checker->key = config_key_find("outbox", "poll_max");
    if (config->outbox_poll_max < config->outbox_poll_min)
        report_fault(checker, "is less than poll_min");
}

static void check_token_store(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("token", "store");
    if (config->token_store == CONFIG_TOKEN_STORE_REDIS && config->redis_url == NULL)
        report_fault(checker, "redis needs [redis] url");
    if (config->token_store == CONFIG_TOKEN_STORE_SQLITE && config->token_store_file == NULL)
        report_fault(checker, "sqlite needs store_file");
}

static void check_redis(struct config_checker *checker, const struct config *config)
{
    struct redis_url url;
    const char *fault = config->redis_url != NULL ? redis_url_read(&url, config->redis_url) : NULL;
    checker->key = config_key_find("redis", "url");
    if (fault != NULL)
        report_fault(checker, "%s", fault);
    checker->key = config_key_find("redis", "user");
    if (config->redis_user != NULL && config->redis_password_file == NULL)
        report_fault(checker, "needs password_file");
    checker->key = config_key_find("redis", "session_user");
    if (config->redis_session_user == NULL)
        report_fault(checker, "is empty; write such as %s", checker->key->default_text);
}

static void check_bus_redis(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("bus", "engine");
    if (config->redis_url == NULL)
        report_fault(checker, "redis needs [redis] url");
    if (config->log_path != NULL)
        report_fault(checker, "redis keeps the log itself: [log] path goes with zeromq alone");
    if (config->bus_topics[0] != NULL)
        report_fault(checker,
                     "redis gives each daemon all topics: [bus] topics goes with zeromq alone");
    checker->key = config_key_find("bus", "prefix");
    if (config->bus_prefix == NULL)
        report_fault(checker, "is empty; write such as %s", checker->key->default_text);
    else if (strlen(config->bus_prefix) > BUS_PREFIX_MAX)
        report_fault(checker, "is longer than %d bytes", BUS_PREFIX_MAX);
}

static void check_bus(struct config_checker *checker, const struct config *config)
{
    if (config->bus_engine == CONFIG_BUS_REDIS) {
        check_bus_redis(checker, config);
        return;
    }
    check_endpoints(checker, config, "events", config->bus_events);
    check_endpoints(checker, config, "acks", config->bus_acks);
    checker->key = config_key_find("bus", "secret_key_file");
    if (config->bus_secret_key_file != NULL && config->bus_public_key_file == NULL)
        report_fault(checker, "is of no use without public_key_file; set both");
}

static void check_sentinels(struct config_checker *checker, const struct config *config)
{
    checker->key = config_key_find("redis", "sentinels");
    for (char *const *word = config->redis_sentinels; *word != NULL; word++) {
        struct net_address address;
        if (!net_address_read(&address, *word))
            report_fault(checker, "\"%s\" should be host:port or [ipv6]:port", *word);
    }
    if (config->redis_sentinels[0] != NULL && config->redis_sentinel_master == NULL)
        report_fault(checker, "needs sentinel_master");
    if (config->redis_sentinels[0] != NULL && config->redis_url == NULL)
        report_fault(checker, "needs url, of which the database counts");
}

void config_check(const struct config *config, config_check_report *report, void *context)
{
    struct config_checker checker = {.report = report, .context = context};
    check_listening(&checker, config);
    check_proxy_protocol(&checker, config);
    check_tls(&checker, config);
    check_proxies(&checker, config->trusted_proxies);
    check_metrics(&checker, config);
    check_bus(&checker, config);
    check_bodies(&checker, config);
    check_pending(&checker, config);
    check_tickets(&checker, config);
    check_binding(&checker, config);
    check_node_url(&checker, config);
    check_handoff(&checker, config);
    check_open(&checker, config);
    check_origins(&checker, config);
    check_bind_key(&checker, config);
    check_acl(&checker, config);
    check_outbox(&checker, config);
    check_token_store(&checker, config);
    check_redis(&checker, config);
    check_sentinels(&checker, config);
}

bool config_check_log_folder(const struct config *config, char error[CONFIG_ERROR_SIZE])
{
    char folder[PATH_MAX];
    const char *slash = config->log_path != NULL ? strrchr(config->log_path, '/') : NULL;
    if (slash == NULL)
        return true;
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - config->log_path) + 1,
                   config->log_path);
    if (access(folder, W_OK | X_OK) == 0 || errno == ENOENT)
        return true;
    (void)snprintf(error, CONFIG_ERROR_SIZE,
                   "[log] path: the user %s cannot write to its folder (%s): %.1500s",
                   service_user_current(), strerror(errno), folder);
    return false;
}
