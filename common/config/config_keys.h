/* The table of keys of es-web-notify.conf and the struct that holds their values. Parser, `--check-config`, sample
 * file and docs/configuration.md are made from it, so that they cannot drift apart. */
#ifndef ESN_CONFIG_KEYS_H
#define ESN_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_TEXT, /* char *; NULL when empty */
    CONFIG_PATH, /* char *; NULL when empty; relative paths are taken from the file's own folder */
    CONFIG_LIST, /* char **: blank-separated words, NULL-ended, never NULL */
    CONFIG_NUMBER,   /* uint64_t */
    CONFIG_SIZE,     /* uint64_t bytes: 512, 64k, 1M, 2G */
    CONFIG_DURATION, /* uint64_t milliseconds: 300ms, 50s, 5m, 1h, 1d */
    CONFIG_BOOL,     /* bool: yes, no */
    CONFIG_MODE,     /* uint64_t: octal file mode, 0660 */
    CONFIG_CHOICE    /* int: index into the NULL-ended list `choices` */
};

struct config_key {
    const char *section;
    const char *name;
    enum config_type type;
    size_t offset;             /* of the member in struct config */
    const char *default_text;  /* as one would write it in the file */
    uint64_t minimum, maximum; /* NUMBER, SIZE, DURATION; both 0: any */
    const char *const *choices;
    bool reloadable;     /* honoured on SIGHUP */
    bool expert;         /* hardly anybody turns it: printed below the others of its section */
    const char *example; /* a value other than the default */
    const char *help;    /* whole sentences, Markdown without headings */
};

/* Ended by a key whose section is NULL. */
extern const struct config_key config_keys[];

struct config_section {
    const char *name;
    const char *help; /* as a key's */
};

/* Ended by a section whose name is NULL; every key's section is here. */
extern const struct config_section config_sections[];

/* Choices, in the order of their words. */
enum config_acl { CONFIG_ACL_SQLITE, CONFIG_ACL_MARIADB };
enum config_outbox { CONFIG_OUTBOX_ACL, CONFIG_OUTBOX_SQLITE, CONFIG_OUTBOX_MARIADB };
enum config_bus { CONFIG_BUS_ZEROMQ, CONFIG_BUS_REDIS };
enum config_binding { CONFIG_BINDING_SERVER, CONFIG_BINDING_RSA, CONFIG_BINDING_REDIS };
enum config_token_store { CONFIG_TOKEN_STORE_SQLITE, CONFIG_TOKEN_STORE_REDIS };
enum config_session { CONFIG_SESSION_PHP, CONFIG_SESSION_PHP_SERIALIZE, CONFIG_SESSION_JSON };
enum config_tls { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
enum config_presence { CONFIG_PRESENCE_PUBLIC, CONFIG_PRESENCE_PROVEN };
enum config_handoff {
    CONFIG_HANDOFF_ACCEL,
    CONFIG_HANDOFF_LOCAL,
    CONFIG_HANDOFF_REDIRECT,
    CONFIG_HANDOFF_JSON
};

/* The word of open_topics that stands for all. */
#define CONFIG_OPEN_EVERYTHING "everything"

struct config {
    /* [fanout] */
    char **listen, **listen_lines, **listen_tls, **listen_lines_tls;
    char *node_url;
    char **tls_cert, **tls_key;
    int tls_min; /* enum config_tls */
    uint64_t tls_ticket_time;
    uint64_t stream_time, keep_alive, proxied_keep_alive, poll_time, poll_gap, max_polls_between;
    uint64_t max_alive;
    uint64_t max_body, max_body_total, max_body_per_address, max_headers, max_topics,
        max_topic_length, max_topic_levels;
    uint64_t max_topics_size, max_topics_total, max_topics_per_address;
    uint64_t max_presence_patterns, max_presence_missed;
    uint64_t max_replay_kept, max_replay_shared;
    uint64_t header_time, body_time, idle_time, linger_time, vanish_time, stop_time, stop_spread,
        retry_time, upgrade_time, upgrade_pause;
    uint64_t max_connections, max_connections_per_address;
    uint64_t max_waiting_per_address;
    char **trusted_proxies, **proxy_protocol;
    int proxy_header; /* enum forwarded_form */
    uint64_t max_pending, max_pending_soft, soft_time, max_pending_total, send_buffer;
    uint64_t max_ignored_input, max_message, max_messages, max_revocations;
    bool keep_headers;
    bool io_uring;
    /* [publish] */
    char *publish_token_file, *publishers_file;
    uint64_t signature_age;
    uint64_t publish_time, publish_down_time, publish_threads, publish_kept_connections;
    uint64_t publish_rate, publish_burst;
    uint64_t max_event_body, max_batch_body, max_events, max_depth, max_event_points, max_users;
    /* [bus] */
    char **bus_events, **bus_acks, **bus_topics;
    int bus_engine; /* enum config_bus */
    uint64_t bus_mode;
    uint64_t bus_batch;
    char *bus_prefix;
    uint64_t bus_lease, bus_cut_time, bus_receivers_time, bus_max_events, bus_start_time;
    uint64_t remember_events, remember_time;
    char *bus_public_key_file, *bus_secret_key_file;
    /* [acl] */
    int acl_kind; /* enum config_acl */
    char *acl_file, *acl_host, *acl_socket, *acl_user, *acl_password_file, *acl_database;
    char *acl_tls_ca, *acl_tls_cert, *acl_tls_key;
    uint64_t acl_time, acl_down_time, acl_port;
    bool acl_tls;
    /* [outbox] */
    char **outbox_publishers;
    int outbox_kind; /* enum config_outbox */
    char *outbox_file, *outbox_host, *outbox_socket, *outbox_user, *outbox_password_file;
    char *outbox_database, *outbox_tls_ca, *outbox_tls_cert, *outbox_tls_key, *outbox_doorbell;
    uint64_t outbox_port, outbox_time, outbox_poll_min, outbox_poll_max, outbox_retry;
    uint64_t outbox_batch, outbox_batch_size;
    bool outbox_tls, outbox_hold_failed;
    /* [bind_key] */
    char *bind_key_file;
    int bind_key_padding; /* enum bind_key_padding */
    uint64_t bind_key_tolerance, bind_key_skew;
    /* [password] */
    uint64_t password_remember, password_wrong_at_once, password_wrong_time;
    /* [ticket] */
    char *token_keys_file, *token_jwks_url, *token_ca_file, *token_issuer, *token_audience;
    char *token_sign_file, *token_store_file;
    int token_store; /* enum config_token_store */
    uint64_t token_access_time, token_refresh_time;
    bool token_cookie;
    uint64_t token_jwks_time, token_time, token_down_time, token_skew;
    char *ticket_secret_file;
    uint64_t ticket_life, ticket_life_max, ticket_skew, ticket_max_used;
    /* [subscribe] */
    char *subscribe_url;
    char **open_topics;
    int presence; /* enum config_presence */
    uint64_t subscribe_threads;
    /* [binding] */
    int binding_mode; /* enum config_binding */
    char *binding_url, *binding_method, *binding_ca_file, *binding_key_file;
    uint64_t binding_time, binding_down_time, binding_max_answer;
    /* [redis] */
    char *redis_url, *redis_user, *redis_password_file;
    char *redis_session_prefix, *redis_session_user;
    int redis_session_serializer; /* enum config_session */
    bool redis_watch_sessions;
    char **redis_sentinels, *redis_sentinel_master;
    uint64_t redis_wait_replicas;
    uint64_t redis_connect_time, redis_time, redis_down_time, redis_max_answer, redis_check_time;
    /* [handoff] */
    int handoff_mode; /* enum config_handoff */
    char *handoff_prefix, *handoff_url;
    /* [web] */
    char **web_origins;
    /* [admin] */
    char *admin_token_file;
    /* [metrics] */
    char **metrics_listen, **metrics_addresses, *metrics_listen_event, *metrics_listen_subscribe;
    /* [log] */
    uint64_t log_max_bytes, log_max_age, log_max_kept, log_max_departed;
    uint64_t report_time, max_report_bytes, max_decisions_bytes;
    char *log_path;
    int log_sync;
    uint64_t log_sync_interval, log_max_unsynced;
    /* [messages] */
    int message_level, message_destination, message_format;
    uint64_t message_burst, message_rate, message_buffer;
    uint64_t message_access_rate, message_access_total;

    char *path; /* the file this was read from */
};

enum { CONFIG_ERROR_SIZE = 2048 };

/* NULL when there is no such key. */
const struct config_key *config_key_find(const char *section, const char *name);
/* Of a CONFIG_LIST. */
bool config_list_has(char *const *words, const char *word);

#endif
