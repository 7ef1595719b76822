#include "redis/redis_client.h"

#include "clock.h"
#include "name_lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* hiredis reads and writes the protocol; when is ours to say: its own limits are for each system
 * call, so that an answer that drips in would never end. */
struct redis_client {
    struct redis_options options;
    redisContext *context; /* NULL: not connected */
    char *error;           /* of the call at hand */
    bool was_refused;      /* at the last connecting */
    size_t unasked;        /* answers that come before the one that is waited for */
};

/* LOST is false: the connection is gone, which has been said. */
enum { WAIT_LOST = false, WAIT_GOOD, WAIT_OVER, WAIT_WOKEN };

struct redis_client *redis_client_open(const struct redis_options *options)
{
    struct redis_client *client = calloc(1, sizeof *client);
    if (client != NULL)
        client->options = *options;
    return client;
}

void redis_client_disconnect(struct redis_client *client)
{
    if (client->context != NULL)
        redisFree(client->context);
    client->context = NULL;
    client->unasked = 0;
}

bool redis_client_is_connected(const struct redis_client *client)
{
    return client->context != NULL;
}

bool redis_client_was_refused(const struct redis_client *client)
{
    return client->was_refused;
}

void redis_client_set_limits(struct redis_client *client, uint64_t connect_ms, uint64_t limit_ms)
{
    client->options.connect_ms = connect_ms;
    client->options.limit_ms = limit_ms;
}

void redis_client_close(struct redis_client **client)
{
    if (*client == NULL)
        return;
    redis_client_disconnect(*client);
    free(*client);
    *client = NULL;
}

static bool fail(struct redis_client *client, const char *words, const char *more)
{
    (void)snprintf(client->error, REDIS_CLIENT_ERROR_SIZE, "%.80s%s%.160s", words,
                   *more != '\0' ? ": " : "", more);
    return false;
}

static bool lose(struct redis_client *client, const char *words, const char *more)
{
    (void)fail(client, words, more);
    redis_client_disconnect(client);
    return false;
}

/* ---- waiting ---- */

static int wait_for(int file, short events, int wake, uint64_t deadline_ms)
{
    for (;;) {
        struct pollfd files[] = {{.fd = file, .events = events}, {.fd = wake, .events = POLLIN}};
        uint64_t now = clock_monotonic_ms();
        int left_ms = now >= deadline_ms                ? 0
                      : deadline_ms - now > 1000 * 1000 ? 1000 * 1000
                                                        : (int)(deadline_ms - now);
        int ready = poll(files, 2, left_ms);
        if (ready > 0 && files[1].revents != 0)
            return WAIT_WOKEN;
        if (ready > 0)
            return WAIT_GOOD;
        if (ready == 0 && clock_monotonic_ms() >= deadline_ms)
            return WAIT_OVER;
        if (ready < 0 && errno != EINTR)
            return WAIT_OVER;
    }
}

/* ---- connecting ---- */

static int connect_within(int file, const struct sockaddr *address, socklen_t size,
                          uint64_t deadline_ms)
{
    int code = 0;
    socklen_t code_size = sizeof code;
    if (connect(file, address, size) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (wait_for(file, POLLOUT, -1, deadline_ms) != WAIT_GOOD)
        return ETIMEDOUT;
    return getsockopt(file, SOL_SOCKET, SO_ERROR, &code, &code_size) == 0 ? code : errno;
}

/* A connected socket that does not block; -1 with the reason in *code. */
static int open_socket(const struct sockaddr *address, socklen_t size, uint64_t deadline_ms,
                       int *code)
{
    const int on = 1;
    int file = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *code = file < 0 ? errno : connect_within(file, address, size, deadline_ms);
    if (*code == 0) {
        if (address->sa_family != AF_UNIX) {
            (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            (void)setsockopt(file, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        }
        return file;
    }
    if (file >= 0)
        (void)close(file);
    return -1;
}

static void note_refusal(struct redis_client *client, int code)
{
    client->was_refused = code == ECONNREFUSED || code == ENOENT;
}

static int open_unix(struct redis_client *client, uint64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int code;
    _Static_assert(sizeof address.sun_path >= REDIS_URL_SOCKET_SIZE, "a path has to fit");
    memcpy(address.sun_path, client->options.url.socket, sizeof client->options.url.socket);
    int file = open_socket((const struct sockaddr *)&address, sizeof address, deadline_ms, &code);
    note_refusal(client, code);
    if (file < 0)
        (void)fail(client, client->options.url.socket, strerror(code));
    return file;
}

static int open_tcp(struct redis_client *client, uint64_t deadline_ms)
{
    const struct redis_options *options = &client->options;
    struct net_address found;
    if (options->locate != NULL && !options->locate(options, deadline_ms, &found, client->error))
        return -1;
    const struct net_address *address =
        options->locate != NULL ? &found : &client->options.url.address;
    char fault[NAME_LOOKUP_ERROR_SIZE];
    int file = -1, code = 0;
    struct addrinfo *all = name_lookup(address->host, address->port, deadline_ms, fault);
    if (all == NULL) {
        (void)fail(client, "no address", fault);
        return -1;
    }
    for (const struct addrinfo *one = all; one != NULL && file < 0; one = one->ai_next)
        file = open_socket(one->ai_addr, one->ai_addrlen, deadline_ms, &code);
    freeaddrinfo(all);
    note_refusal(client, code);
    if (file < 0)
        (void)fail(client, address->host, strerror(code));
    return file;
}

static bool send_words(struct redis_client *client, const struct redis_word *words, size_t count,
                       uint64_t deadline_ms);
static redisReply *read_reply(struct redis_client *client, uint64_t deadline_ms);

/* An answer that is not an error, to be freed; else it is in client->error. */
static redisReply *exchange(struct redis_client *client, const struct redis_word *words,
                            size_t count, uint64_t deadline_ms)
{
    if (!send_words(client, words, count, deadline_ms))
        return NULL;
    redisReply *reply = read_reply(client, deadline_ms);
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return reply;
    (void)fail(client, "Redis says", reply->str);
    freeReplyObject(reply);
    return NULL;
}

static bool exchange_texts(struct redis_client *client, uint64_t deadline_ms, const char *first,
                           const char *second, const char *third)
{
    struct redis_word words[3] = {{first, strlen(first)}};
    size_t count = 1;
    if (second != NULL)
        words[count++] = (struct redis_word){second, strlen(second)};
    if (third != NULL)
        words[count++] = (struct redis_word){third, strlen(third)};
    redisReply *reply = exchange(client, words, count, deadline_ms);
    bool good = reply != NULL;
    if (good)
        freeReplyObject(reply);
    return good;
}

/* Who was asked for the master may not know yet that it is another one. */
static bool is_master(struct redis_client *client, uint64_t deadline_ms)
{
    const struct redis_word role = {"ROLE", 4};
    redisReply *reply = exchange(client, &role, 1, deadline_ms);
    if (reply == NULL)
        return false;
    bool master = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                  reply->element[0]->type == REDIS_REPLY_STRING &&
                  strcmp(reply->element[0]->str, "master") == 0;
    freeReplyObject(reply);
    return master || fail(client, "the Redis that the sentinels name is no master", "");
}

static bool greet(struct redis_client *client, uint64_t deadline_ms)
{
    const struct redis_options *options = &client->options;
    char database[12];
    (void)snprintf(database, sizeof database, "%u", options->url.database);
    if (options->password != NULL &&
        !exchange_texts(client, deadline_ms, "AUTH",
                        options->user != NULL ? options->user : options->password,
                        options->user != NULL ? options->password : NULL))
        return false;
    return (options->url.database == 0 ||
            exchange_texts(client, deadline_ms, "SELECT", database, NULL)) &&
           (options->locate == NULL || is_master(client, deadline_ms));
}

static bool connect_to(struct redis_client *client)
{
    uint64_t deadline_ms = clock_monotonic_ms() + client->options.connect_ms;
    client->was_refused = false;
    bool is_file = client->options.locate == NULL && client->options.url.socket[0] != '\0';
    int file = is_file ? open_unix(client, deadline_ms) : open_tcp(client, deadline_ms);
    if (file < 0)
        return false;
    client->context = redisConnectFd(file);
    if (client->context == NULL || client->context->err != 0) {
        if (client->context == NULL)
            (void)close(file);
        return lose(client, "no memory for a connection", "");
    }
    client->context->flags &= ~REDIS_BLOCK;
    if (greet(client, deadline_ms))
        return true;
    redis_client_disconnect(client);
    return false;
}

/* Between two commands nothing comes: what can be read is the end, or nothing that we asked for. */
static bool is_connected(const struct redis_client *client)
{
    struct pollfd file = {.fd = client->context != NULL ? client->context->fd : -1,
                          .events = POLLIN};
    return client->context != NULL && poll(&file, 1, 0) == 0;
}

/* ---- commands and answers ---- */

static bool append_words(struct redis_client *client, const struct redis_word *words, size_t count)
{
    const char **texts = calloc(count, sizeof *texts);
    size_t *lengths = calloc(count, sizeof *lengths);
    bool good = texts != NULL && lengths != NULL;
    for (size_t i = 0; good && i < count; i++) {
        texts[i] = words[i].text;
        lengths[i] = words[i].length;
    }
    good = good && redisAppendCommandArgv(client->context, (int)count, texts, lengths) == REDIS_OK;
    free(texts);
    free(lengths);
    return good;
}

static bool send_words(struct redis_client *client, const struct redis_word *words, size_t count,
                       uint64_t deadline_ms)
{
    if (!append_words(client, words, count))
        return lose(client, "no memory for a command", "");
    for (int done = 0; done == 0;) {
        if (wait_for(client->context->fd, POLLOUT, -1, deadline_ms) != WAIT_GOOD)
            return lose(client, "Redis does not take a command in time", "");
        if (redisBufferWrite(client->context, &done) != REDIS_OK)
            return lose(client, "the connection is lost", client->context->errstr);
    }
    return true;
}

/* Reads until a reply is whole, the deadline is over or `wake` can be read; *reply stays NULL
 * without a reply. */
static int read_until(struct redis_client *client, int wake, uint64_t deadline_ms, void **reply)
{
    redisContext *context = client->context;
    for (;;) {
        if (redisGetReplyFromReader(context, reply) != REDIS_OK)
            return lose(client, "what Redis answers is not its protocol", context->errstr);
        if (*reply != NULL)
            return WAIT_GOOD;
        if (context->reader->len > client->options.max_answer)
            return lose(client, "the answer is larger than [redis] max_answer", "");
        int waited = wait_for(context->fd, POLLIN, wake, deadline_ms);
        if (waited != WAIT_GOOD)
            return waited;
        if (redisBufferRead(context) != REDIS_OK)
            return lose(client, "the connection is lost", context->errstr);
    }
}

static redisReply *read_reply(struct redis_client *client, uint64_t deadline_ms)
{
    void *reply = NULL;
    int waited = read_until(client, -1, deadline_ms, &reply);
    for (; waited == WAIT_GOOD && client->unasked > 0; client->unasked--) {
        freeReplyObject(reply);
        reply = NULL;
        waited = read_until(client, -1, deadline_ms, &reply);
    }
    if (waited == WAIT_OVER)
        (void)lose(client, "Redis does not answer in time", "");
    return reply;
}

bool redis_client_connect(struct redis_client *client, char error[REDIS_CLIENT_ERROR_SIZE])
{
    client->error = error;
    error[0] = '\0';
    return client->context != NULL || connect_to(client);
}

static bool prepare_to_ask(struct redis_client *client, char error[REDIS_CLIENT_ERROR_SIZE])
{
    client->error = error;
    error[0] = '\0';
    if (is_connected(client))
        return true;
    redis_client_disconnect(client);
    return client->options.by_hand ? fail(client, "the connection is lost", "")
                                   : connect_to(client);
}

bool redis_client_queue(struct redis_client *client, const struct redis_word *words, size_t count)
{
    if (client->context == NULL || !append_words(client, words, count))
        return false;
    client->unasked++;
    return true;
}

bool redis_client_send(struct redis_client *client, const struct redis_word *words, size_t count,
                       char error[REDIS_CLIENT_ERROR_SIZE])
{
    return prepare_to_ask(client, error) &&
           send_words(client, words, count, clock_monotonic_ms() + client->options.limit_ms);
}

struct redis_answer *redis_client_ask(struct redis_client *client, const struct redis_word *words,
                                      size_t count, char error[REDIS_CLIENT_ERROR_SIZE])
{
    if (!prepare_to_ask(client, error))
        return NULL;
    return (struct redis_answer *)exchange(client, words, count,
                                           clock_monotonic_ms() + client->options.limit_ms);
}

struct redis_answer *redis_client_next(struct redis_client *client, int wake, uint64_t wait_ms,
                                       char error[REDIS_CLIENT_ERROR_SIZE])
{
    client->error = error;
    error[0] = '\0';
    if (client->context == NULL) {
        (void)fail(client, "not connected", "");
        return NULL;
    }
    void *reply = NULL;
    (void)read_until(client, wake, clock_monotonic_ms() + wait_ms, &reply);
    return reply;
}

/* ---- answers ---- */

static const redisReply *reply_of(const struct redis_answer *answer)
{
    return (const redisReply *)answer;
}

enum redis_answer_kind redis_answer_kind(const struct redis_answer *answer)
{
    switch (answer != NULL ? reply_of(answer)->type : REDIS_REPLY_NIL) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_ANSWER_TEXT;
    case REDIS_REPLY_INTEGER:
        return REDIS_ANSWER_NUMBER;
    case REDIS_REPLY_ARRAY:
        return REDIS_ANSWER_LIST;
    case REDIS_REPLY_ERROR:
        return REDIS_ANSWER_ERROR;
    default:
        return REDIS_ANSWER_NONE;
    }
}

const char *redis_answer_text(const struct redis_answer *answer, size_t *length)
{
    enum redis_answer_kind kind = redis_answer_kind(answer);
    bool is_text = kind == REDIS_ANSWER_TEXT || kind == REDIS_ANSWER_ERROR;
    *length = is_text ? (size_t)reply_of(answer)->len : 0;
    return is_text ? reply_of(answer)->str : NULL;
}

int64_t redis_answer_number(const struct redis_answer *answer)
{
    return redis_answer_kind(answer) == REDIS_ANSWER_NUMBER ? reply_of(answer)->integer : 0;
}

size_t redis_answer_count(const struct redis_answer *answer)
{
    return redis_answer_kind(answer) == REDIS_ANSWER_LIST ? reply_of(answer)->elements : 0;
}

const struct redis_answer *redis_answer_part(const struct redis_answer *answer, size_t index)
{
    return index < redis_answer_count(answer)
               ? (const struct redis_answer *)reply_of(answer)->element[index]
               : NULL;
}

bool redis_answer_is(const struct redis_answer *answer, const char *text)
{
    size_t length;
    const char *own = redis_answer_text(answer, &length);
    return own != NULL && length == strlen(text) && memcmp(own, text, length) == 0;
}

void redis_answer_free(struct redis_answer **answer)
{
    if (*answer != NULL)
        freeReplyObject(*answer);
    *answer = NULL;
}
