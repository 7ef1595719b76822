#include "config/config_keys.h"

#include <string.h>

static const char *const acl_kinds[] = {"sqlite", "mariadb", NULL};
static const char *const outbox_kinds[] = {"acl", "sqlite", "mariadb", NULL};
static const char *const paddings[] = {"pkcs1", "oaep", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
/* enum log_sync */
static const char *const log_syncs[] = {"always", "interval", "never", NULL};
static const char *const log_destinations[] = {"stderr", "journal", NULL};
/* enum message_format */
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const bindings[] = {"server", "rsa", "redis", NULL};
/* enum config_bus */
static const char *const bus_engines[] = {"zeromq", "redis", NULL};
static const char *const token_stores[] = {"sqlite", "redis", NULL};
static const char *const session_serializers[] = {"php", "php_serialize", "json", NULL};
/* enum forwarded_form */
static const char *const proxy_headers[] = {"x-forwarded-for", "forwarded", NULL};
static const char *const handoffs[] = {"accel", "local", "redirect", "json", NULL};

/* enum config_tls */
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
/* enum config_presence */
static const char *const presences[] = {"public", "proven", NULL};

#define AT(member) offsetof(struct config, member)

enum { COMMON = false, EXPERT = true };

/* In the order in which they are printed. */
/* clang-format off */
const struct config_section config_sections[] = {
    {"fanout", "The daemon `esn-fanout`, which holds the streams of all subscribers."},
    {"publish", "What `esn-event` takes from those who publish."},
    {"bus", "The way from `esn-event` to `esn-fanout`; both read this section."},
    {"acl", "The database of registered topics (docs/rights.md)."},
    {"outbox", "What `esn-outbox` publishes: rows of a table in the application's own database (docs/outbox.md)."},
    {"bind_key", "How `esn-event`, and `esn-subscribe` without a binding server, read bind keys."},
    {"password", "How `esn-event` checks the passwords of registered topics."},
    {"token",
     "The access tokens by which pages may prove who their user is (docs/protocol.md section 4)."},
    {"ticket", "The tickets with which `esn-subscribe` hands subscribers to the daemon."},
    {"subscribe",
     "What anybody may subscribe to, where subscribers with a proof have to go, and how `esn-subscribe` serves them."},
    {"binding", "How `esn-subscribe` finds out whose a subscriber's bind key is."},
    {"redis", "The Redis that PHP keeps its sessions in (docs/protocol.md section 4), and that carries events with [bus] `engine = redis`."},
    {"handoff", "How `esn-subscribe` hands a subscriber over to the daemon."},
    {"web", "Whose pages may use the broker from their browsers."},
    {"admin", "Who may look in."},
    {"metrics", "What Prometheus and its like are told, at `/metrics` (docs/operate.md)."},
    {"log",
     "The daemon's log of recent events, from which clients that come back get what they missed."},
    {"messages", "What the programs say of themselves."},
    {NULL, NULL},
};

/* The one place where a key, its default, its bounds and its words are written. */
const struct config_key config_keys[] = {
    {"fanout", "listen", CONFIG_LIST, AT(listen), "127.0.0.1:8010", 0, 0, NULL, false, COMMON,
     "127.0.0.1:8010 unix:/run/es-web-notify/http.sock",
     "Where `esn-fanout` accepts HTTP: `host:port`, `[ipv6]:port` or `unix:/path`, several separated by blanks. "
     "A name stands for each of its addresses; `[::]` takes IPv4 too, unless the list has an IPv4 address of the same port. What "
     "was bound is logged. Behind a "
     "web server on the same machine keep it on loopback."},
    {"fanout", "listen_lines", CONFIG_LIST, AT(listen_lines), "", 0, 0, NULL, false, COMMON,
     "127.0.0.1:8011 unix:/run/es-web-notify/lines.sock",
     "Where `esn-fanout` accepts raw TCP, one JSON a line both ways (docs/protocol.md section 8), written as in `listen`. "
     "Nothing: nowhere."},
    {"fanout", "node_url", CONFIG_TEXT, AT(node_url), "", 0, 0, NULL, false, COMMON, "node/3/",
     "Of several daemons (docs/nodes.md): where this one alone is reached from outside, for those who have to come to it and no "
     "other. A path below the web server's prefix, such as `node/3/`, whose requests the web server passes on to this daemon with "
     "that path (`/node/3/alive`); or, with `[handoff] mode = redirect` or `json`, an address of its own. Ends with `/`."},
    {"fanout", "listen_tls", CONFIG_LIST, AT(listen_tls), "", 0, 0, NULL, false, COMMON,
     "0.0.0.0:443 [::]:443",
     "Where `esn-fanout` accepts HTTPS itself, written as in `listen`, with `tls_cert` and `tls_key`. Nothing: nowhere; a web "
     "server in front may speak it instead."},
    {"fanout", "listen_lines_tls", CONFIG_LIST, AT(listen_lines_tls), "", 0, 0, NULL, false, EXPERT, "0.0.0.0:8883",
     "The same for raw TCP."},
    {"fanout", "tls_cert", CONFIG_LIST, AT(tls_cert), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/tls.crt",
     "Certificates in PEM, each with the chain that belongs to it. A client gets the first one that is good for the name it "
     "asks for, else the first of all. Read again at SIGHUP; when one is faulty, those of before stay and the log says so."},
    {"fanout", "tls_key", CONFIG_LIST, AT(tls_key), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/tls.key",
     "Their keys in PEM, without passphrase, in the same order; for nobody but `esn-fanout`'s user and group. Keys of elliptic "
     "curves (P-256) cost the daemon a tenth of RSA's at each new connection."},
    {"fanout", "tls_min", CONFIG_CHOICE, AT(tls_min), "1.2", 0, 0, tls_versions, true, EXPERT, "1.3",
     "The oldest version of TLS that is spoken: `1.2` or `1.3`."},
    {"fanout", "tls_ticket_time", CONFIG_DURATION, AT(tls_ticket_time), "8h", 1000, 86400000, NULL, true, EXPERT, "1h",
     "The keys of session tickets, with which clients come back for a fraction of a handshake's price, are made anew so often; "
     "a ticket is good for as long."},
    {"fanout", "stream_time", CONFIG_DURATION, AT(stream_time), "1h", 1000, 604800000, NULL, true, COMMON,
     "10m",
     "How long a stream is held before it ends cleanly and the client subscribes again; `POST /alive` starts it anew. "
     "Clients are told as `timeout` in `connected`."},
    {"fanout", "keep_alive", CONFIG_DURATION, AT(keep_alive), "25s", 1000, 3600000, NULL, true, COMMON,
     "20s",
     "A stream on which nothing was written for so long gets the empty frame `''0''`. Keep it below every proxy's read "
     "time-out (nginx: 60s; HAProxy as Debian configures it: 50s; event-source-polyfill gives up after 45s). A WebSocket "
     "is asked so often whether it is there, and closed when it has not answered by the next time."},
    {"fanout", "proxied_keep_alive", CONFIG_DURATION, AT(proxied_keep_alive), "3s", 1000, 3600000, NULL, true, EXPERT,
     "10s",
     "The same for streamed frames and Server-Sent Events that Apache passes on, which its header `X-Forwarded-Server` shows, when "
     "it is less than `keep_alive`. Apache notices at the second write that a page has left, which counts as present for up to "
     "twice this time."},
    {"fanout", "poll_time", CONFIG_DURATION, AT(poll_time), "25s", 100, 3600000, NULL, true, COMMON, "50s",
     "How long a long-poll (`/poll`) waits for an event before it is answered without one; a client may ask for less. "
     "Keep it below every proxy's read time-out."},
    {"fanout", "poll_gap", CONFIG_DURATION, AT(poll_gap), "10s", 0, 600000, NULL, true, EXPERT, "30s",
     "A client of long-poll that comes back as the same one (`connid` and `secret`) counts as present for so long between "
     "two polls."},
    {"fanout", "max_polls_between", CONFIG_NUMBER, AT(max_polls_between), "50000", 0, 10000000, NULL, true,
     EXPERT, "1000",
     "How many such clients are remembered between two polls; beyond it they go and come with each answer."},
    {"fanout", "max_alive", CONFIG_NUMBER, AT(max_alive), "60", 0, 1000000, NULL, true, EXPERT, "10",
     "How often one stream can be renewed by `POST /alive`; then `400 Max alive reached`."},
    {"fanout", "max_body", CONFIG_SIZE, AT(max_body), "128k", 1, 104857600, NULL, true, COMMON, "256k",
     "Largest request body the daemon reads, in bytes; more is `413`. Reading JSON takes about 10 ms for each megabyte, and "
     "everybody waits meanwhile: strangers may send it."},
    {"fanout", "max_body_total", CONFIG_SIZE, AT(max_body_total), "256M", 1048576, 1099511627776, NULL, true,
     EXPERT, "1G",
     "Most bytes that the bodies of all requests under way may hold together. Where there is no room left, the one that "
     "has been coming in longest gives way and is answered `503`: so bodies that never become whole keep nobody out."},
    {"fanout", "max_body_per_address", CONFIG_SIZE, AT(max_body_per_address), "64M", 65536, 1099511627776, NULL, true,
     EXPERT, "256M",
     "The same for those of one address, of which one more is answered `503`: so a few addresses do not make all others give way. "
     "Behind a web server it is the client's own (`trusted_proxies`)."},
    {"fanout", "max_headers", CONFIG_SIZE, AT(max_headers), "16k", 512, 1048576, NULL, true, EXPERT, "32k",
     "Largest request line and headers together; more is `431`."},
    {"fanout", "max_topics", CONFIG_NUMBER, AT(max_topics), "1000", 1, 1000000, NULL, true, COMMON, "100",
     "Most topics in one subscription."},
    {"fanout", "max_topic_length", CONFIG_SIZE, AT(max_topic_length), "4096", 1, 65535, NULL, true, EXPERT,
     "256", "Longest topic in bytes, for subscribers and publishers."},
    {"fanout", "max_topic_levels", CONFIG_NUMBER, AT(max_topic_levels), "64", 1, 10000, NULL, true, EXPERT,
     "16", "Most levels of a topic, for subscribers and publishers."},
    {"fanout", "max_topics_size", CONFIG_SIZE, AT(max_topics_size), "1M", 4096, 1073741824, NULL, true, EXPERT, "256k",
     "Most memory that the topics of one stream may take, if nobody else held any of them: about 90 bytes a level, so that a "
     "thousand topics of ten levels fit. More is `400`."},
    {"fanout", "max_topics_total", CONFIG_SIZE, AT(max_topics_total), "128M", 1048576, 1099511627776, NULL, true,
     EXPERT, "1G",
     "Most memory that the topics of all streams may take; those that many hold count once. One stream may take a sixteenth "
     "of what is left; whoever wants more is answered `503`."},
    {"fanout", "max_topics_per_address", CONFIG_SIZE, AT(max_topics_per_address), "64M", 4096, 1099511627776, NULL, true,
     EXPERT, "256M",
     "Most memory that the topics of all streams of one address may take, counted as `max_topics_size` is. Whoever wants more is "
     "answered `503`. Behind a web server it is the client's own address that counts (`trusted_proxies`). Many may share one: the "
     "default has room for a thousand pages of a hundred topics of five levels."},
    {"fanout", "max_presence_patterns", CONFIG_NUMBER, AT(max_presence_patterns), "10", 0, 1000000, NULL, true,
     EXPERT, "1",
     "Most patterns of one stream that watch client ids (`@CONNECTION@/+` and the like): each client that comes or goes costs a "
     "frame for each of them."},
    {"fanout", "max_presence_missed", CONFIG_NUMBER, AT(max_presence_missed), "1000", 0, 10000000, NULL, true, EXPERT, "100",
     "A client that watches client ids by patterns and comes back is told of so many that came meanwhile, and so many that went "
     "are remembered for it. When it is more, it is told that what it knew is void, and of the newest ones that are there."},
    {"fanout", "max_replay_kept", CONFIG_SIZE, AT(max_replay_kept), "16M", 65536, 1099511627776, NULL, true, EXPERT, "64M",
     "Most memory that all clients that catch up may take to remember where in the log their topics are. Past it they walk through "
     "the log and compare each event with each of their topics, which takes longer."},
    {"fanout", "max_replay_shared", CONFIG_SIZE, AT(max_replay_shared), "16M", 0, 1099511627776, NULL, true, EXPERT, "64M",
     "Most memory for what one of them was given, kept for others who ask for the same; a sixteenth of `max_pending_total` at most."},
    {"fanout", "header_time", CONFIG_DURATION, AT(header_time), "10s", 100, 3600000, NULL, true, EXPERT,
     "5s",
     "A client that opened a connection or began a request has so long to send its whole head; then the connection is "
     "closed."},
    {"fanout", "body_time", CONFIG_DURATION, AT(body_time), "30s", 100, 3600000, NULL, true, EXPERT, "10s",
     "After the head, a client has so long to send the whole body; then `408` and the connection is closed."},
    {"fanout", "idle_time", CONFIG_DURATION, AT(idle_time), "75s", 100, 86400000, NULL, true, COMMON, "5s",
     "A connection that is kept open between two requests is closed after so long without one."},
    {"fanout", "linger_time", CONFIG_DURATION, AT(linger_time), "2s", 0, 60000, NULL, true, EXPERT, "500ms",
     "After an answer that ends the connection while the client still sends, its bytes are read and thrown away for so "
     "long, so that the answer is not lost in a reset."},
    {"fanout", "vanish_time", CONFIG_DURATION, AT(vanish_time), "30s", 1000, 3600000, NULL, true, EXPERT,
     "15s",
     "A client whose machine went away without a word is dropped when what was sent to it, data or TCP's own "
     "keep-alive probes, is not acknowledged for so long (`TCP_USER_TIMEOUT`, tcp(7)). New connections only after a "
     "reload."},
    {"fanout", "stop_time", CONFIG_DURATION, AT(stop_time), "5s", 0, 600000, NULL, true, COMMON, "30s",
     "After SIGTERM every stream is ended with its last chunk; clients that have not taken it after so long are cut."},
    {"fanout", "stop_spread", CONFIG_DURATION, AT(stop_spread), "1s", 0, 600000, NULL, true, EXPERT, "10s",
     "The ends of the streams are spread over so long, at random, so that not all clients come back in one moment. `0s`: at once. "
     "At most half of `stop_time`. Meanwhile posts wait for the next daemon, then they are answered `503`."},
    {"fanout", "retry_time", CONFIG_DURATION, AT(retry_time), "5s", 0, 3600000, NULL, true, EXPERT, "30s",
     "Each stream is told when the daemon stops how long to wait before it subscribes again: from a quarter of this to the whole, at random."},
    {"fanout", "upgrade_time", CONFIG_DURATION, AT(upgrade_time), "10s", 100, 600000, NULL, true, EXPERT, "30s",
     "How long a new program may take, at an upgrade, until it has read its configuration, and of the log what is sent to it while the old one serves; else the old one ends it and serves on."},
    {"fanout", "upgrade_pause", CONFIG_DURATION, AT(upgrade_pause), "5s", 100, 600000, NULL, true, EXPERT, "2s",
     "How long it may take to take over what the old one has, during which nobody is served; else likewise."},
    {"fanout", "max_connections", CONFIG_NUMBER, AT(max_connections), "0", 0, 10000000, NULL, true, COMMON,
     "20000",
     "Most connections held at once; more are answered `503` and closed. `0`: what the limit of open files (`ulimit -n`) "
     "allows, less 64."},
    {"fanout", "max_connections_per_address", CONFIG_NUMBER, AT(max_connections_per_address), "0", 0, 10000000, NULL, true,
     COMMON,
     "100",
     "Most connections held at once from one IP address (of IPv6: one network of 64 bits); more are answered `503` and closed. "
     "`0`: no limit. Behind a web server it is the client's own address that counts (`trusted_proxies`). After a reload only new "
     "connections count."},
    {"fanout", "max_waiting_per_address", CONFIG_NUMBER, AT(max_waiting_per_address), "1000", 1, 10000000, NULL, true, EXPERT,
     "50",
     "Behind a web server: most requests of one address that wait, when it asked for more than its share of the daemon's time while "
     "others ask for something too; one more is answered `429`, and one that has waited for `header_time` `503`."},
    {"fanout", "trusted_proxies", CONFIG_LIST, AT(trusted_proxies), "127.0.0.1 ::1 unix", 0, 0, NULL, true, COMMON,
     "127.0.0.1 10.0.3.0/24",
     "Web servers that are believed when they say for which client they ask (`proxy_header`): addresses and ranges of them, and "
     "`unix`, whoever can open a unix socket of `listen`. Limits and shares for each address, `GET /connections?details=true` "
     "and the log then have the client's own address. The configurations in `deploy/` send it; one of your own has to set the "
     "header anew, since what comes from outside may be anything. Nothing: nobody is believed, and behind a web server all "
     "clients are one. After a reload only new connections count."},
    {"fanout", "proxy_protocol", CONFIG_LIST, AT(proxy_protocol), "", 0, 0, NULL, false, EXPERT, "127.0.0.1:8010",
     "Those addresses of `listen`, `listen_lines`, `listen_tls` and `listen_lines_tls`, written as there, on which each connection "
     "begins with a header of the PROXY protocol, version 1 or 2, which says for whom it is: of HAProxy (`send-proxy-v2`), nginx's "
     "`stream` (`proxy_protocol on`) and their like, in front of TLS too. `trusted_proxies` alone may connect there. A header that is "
     "not there within `header_time` ends the connection."},
    {"fanout", "proxy_header", CONFIG_CHOICE, AT(proxy_header), "x-forwarded-for", 0, 0, proxy_headers, true, EXPERT,
     "forwarded",
     "The header in which they say so: `x-forwarded-for`, or `forwarded` (RFC 7239). The other one is not looked at. Of a list the "
     "last address counts that is no trusted proxy's."},
    {"fanout", "max_pending", CONFIG_SIZE, AT(max_pending), "8M", 65536, 1073741824, NULL, true, EXPERT,
     "1M",
     "Hard limit of bytes that wait for one slow client beyond the kernel's own buffer; past it the connection is closed "
     "as `slow` at once. An event larger than this still goes to a client that has nothing else waiting."},
    {"fanout", "max_pending_soft", CONFIG_SIZE, AT(max_pending_soft), "1M", 1024, 1073741824, NULL,
     true, EXPERT, "256k",
     "Soft limit of the same: a client that stays above it for `soft_time` is closed as `slow`."},
    {"fanout", "soft_time", CONFIG_DURATION, AT(soft_time), "10s", 1000, 3600000, NULL, true, EXPERT, "30s",
     "How long a client may stay above `max_pending_soft`."},
    {"fanout", "max_pending_total", CONFIG_SIZE, AT(max_pending_total), "256M", 1048576, 1099511627776,
     NULL, true, EXPERT, "1G",
     "Most memory that events waiting for slow clients may hold in all; past it those that have waited longest are closed "
     "as `slow`."},
    {"fanout", "send_buffer", CONFIG_SIZE, AT(send_buffer), "256k", 0, 1073741824, NULL, true, EXPERT, "1M",
     "What the system keeps for one client on TCP beside that (`SO_SNDBUF`, socket(7), which doubles it and goes up to "
     "`net.core.wmem_max`). `0`: as much as it likes, which can be 4 MiB for each client that does not read, until "
     "all connections of the machine run short of memory. New connections only after a reload."},
    {"fanout", "max_ignored_input", CONFIG_SIZE, AT(max_ignored_input), "64k", 0, 1073741824, NULL,
     true, EXPERT, "4k",
     "A client that goes on sending while it should listen is closed after so many bytes."},
    {"fanout", "max_message", CONFIG_SIZE, AT(max_message), "64k", 512, 16777216, NULL, true, EXPERT, "16k",
     "Largest message of a client on a WebSocket, and longest line on raw TCP; whoever sends a larger one is closed. All "
     "that are coming in count to `max_body_total`, and each has to be whole within `body_time`."},
    {"fanout", "max_messages", CONFIG_NUMBER, AT(max_messages), "120", 1, 1000000, NULL, true, EXPERT, "30",
     "Most messages a minute from one client on a WebSocket (its pings and pongs count as well) or on raw TCP; so many may "
     "come at once. Whoever sends more is closed as `talkative`."},
    {"fanout", "max_revocations", CONFIG_NUMBER, AT(max_revocations), "100000", 0, 100000000, NULL, true, EXPERT, "10000",
     "How many users and sessions that were dropped (`POST /drop`) are remembered, each for as long as its `for` says, about "
     "150 bytes each; beyond it a drop is answered `503`, and nothing is dropped."},
    {"fanout", "keep_headers", CONFIG_BOOL, AT(keep_headers), "yes", 0, 0, NULL, true, COMMON, "no",
     "Keep each stream's request headers for `GET /connections?clid=X&details=true`; they are most of the memory of an "
     "idle browser's stream."},
    {"fanout", "io_uring", CONFIG_BOOL, AT(io_uring), "yes", 0, 0, NULL, false, EXPERT, "no",
     "Write an event to many receivers in one system call where the kernel has io_uring and lets the daemon use it, which "
     "costs up to a third less on a busy machine. Otherwise, and with `no`, each write is a call of its own."},

    {"publish", "token_file", CONFIG_PATH, AT(publish_token_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/publish.token",
     "File of entry tokens for `POST /event`, one a line; several, so that they can be rotated. Nobody but owner and group "
     "may be able to read it. Without one every post is answered `404`."},
    {"publish", "publishers_file", CONFIG_PATH, AT(publishers_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/publishers.conf",
     "Publishers with a name, a secret and limits of their own, a section each (docs/protocol.md section 3). Nothing: only "
     "those who know a token of `token_file` publish, and may do everything. The daemon reads names and rates of it, no secrets."},
    {"publish", "signature_age", CONFIG_DURATION, AT(signature_age), "30s", 1000, 600000, NULL, true, EXPERT, "1m",
     "A signed post is refused when its signature was created longer ago. The daemon's `remember_time` has to be longer, so "
     "that one that is sent again is a double."},
    {"publish", "time_limit", CONFIG_DURATION, AT(publish_time), "2s", 10, 60000, NULL, true, COMMON, "500ms",
     "How long a post waits for the daemon's acknowledgement; then `503` with `Retry-After`."},
    {"publish", "down_time_limit", CONFIG_DURATION, AT(publish_down_time), "100ms", 1, 60000, NULL,
     true, EXPERT, "20ms",
     "`time_limit` while the daemon is known not to answer; for as long after that, posts are answered at once. So they do not "
     "queue up behind each other."},
    {"publish", "threads", CONFIG_NUMBER, AT(publish_threads), "8", 1, 256, NULL, false, COMMON, "1",
     "Threads of one worker process of `esn-event --workers`. One at a time takes the posts that have come and publishes them in "
     "one go. A post with a bind key, and one whose bytes come slowly, has its thread to itself, and another takes those that "
     "follow."},
    {"publish", "kept_connections", CONFIG_NUMBER, AT(publish_kept_connections), "64", 0, 4096, NULL, false, EXPERT, "0",
     "Connections that one worker process of `esn-event --workers` keeps for a web server that asks for it (nginx: "
     "`fastcgi_keep_conn`); what is beyond is closed with its answer, as is what is beyond half of the files "
     "that the process may open (`LimitNOFILE=`). Idle ones hold no thread. 0: none is kept."},
    {"publish", "max_body", CONFIG_SIZE, AT(max_event_body), "1000000", 1, 104857600, NULL, true, COMMON,
     "64k", "Largest body of `POST /event` in bytes, and of each post of a batch; more is `413`."},
    {"publish", "max_batch_body", CONFIG_SIZE, AT(max_batch_body), "16000000", 1, 1073741824, NULL, true, EXPERT,
     "1M", "Largest body of a batch in bytes. It is read as it comes: only a signed one is held whole. The "
     "web server has a limit of its own, which has to be above it; those of `deploy/` are 16 MiB."},
    {"publish", "max_events", CONFIG_NUMBER, AT(max_events), "1000", 1, 1000000, NULL, true, EXPERT,
     "100", "Most posts in one batch; those beyond are not taken."},
    {"publish", "max_depth", CONFIG_NUMBER, AT(max_depth), "100", 4, 100000, NULL, true, EXPERT, "32",
     "How deep arrays and objects of a body may be nested."},
    {"publish", "max_event_points", CONFIG_NUMBER, AT(max_event_points), "1000", 1, 100000, NULL,
     true, EXPERT, "10", "Most event points in one post."},
    {"publish", "max_users", CONFIG_NUMBER, AT(max_users), "1000", 1, 100000, NULL, true, EXPERT,
     "10", "Most users in `to` of one event point."},
    {"publish", "rate", CONFIG_NUMBER, AT(publish_rate), "0", 0, 1000000, NULL, true, COMMON, "100",
     "How many events a second each entry token may publish, through however many handlers; each event point counts. More are "
     "answered `429` with `Retry-After` and not delivered. `0`: no limit. Read by the daemon, which alone sees them all; with "
     "[bus] `engine = redis` by `esn-event`, and counted in Redis."},
    {"publish", "burst", CONFIG_NUMBER, AT(publish_burst), "0", 0, 10000000, NULL, true, COMMON, "1000",
     "Most events of one token at once, before `rate` counts; `0`: as many as `rate`. An event that comes a second time does "
     "not count."},

    {"bus", "engine", CONFIG_CHOICE, AT(bus_engine), "zeromq", 0, 0, bus_engines, false, COMMON, "redis",
     "What carries events: `zeromq` to one daemon, `redis` through the Redis of [redis] to any number of them (docs/nodes.md). "
     "With `redis` the endpoints, keys and `topics` below are not used."},
    {"bus", "events", CONFIG_LIST, AT(bus_events), "ipc:///run/es-web-notify/events", 0, 0, NULL, false, COMMON,
     "ipc:///run/es-web-notify/events tcp://10.0.0.5:8011",
     "Endpoints on which events travel: the daemon binds all of them, handlers connect to all of them. On a handler host of "
     "its own: the daemon's `tcp` endpoint."},
    {"bus", "acks", CONFIG_LIST, AT(bus_acks), "ipc:///run/es-web-notify/acks", 0, 0, NULL, false, COMMON,
     "ipc:///run/es-web-notify/acks tcp://10.0.0.5:8012",
     "Endpoints on which acknowledgements travel back; likewise."},
    {"bus", "topics", CONFIG_LIST, AT(bus_topics), "", 0, 0, NULL, false, COMMON, "casa/ taller/",
     "Prefixes of topics that this daemon takes from the bus; empty: all. With it topics can be split over daemons."},
    {"bus", "mode", CONFIG_MODE, AT(bus_mode), "0660", 0, 0777, NULL, false, COMMON, "0600",
     "File mode of the `ipc` sockets and of `unix:` listeners: who of this machine may publish."},
    {"bus", "batch", CONFIG_NUMBER, AT(bus_batch), "256", 1, 100000, NULL, true, EXPERT, "64",
     "Most events taken from the bus before what they made is written to the clients. More means fewer, larger writes "
     "under load; a lone event is never delayed."},
    {"bus", "remember_events", CONFIG_NUMBER, AT(remember_events), "262144", 1, 100000000, NULL, false, EXPERT,
     "1000000",
     "How many events the daemon can recognise when they come a second time (about 100 bytes each, taken as needed)."},
    {"bus", "remember_time", CONFIG_DURATION, AT(remember_time), "5m", 1000, 86400000, NULL, true, EXPERT, "1h",
     "How long an event is recognised. Longer than any publisher goes on trying with the same `id`."},
    {"bus", "public_key_file", CONFIG_PATH, AT(bus_public_key_file), "", 0, 0, NULL, false, COMMON,
     "/etc/es-web-notify/bus.pub",
     "CURVE public key of the daemon (40 characters Z85, as `curve_keygen` makes them), for daemon and handlers. A `tcp` "
     "endpoint beyond loopback is refused without it."},
    {"bus", "secret_key_file", CONFIG_PATH, AT(bus_secret_key_file), "", 0, 0, NULL, false, COMMON,
     "/etc/es-web-notify/bus.key", "CURVE secret key of the daemon; for the daemon alone."},
    {"bus", "prefix", CONFIG_TEXT, AT(bus_prefix), "esn:", 0, 0, NULL, false, COMMON, "shop:",
     "Of `engine = redis`: what all its keys and channels in Redis begin with. Daemons and handlers with the same one belong together."},
    {"bus", "receivers_time", CONFIG_DURATION, AT(bus_receivers_time), "50ms", 0, 60000, NULL, false, COMMON, "200ms",
     "Of `engine = redis`: how long a post that Redis has is held up until each daemon has said how many receivers it had. "
     "Then the answer has `complete: false`, and the sum of those that did."},
    {"bus", "lease", CONFIG_DURATION, AT(bus_lease), "3s", 300, 60000, NULL, false, EXPERT, "10s",
     "Of `engine = redis`: a daemon that did not renew its record in Redis for so long counts as gone. The same in all daemons and handlers."},
    {"bus", "cut_time", CONFIG_DURATION, AT(bus_cut_time), "15s", 0, 3600000, NULL, true, EXPERT, "5s",
     "Of `engine = redis`: how long a daemon that cannot reach Redis keeps its streams, which hear nothing meanwhile, before it tells them "
     "to come back, to another one that can. Longer than a Redis is away that is started again, or replaced."},
    {"bus", "max_events", CONFIG_NUMBER, AT(bus_max_events), "1000000", 1000, 1000000000, NULL, false, EXPERT, "100000",
     "Of `engine = redis`: how many events Redis keeps, about; a daemon that is cut off from Redis while more come has lost some."},
    {"bus", "start_time", CONFIG_DURATION, AT(bus_start_time), "60s", 1000, 3600000, NULL, false, EXPERT, "10m",
     "Of `engine = redis`: how long `esn-fanout` waits at its start for a Redis that does not answer, before it gives up. Less than the "
     "service manager waits for it (`TimeoutStartSec`)."},

    {"acl", "kind", CONFIG_CHOICE, AT(acl_kind), "sqlite", 0, 0, acl_kinds, true, COMMON, "mariadb",
     "Where registered topics are: in a `sqlite` file, or in a `mariadb` server."},
    {"acl", "file", CONFIG_PATH, AT(acl_file), "/var/lib/es-web-notify/topics.db", 0, 0, NULL, true, COMMON,
     "/srv/notify/topics.db",
     "The SQLite file. It must exist (`esnctl` makes it), and it and its folder must be writable for the handlers."},
    {"acl", "time_limit", CONFIG_DURATION, AT(acl_time), "1s", 10, 60000, NULL, true, COMMON, "300ms",
     "How long one lookup may take; then the post is answered `503`. Keep it below `time_limit` of `[publish]`. Where a "
     "MariaDB server does not answer at all, it is rounded up to whole seconds."},
    {"acl", "down_time", CONFIG_DURATION, AT(acl_down_time), "1s", 0, 60000, NULL, true, EXPERT, "5s",
     "How long a database that did not answer in time counts as down: bound posts are answered `503` at once, and then one of them "
     "tries for all of its process. `0`: each tries for itself."},
    {"acl", "host", CONFIG_TEXT, AT(acl_host), "", 0, 0, NULL, true, COMMON, "10.0.0.7",
     "MariaDB: name or address of the server, reached by TCP, also when it is `localhost`; empty: this machine, by its Unix "
     "socket."},
    {"acl", "port", CONFIG_NUMBER, AT(acl_port), "0", 0, 65535, NULL, true, COMMON, "3307",
     "MariaDB: port of `host`; `0`: the usual one."},
    {"acl", "socket", CONFIG_PATH, AT(acl_socket), "", 0, 0, NULL, true, COMMON, "/run/mysqld/mysqld.sock",
     "MariaDB: Unix socket, used when `host` is empty."},
    {"acl", "user", CONFIG_TEXT, AT(acl_user), "", 0, 0, NULL, true, COMMON, "notify",
     "MariaDB: user; handlers need no more than `SELECT`. Empty: the name of the process's own user."},
    {"acl", "password_file", CONFIG_PATH, AT(acl_password_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/acl.password",
     "MariaDB: file with the user's password in its first line. Nobody but owner and group may be able to read it."},
    {"acl", "database", CONFIG_TEXT, AT(acl_database), "", 0, 0, NULL, true, COMMON, "notify",
     "MariaDB: database that has the tables of `schema/mariadb.sql`."},
    {"acl", "tls", CONFIG_BOOL, AT(acl_tls), "no", 0, 0, NULL, true, COMMON, "yes",
     "MariaDB: require TLS, and a certificate that names `host` and is signed by `tls_ca`."},
    {"acl", "tls_ca", CONFIG_PATH, AT(acl_tls_ca), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb-ca.pem",
     "MariaDB: PEM file of the authorities trusted; empty: the system's."},
    {"acl", "tls_cert", CONFIG_PATH, AT(acl_tls_cert), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb.pem",
     "MariaDB: PEM file of our own certificate, where the server asks for one."},
    {"acl", "tls_key", CONFIG_PATH, AT(acl_tls_key), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb.key",
     "MariaDB: PEM file of its private key."},

    {"outbox", "publishers", CONFIG_LIST, AT(outbox_publishers), "", 0, 0, NULL, true, COMMON, "shop",
     "Whose rows are published: names of [publish] `publishers_file`, each with its own rights, and `*` for rows that may do everything, "
     "as whoever has a token of `token_file`. A row that names nobody is the first one's. `esn-outbox` does not start without any."},
    {"outbox", "kind", CONFIG_CHOICE, AT(outbox_kind), "acl", 0, 0, outbox_kinds, true, COMMON, "mariadb",
     "Where the table `outgoing_events` is: in the database of `[acl]`, in a `sqlite` file, or in a `mariadb` server. The keys below down "
     "to `tls_key` are for the last two."},
    {"outbox", "file", CONFIG_PATH, AT(outbox_file), "", 0, 0, NULL, true, COMMON, "/srv/shop/shop.db",
     "The SQLite file. It and its folder must be writable for `esn-outbox`."},
    {"outbox", "host", CONFIG_TEXT, AT(outbox_host), "", 0, 0, NULL, true, COMMON, "10.0.0.7",
     "MariaDB: name or address of the server, reached by TCP; empty: this machine, by its Unix socket."},
    {"outbox", "port", CONFIG_NUMBER, AT(outbox_port), "0", 0, 65535, NULL, true, COMMON, "3307",
     "MariaDB: port of `host`; `0`: the usual one."},
    {"outbox", "socket", CONFIG_PATH, AT(outbox_socket), "", 0, 0, NULL, true, COMMON, "/run/mysqld/mysqld.sock",
     "MariaDB: Unix socket, used when `host` is empty."},
    {"outbox", "user", CONFIG_TEXT, AT(outbox_user), "", 0, 0, NULL, true, COMMON, "outbox",
     "MariaDB: user, with `SELECT, UPDATE, DELETE` on `outgoing_events` and `outgoing_turns`. Empty: the name of the process's own user."},
    {"outbox", "password_file", CONFIG_PATH, AT(outbox_password_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/outbox.password",
     "MariaDB: file with the user's password in its first line. Nobody but owner and group may be able to read it."},
    {"outbox", "database", CONFIG_TEXT, AT(outbox_database), "", 0, 0, NULL, true, COMMON, "shop",
     "MariaDB: the application's database."},
    {"outbox", "tls", CONFIG_BOOL, AT(outbox_tls), "no", 0, 0, NULL, true, COMMON, "yes",
     "MariaDB: require TLS, as `tls` of `[acl]` does."},
    {"outbox", "tls_ca", CONFIG_PATH, AT(outbox_tls_ca), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb-ca.pem",
     "MariaDB: PEM file of the authorities trusted; empty: the system's."},
    {"outbox", "tls_cert", CONFIG_PATH, AT(outbox_tls_cert), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb.pem",
     "MariaDB: PEM file of our own certificate, where the server asks for one."},
    {"outbox", "tls_key", CONFIG_PATH, AT(outbox_tls_key), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/mariadb.key",
     "MariaDB: PEM file of its private key."},
    {"outbox", "time_limit", CONFIG_DURATION, AT(outbox_time), "2s", 10, 60000, NULL, true, COMMON, "5s",
     "How long one statement may take, and, in SQLite, how long it waits for others who write."},
    {"outbox", "doorbell", CONFIG_TEXT, AT(outbox_doorbell), "", 0, 0, NULL, false, COMMON, "127.0.0.1:8012",
     "Where applications ring after COMMIT, with a datagram of any content, so that new rows are looked for at once: `unix:/path` or "
     "`host:port` (UDP). Under systemd `esn-outbox.socket` has it. Nothing: rows are found by looking (`poll_min`, `poll_max`)."},
    {"outbox", "poll_min", CONFIG_DURATION, AT(outbox_poll_min), "5ms", 1, 60000, NULL, true, COMMON, "20ms",
     "How soon new rows are looked for after some were found; each time there is none, it is twice as long, up to `poll_max`."},
    {"outbox", "poll_max", CONFIG_DURATION, AT(outbox_poll_max), "500ms", 1, 10000, NULL, true, COMMON, "100ms",
     "How long a row waits at most that nobody rang for, while all is well."},
    {"outbox", "retry_time", CONFIG_DURATION, AT(outbox_retry), "1s", 10, 60000, NULL, true, COMMON, "5s",
     "Longest pause before the next try while the daemon or a database does not answer; the first ones are shorter."},
    {"outbox", "hold_failed", CONFIG_BOOL, AT(outbox_hold_failed), "no", 0, 0, NULL, true, COMMON, "yes",
     "What becomes of a queue whose row was refused for ever: `no`, the row is marked as failed and those behind it are published; `yes`, "
     "they wait until `esnctl outbox` retries or drops it."},
    {"outbox", "batch", CONFIG_NUMBER, AT(outbox_batch), "200", 1, 1000, NULL, true, EXPERT, "50",
     "Most rows that are read, published and deleted in one go."},
    {"outbox", "batch_size", CONFIG_SIZE, AT(outbox_batch_size), "8M", 65536, 1073741824, NULL, true, EXPERT, "64M",
     "Most bytes of rows in one go; one row may be larger."},

    {"bind_key", "private_key_file", CONFIG_PATH, AT(bind_key_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/bind.key",
     "PEM file of the RSA key (2,048 bits or more, without passphrase) that decrypts bind keys. Nobody but owner and group may "
     "be able to read it. Without one every bind key of a post is refused."},
    {"bind_key", "padding", CONFIG_CHOICE, AT(bind_key_padding), "pkcs1", 0, 0, paddings, true, COMMON, "oaep",
     "`pkcs1`: PKCS#1 v1.5, what PHP's `openssl_public_encrypt()` does unless told otherwise. `oaep`: OAEP with SHA-1, "
     "`OPENSSL_PKCS1_OAEP_PADDING`."},
    {"bind_key", "tolerance", CONFIG_DURATION, AT(bind_key_tolerance), "3s", 0, 3600000, NULL, true, COMMON, "10s",
     "How old a bind key may be, in whole seconds."},
    {"bind_key", "skew", CONFIG_DURATION, AT(bind_key_skew), "1s", 0, 3600000, NULL, true, EXPERT, "0s",
     "How far the clocks of application and handlers may be apart, in whole seconds: so much older, or from the future, a bind "
     "key may be."},

    {"password", "remember_time", CONFIG_DURATION, AT(password_remember), "30s", 0, 3600000, NULL, true, EXPERT, "5m",
     "How long a right password is remembered in memory, since hashing is slow by intent; `0s`: not at all."},
    {"password", "wrong_at_once", CONFIG_NUMBER, AT(password_wrong_at_once), "5", 0, 1000000, NULL, true, EXPERT, "20",
     "How many wrong passwords may be tried on one topic (for each worker) before tries have to grow back; `0`: no limit."},
    {"password", "wrong_time", CONFIG_DURATION, AT(password_wrong_time), "10s", 1, 86400000, NULL, true, EXPERT, "1m",
     "After how long one more try has grown back."},

    {"token", "keys_file", CONFIG_PATH, AT(token_keys_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/token.keys",
     "Keys that verify access tokens: secrets of 32 characters or more, one a line; public keys and certificates in PEM; or a JWK "
     "Set. A file with secrets may be open to owner and group alone. Without one no access tokens are taken."},
    {"token", "jwks_url", CONFIG_TEXT, AT(token_jwks_url), "", 0, 0, NULL, true, COMMON,
     "https://login.shop.example/jwks.json",
     "Address of a JWK Set, whose public keys verify access tokens too. Redirects are not followed and no proxy is used. The last good "
     "set is kept while the server is away, by each worker process."},
    {"token", "jwks_time", CONFIG_DURATION, AT(token_jwks_time), "10m", 1000, 86400000, NULL, true, COMMON, "1h",
     "How long that set is kept before it is asked for again. A token that names a key that is not in it has it asked for at once, but "
     "not more often than every ten seconds."},
    {"token", "time_limit", CONFIG_DURATION, AT(token_time), "2s", 10, 60000, NULL, true, COMMON, "500ms",
     "How long that server may take for the whole answer."},
    {"token", "down_time", CONFIG_DURATION, AT(token_down_time), "1s", 0, 60000, NULL, true, EXPERT, "5s",
     "How long one that did not answer in time counts as down, as `down_time` of `[acl]` says it."},
    {"token", "ca_file", CONFIG_PATH, AT(token_ca_file), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/jwks-ca.pem",
     "PEM file of the authorities that may have signed that server's certificate; empty: the system's."},
    {"token", "issuer", CONFIG_TEXT, AT(token_issuer), "", 0, 0, NULL, true, COMMON, "https://shop.example",
     "What `iss` of an access token has to be. Nothing: anything, or nothing."},
    {"token", "audience", CONFIG_TEXT, AT(token_audience), "", 0, 0, NULL, true, COMMON, "es-web-notify",
     "What `aud` of an access token has to be, or have among others. Nothing: anything, or nothing."},
    {"token", "sign_file", CONFIG_PATH, AT(token_sign_file), "", 0, 0, NULL, true, COMMON, "/etc/es-web-notify/token.secret",
     "What signs the access tokens that `POST /token` gives out: a secret of 32 characters or more in the first line (HS256; those "
     "of further lines verify too), or a private key in PEM (RSA: RS256; P-256: ES256; Ed25519: EdDSA). Nobody but owner and group may be able to read "
     "it. Without one `POST /token` is answered `404`."},
    {"token", "access_time", CONFIG_DURATION, AT(token_access_time), "5m", 10000, 86400000, NULL, true, COMMON, "10m",
     "How long an access token of `POST /token` is good."},
    {"token", "refresh_time", CONFIG_DURATION, AT(token_refresh_time), "30d", 60000, 31536000000ULL, NULL, true, COMMON, "12h",
     "How long after the bind key its refresh tokens are good, all of one family."},
    {"token", "store", CONFIG_CHOICE, AT(token_store), "sqlite", 0, 0, token_stores, true, COMMON, "redis",
     "Where families of refresh tokens are kept: in `store_file`, or in [redis]. Of a token, only its hash."},
    {"token", "store_file", CONFIG_PATH, AT(token_store_file), "/var/lib/es-web-notify/tokens.db", 0, 0, NULL, true, COMMON,
     "/srv/notify/tokens.db",
     "The SQLite file, which `esn-subscribe` makes; it and its folder must be writable for it. All hosts of `esn-subscribe` need one "
     "store, so with several it is [redis]."},
    {"token", "cookie", CONFIG_BOOL, AT(token_cookie), "no", 0, 0, NULL, true, COMMON, "yes",
     "`yes`: the refresh token travels in a cookie that no script can read (`__Host-esn-refresh`), and `/token` answers pages of the "
     "same site alone."},
    {"token", "skew", CONFIG_DURATION, AT(token_skew), "2s", 0, 3600000, NULL, true, EXPERT, "0ms",
     "How far the clocks of who signs access tokens and of `esn-subscribe` may be apart."},
    {"ticket", "secret_file", CONFIG_PATH, AT(ticket_secret_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/ticket.secret",
     "Secrets that sign the tickets with which `esn-subscribe` hands subscribers to the daemon, one a line, 32 characters or "
     "more; the first signs, all are accepted, so that they can be rotated. Nobody but owner and group may be able to read "
     "the file. Without one every ticket is refused, and so there are no bound subscriptions."},
    {"ticket", "life", CONFIG_DURATION, AT(ticket_life), "10s", 1000, 3600000, NULL, true, COMMON, "5s",
     "How long a ticket that `esn-subscribe` signs is valid."},
    {"ticket", "life_max", CONFIG_DURATION, AT(ticket_life_max), "1m", 1000, 3600000, NULL, true, EXPERT, "10s",
     "Longest life of a ticket that the daemon accepts; a backend may sign tickets too."},
    {"ticket", "skew", CONFIG_DURATION, AT(ticket_skew), "2s", 0, 3600000, NULL, true, EXPERT, "0ms",
     "How far the clocks of who signs and who accepts may be apart."},
    {"ticket", "max_used", CONFIG_NUMBER, AT(ticket_max_used), "1000000", 1000, 100000000, NULL, false, EXPERT,
     "100000",
     "How many used tickets the daemon remembers while they live (24 bytes each), so that none is used twice; past it "
     "subscribers with tickets are told to try again."},

    {"subscribe", "url", CONFIG_TEXT, AT(subscribe_url), "", 0, 0, NULL, true, COMMON,
     "https://shop.example/notify/",
     "Public address of `esn-subscribe`. A client that brings a bind key to the daemon itself is sent there (`307`); without "
     "it the answer is `400`."},
    {"subscribe", "open", CONFIG_LIST, AT(open_topics), CONFIG_OPEN_EVERYTHING, 0, 0, NULL, true, COMMON, "news/# status",
     "Topics that anybody may hear without being bound or granted, patterns separated by blanks, or `everything`; empty: "
     "none. A subscription has to be covered whole: `#` is refused where `news/#` is open. `esn-subscribe` and the daemon "
     "both look at it. Presence has a key of its own."},
    {"subscribe", "presence", CONFIG_CHOICE, AT(presence), "public", 0, 0, presences, true, COMMON, "proven",
     "Who may watch which clients are there (`@CONNECTION@/...`): `public`, anybody; `proven`, whoever has shown who it is, "
     "by a bind key, an access token or a ticket with a user."},
    {"subscribe", "threads", CONFIG_NUMBER, AT(subscribe_threads), "8", 1, 256, NULL, true, COMMON, "32",
     "How many subscribers one worker process of `esn-subscribe --workers` serves at once. A thread waits while the binding "
     "server thinks."},

    {"binding", "mode", CONFIG_CHOICE, AT(binding_mode), "server", 0, 0, bindings, true, COMMON, "rsa",
     "`server`: the bind key is sent to the application's own binding server, which knows its sessions. `rsa`: the key is "
     "of the kind that publishers make, and is read here with `[bind_key] private_key_file`. `redis`: the key names a PHP session, "
     "which is looked up where PHP keeps it, in [redis]; no PHP is asked."},
    {"binding", "private_key_file", CONFIG_PATH, AT(binding_key_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/subscribe.key",
     "For `redis`: PEM file of the RSA key that decrypts the bind keys of subscribers, with `padding`, `tolerance` and `skew` of "
     "[bind_key]. Nobody but owner and group may be able to read it."},
    {"binding", "url", CONFIG_TEXT, AT(binding_url), "", 0, 0, NULL, true, COMMON, "https://shop.example/binding.php",
     "Address of the binding server. The bind key is the body of the request; the answer is the user's id as JSON. Without "
     "an address whoever brings a bind key is answered `400`. Redirects are not followed and no proxy is used."},
    {"binding", "method", CONFIG_TEXT, AT(binding_method), "RETREIVE", 0, 0, NULL, true, COMMON, "POST",
     "HTTP method of that request. `RETREIVE`, so spelt, is what the binding servers of the original expect."},
    {"binding", "time_limit", CONFIG_DURATION, AT(binding_time), "2s", 10, 60000, NULL, true, COMMON, "500ms",
     "How long the binding server may take for the whole answer; then the subscriber is answered `503` with "
     "`Retry-After`."},
    {"binding", "down_time", CONFIG_DURATION, AT(binding_down_time), "1s", 0, 60000, NULL, true, EXPERT, "5s",
     "How long a binding server that did not answer in time counts as down, as `down_time` of `[acl]` says it."},
    {"binding", "ca_file", CONFIG_PATH, AT(binding_ca_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/binding-ca.pem",
     "PEM file of the authorities that may have signed the binding server's certificate; empty: the system's. The "
     "certificate of an `https` address is always checked."},
    {"binding", "max_answer", CONFIG_SIZE, AT(binding_max_answer), "4k", 64, 1048576, NULL, true, EXPERT, "1k",
     "Largest answer of the binding server that is read."},

    {"redis", "url", CONFIG_TEXT, AT(redis_url), "", 0, 0, NULL, false, COMMON, "redis://127.0.0.1:6379/0",
     "Where Redis is: `redis://host:port/database`, or `unix:/path` (`unix:/path?db=1`). Without one nothing asks Redis. There is no "
     "TLS: keep it on this machine or behind a tunnel."},
    {"redis", "user", CONFIG_TEXT, AT(redis_user), "", 0, 0, NULL, false, COMMON, "notify",
     "The user of its ACL. Nothing: the default user."},
    {"redis", "password_file", CONFIG_PATH, AT(redis_password_file), "", 0, 0, NULL, false, COMMON,
     "/etc/es-web-notify/redis.password",
     "File with the password in its first line. Nobody but owner and group may be able to read it."},
    {"redis", "connect_time", CONFIG_DURATION, AT(redis_connect_time), "1s", 10, 60000, NULL, true, COMMON, "300ms",
     "How long looking its name up, connecting and logging in may take together."},
    {"redis", "time_limit", CONFIG_DURATION, AT(redis_time), "500ms", 10, 60000, NULL, true, COMMON, "100ms",
     "How long one command may take; then who needs it is answered `503` with `Retry-After`."},
    {"redis", "sentinels", CONFIG_LIST, AT(redis_sentinels), "", 0, 0, NULL, false, COMMON, "10.0.0.5:26379 10.0.0.6:26379",
     "Sentinels, each `host:port`, that say where the master is now; of `url` only the database counts then. Asked at each connecting, "
     "one after the other."},
    {"redis", "sentinel_master", CONFIG_TEXT, AT(redis_sentinel_master), "mymaster", 0, 0, NULL, false, COMMON, "notify",
     "The name by which the sentinels know the master."},
    {"redis", "wait_replicas", CONFIG_NUMBER, AT(redis_wait_replicas), "0", 0, 16, NULL, false, COMMON, "1",
     "With [bus] `engine = redis`: how many replicas have to have an event before its post is answered `200`; fewer within [publish] "
     "`time_limit`: `503` (docs/reliability.md)."},
    {"redis", "session_prefix", CONFIG_TEXT, AT(redis_session_prefix), "PHPREDIS_SESSION:", 0, 0, NULL, false, COMMON,
     "shop_session:",
     "What stands before a session's id in the name of its key: `prefix=` of PHP's `session.save_path`."},
    {"redis", "session_serializer", CONFIG_CHOICE, AT(redis_session_serializer), "php", 0, 0, session_serializers, false,
     COMMON, "php_serialize", "How sessions are written: PHP's `session.serialize_handler`, or `json`."},
    {"redis", "session_user", CONFIG_TEXT, AT(redis_session_user), "uid", 0, 0, NULL, false, COMMON, "user.id",
     "Where the user's id is in a session: `uid` for `$_SESSION['uid']`, `user.id` for `$_SESSION['user']['id']` or "
     "`$_SESSION['user']->id`. A session that has nothing there is one without a user."},
    {"redis", "watch_sessions", CONFIG_BOOL, AT(redis_watch_sessions), "yes", 0, 0, NULL, false, COMMON, "no",
     "`esn-fanout` listens for the ends of sessions, and ends the streams of those that were deleted, have expired, were emptied or are "
     "another user's now. Redis needs `notify-keyspace-events K$gxe` for it (or `KA`); what it did meanwhile is looked up after "
     "each break of the connection, and from time to time (`check_time`)."},
    {"redis", "check_time", CONFIG_DURATION, AT(redis_check_time), "1m", 0, 86400000, NULL, false, EXPERT, "5m",
     "How often `esn-fanout` looks whether the sessions of all streams are still there, since Redis says nothing of some ends: `FLUSHDB`, or "
     "a replica that takes over the data of another. It goes through the keys by `SCAN`, a few hundred at a time, and takes no more than a "
     "twentieth of the time, however many there are. `0`: never."},
    {"redis", "down_time", CONFIG_DURATION, AT(redis_down_time), "1s", 0, 60000, NULL, true, EXPERT, "5s",
     "How long a Redis that did not answer in time counts as down, as `down_time` of `[acl]` says it."},
    {"redis", "max_answer", CONFIG_SIZE, AT(redis_max_answer), "1M", 4096, 536870912, NULL, true, EXPERT, "64k",
     "Largest answer that is read; a session that is larger is none."},

    {"handoff", "mode", CONFIG_CHOICE, AT(handoff_mode), "accel", 0, 0, handoffs, true, COMMON, "redirect",
     "`accel`: nginx passes the request on (`X-Accel-Redirect`). `local`: Apache with mod_fcgid, or any server with plain "
     "CGI, does (local redirect). `redirect`: the client goes to the daemon's public address itself (`303`), which works "
     "behind every web server and holds none of its threads. `json`: the client gets ticket and address as JSON."},
    {"handoff", "prefix", CONFIG_TEXT, AT(handoff_prefix), "/_fanout/", 0, 0, NULL, true, COMMON, "/internal/notify/",
     "For `accel` and `local`: the path, for internal use alone, that the web server passes on to the daemon's `/`."},
    {"handoff", "url", CONFIG_TEXT, AT(handoff_url), "", 0, 0, NULL, true, COMMON, "https://stream.shop.example/",
     "For `redirect` and `json`: the public address of the daemon's `/`."},

    {"web", "origins", CONFIG_LIST, AT(web_origins), "*", 0, 0, NULL, true, COMMON,
     "https://shop.example https://www.shop.example",
     "Origins whose pages may read what the broker answers (`Access-Control-Allow-Origin`) and open WebSockets: `*`, any, or a "
     "list as browsers write them, `https://host` and a port where it is not the usual one. With a list pages may send their "
     "cookies along. The web server's own answers of `deploy/` have `*`."},

    {"admin", "token_file", CONFIG_PATH, AT(admin_token_file), "", 0, 0, NULL, true, COMMON,
     "/etc/es-web-notify/admin.token",
     "File of admin tokens, one a line, for `/connections`, `/state`, `/memory` and `/metrics` (`token=` in the query or "
     "`Authorization: Bearer`). Without one these routes answer `401` to everybody, but for `[metrics] addresses`."},

    {"metrics", "addresses", CONFIG_LIST, AT(metrics_addresses), "", 0, 0, NULL, true, COMMON, "127.0.0.1 10.0.0.0/8",
     "Who may read `/metrics` without the admin token: addresses and ranges of them. Behind a trusted proxy it is the client's own "
     "address that counts; what another proxy passes on needs the token. Nobody, when it is empty."},
    {"metrics", "listen", CONFIG_LIST, AT(metrics_listen), "", 0, 0, NULL, false, COMMON, "10.0.0.5:9308",
     "Where `esn-fanout` answers `/metrics`, `/healthz` and `/readyz`, and nothing else, beside the addresses of `[fanout] listen`, "
     "where they are as well; written as there. It is another door, not another rule: `addresses` and the admin token count here too."},
    {"metrics", "listen_event", CONFIG_TEXT, AT(metrics_listen_event), "", 0, 0, NULL, false, COMMON, "10.0.0.5:9309",
     "Where `esn-event` with `--workers` answers `/metrics`, for all of its workers together and for `addresses` alone: it knows no "
     "admin token. Empty: nowhere."},
    {"metrics", "listen_subscribe", CONFIG_TEXT, AT(metrics_listen_subscribe), "", 0, 0, NULL, false, COMMON, "10.0.0.5:9310",
     "The same of `esn-subscribe`."},

    {"log", "max_bytes", CONFIG_SIZE, AT(log_max_bytes), "64M", 0, 1099511627776, NULL, true, COMMON, "1G",
     "Memory for recent events, so that clients that come back get what they missed; the oldest are forgotten first. `0` "
     "keeps none."},
    {"log", "max_age", CONFIG_DURATION, AT(log_max_age), "1h", 1000, 2592000000ULL, NULL, true, COMMON, "10m",
     "How long events are kept for clients that come back."},
    {"log", "max_kept", CONFIG_SIZE, AT(log_max_kept), "64M", 0, 1099511627776, NULL, true, COMMON, "256M",
     "Memory for the last values of topics (events that are published with `\"keep\": true`), which those get who subscribe later. "
     "They are kept however old they are. When there is no room for another one, the oldest is let go of, which the messages and "
     "`kept_let_go` of `/state` tell; a single one may have half of it. `0`: such events are refused."},
    {"log", "max_departed", CONFIG_NUMBER, AT(log_max_departed), "100000", 0, 100000000, NULL, true, EXPERT,
     "10000",
     "How many ended streams are remembered (80 bytes each, for `max_age`), so that a client that proves that it is the "
     "same one keeps its connection id and gets the whispers it missed."},
    {"log", "report_time", CONFIG_DURATION, AT(report_time), "10m", 1000, 86400000, NULL, true, COMMON, "1h",
     "How long it is remembered who had an event that was posted with `report`. A restart of the daemon forgets it."},
    {"log", "max_report_bytes", CONFIG_SIZE, AT(max_report_bytes), "64M", 0, 1099511627776, NULL, true, EXPERT, "256M",
     "Memory for reports, about 200 bytes for each stream that an event was sent to; the oldest are forgotten first. `0` "
     "remembers none."},
    {"log", "max_decisions_bytes", CONFIG_SIZE, AT(max_decisions_bytes), "4M", 0, 1099511627776, NULL, true, EXPERT, "16M",
     "Memory for what `esnctl explain` answers from beside the log: when streams began, ended, took topics and let them go, and "
     "why subscriptions and posts were refused, 40 to 200 bytes each; the oldest is forgotten first. `0` keeps nothing."},
    {"log", "path", CONFIG_PATH, AT(log_path), "", 0, 0, NULL, false, COMMON, "/var/lib/es-web-notify/log/events",
     "File that keeps the log, so that a daemon that ended in whatever way goes on with it when it starts again: clients get "
     "what they missed, and an `id` that was posted before is recognised. Needs a folder of the daemon's own, beside it lie "
     "`-wal`, `-mark` and `-key`; one daemon, one file. Empty: the log is in memory alone. `max_bytes` and `max_age` bound it too."},
    {"log", "sync", CONFIG_CHOICE, AT(log_sync), "always", 0, 0, log_syncs, false, COMMON, "interval",
     "`always`: an event is delivered and acknowledged when it is on the disk; nothing that was answered `200` is ever "
     "missing, and while the disk is full or broken posts are answered `503`. `interval`: events are delivered at once and written "
     "every `sync_interval`. `never`: likewise, but written as they come, and the system says when they reach the disk: a "
     "daemon that is killed loses next to nothing, a machine that loses its power what was on the way. In both, clients "
     "that come back after such an end are told that they may have missed something."},
    {"log", "sync_interval", CONFIG_DURATION, AT(log_sync_interval), "1s", 1, 3600000, NULL, false, COMMON, "100ms",
     "For `sync = interval`."},
    {"log", "max_unsynced", CONFIG_SIZE, AT(log_max_unsynced), "16M", 65536, 1099511627776, NULL, false, EXPERT,
     "64M", "Most memory of events on their way to the disk; beyond it events are refused at once, which posts see as `503`."},

    {"messages", "level", CONFIG_CHOICE, AT(message_level), "info", 0, 0, log_levels, true, COMMON, "debug",
     "The least weight that is written: `error`, `warning`, `info` or `debug`."},
    {"messages", "destination", CONFIG_CHOICE, AT(message_destination), "stderr", 0, 0, log_destinations, true, COMMON,
     "journal",
     "`stderr`: lines with time and level on standard error. `journal`: the same stream with the journal's priority "
     "prefixes and no time; chosen by itself when standard error is the journal's."},
    {"messages", "format", CONFIG_CHOICE, AT(message_format), "text", 0, 0, log_formats, true, COMMON, "json",
     "`text`: the message, then `key=value`. `json`: each line is a JSON object in ASCII with the same fields, beside `time` (which the "
     "journal does not get), `level`, `program` and `message`, whatever strangers send; bytes that are no UTF-8 become U+FFFD, and what "
     "was cut at 4 KB has `\"cut\":true`."},
    {"messages", "access_rate", CONFIG_NUMBER, AT(message_access_rate), "60", 0, 60000, NULL, true, COMMON, "0",
     "Lines of the access log that `esn-fanout` writes a minute for each client address, and for each publisher, at level `info`: who "
     "subscribed to how many topics by which transport, why streams ended, what was posted and what was refused (docs/operate.md). As "
     "many may come at once. `0`: no access log."},
    {"messages", "access_total", CONFIG_NUMBER, AT(message_access_total), "6000", 1, 60000, NULL, true, EXPERT, "60000",
     "The most of all together, of which a tenth may come at once, so that strangers with many addresses do not fill the disk. How many "
     "lines were left out is said once a minute. At level `debug` neither counts."},
    {"messages", "burst", CONFIG_NUMBER, AT(message_burst), "100", 0, 1000000, NULL, true, EXPERT, "1000",
     "Most lines of one kind that a program writes at once before `rate` counts, so that strangers cannot fill the disk with "
     "them; the next line of that kind says how many were left out. `0`, and level `debug`: no limit."},
    {"messages", "rate", CONFIG_NUMBER, AT(message_rate), "60", 1, 60000, NULL, true, EXPERT, "6",
     "How many lines of one kind are written a minute after that."},
    {"messages", "buffer", CONFIG_SIZE, AT(message_buffer), "256k", 8192, 1073741824, NULL, false, EXPERT, "1M",
     "Bytes of lines that may wait for whoever reads them. The programs never do: lines that find no room are lost, and how "
     "many is said when there is room again."},
    {NULL, NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL, false, COMMON, NULL, NULL},
};

/* clang-format on */

const struct config_key *config_key_find(const char *section, const char *name)
{
    for (const struct config_key *key = config_keys; key->section != NULL; key++) {
        if (strcmp(key->section, section) == 0 && strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

bool config_list_has(char *const *words, const char *word)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}
