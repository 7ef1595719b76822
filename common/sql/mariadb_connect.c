#include "sql/mariadb_connect.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errmsg.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All of it is the thread's own, since it may outlive whoever began it: the last of the two frees
 * it. */
struct mariadb_attempt {
    MYSQL *connection;
    char *host, *user, *password, *database, *socket; /* NULL: the library's own */
    unsigned port;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ended, abandoned; /* guarded by the lock */
    bool connected;        /* once it has ended, as are the next two */
    unsigned code;
    char words[SQL_ERROR_SIZE];
};

static bool set_timeouts(MYSQL *connection, unsigned limit_ms)
{
    /* A second more than the server's own limit below, which gives the clearer answer. */
    unsigned connect_s = (limit_ms + 999) / 1000;
    unsigned answer_s = connect_s + 1;
    char session[256];
    (void)snprintf(session, sizeof session,
                   "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"
                   " autocommit = 1, max_statement_time = %u.%03u, lock_wait_timeout = %u",
                   limit_ms / 1000, limit_ms % 1000, connect_s);
    return mysql_options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) == 0 &&
           mysql_options(connection, MYSQL_OPT_READ_TIMEOUT, &answer_s) == 0 &&
           mysql_options(connection, MYSQL_OPT_WRITE_TIMEOUT, &answer_s) == 0 &&
           mysql_options(connection, MYSQL_INIT_COMMAND, session) == 0;
}

static bool set_tls(MYSQL *connection, const struct sql_options *options)
{
    my_bool on = options->tls;
    if (!options->tls)
        return true;
    return mysql_options(connection, MYSQL_OPT_SSL_ENFORCE, &on) == 0 &&
           mysql_options(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on) == 0 &&
           mysql_options(connection, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3") == 0 &&
           mysql_options(connection, MYSQL_OPT_SSL_CA, options->tls_ca) == 0 &&
           mysql_options(connection, MYSQL_OPT_SSL_CERT, options->tls_cert) == 0 &&
           mysql_options(connection, MYSQL_OPT_SSL_KEY, options->tls_key) == 0;
}

/* With a host the way is TCP, always: the library would take "localhost" for the default Unix
 * socket, which may be another server's. */
static bool set_way(MYSQL *connection, const struct sql_options *options)
{
    const unsigned tcp = MYSQL_PROTOCOL_TCP;
    return options->host == NULL || mysql_options(connection, MYSQL_OPT_PROTOCOL, &tcp) == 0;
}

static bool set_options(MYSQL *connection, const struct sql_options *options)
{
    my_bool off = 0;
    unsigned no = 0;
    return set_timeouts(connection, options->limit_ms) &&
           mysql_options(connection, MYSQL_SET_CHARSET_NAME, MARIADB_CHARACTER_SET) == 0 &&
           mysql_options(connection, MYSQL_OPT_RECONNECT, &off) == 0 &&
           mysql_options(connection, MYSQL_OPT_LOCAL_INFILE, &no) == 0 &&
           set_way(connection, options) && set_tls(connection, options);
}

/* ---- an attempt ---- */

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

static bool copy_texts(struct mariadb_attempt *attempt, const struct sql_options *options)
{
    attempt->port = options->port;
    return copy_text(&attempt->host, options->host) && copy_text(&attempt->user, options->user) &&
           copy_text(&attempt->password, options->password) &&
           copy_text(&attempt->database, options->database) &&
           copy_text(&attempt->socket, options->host == NULL ? options->socket : NULL);
}

static void attempt_free(struct mariadb_attempt *attempt)
{
    if (attempt->connection != NULL)
        mysql_close(attempt->connection);
    if (attempt->password != NULL)
        explicit_bzero(attempt->password, strlen(attempt->password));
    free(attempt->host);
    free(attempt->user);
    free(attempt->password);
    free(attempt->database);
    free(attempt->socket);
    (void)pthread_cond_destroy(&attempt->wake);
    (void)pthread_mutex_destroy(&attempt->lock);
    free(attempt);
}

static bool open_wake(struct mariadb_attempt *attempt)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&attempt->lock, NULL) != 0)
        return false;
    bool opened = pthread_condattr_init(&attributes) == 0 &&
                  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                  pthread_cond_init(&attempt->wake, &attributes) == 0;
    if (!opened)
        (void)pthread_mutex_destroy(&attempt->lock);
    return opened;
}

static struct mariadb_attempt *attempt_new(const struct sql_options *options)
{
    struct mariadb_attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL || !open_wake(attempt)) {
        free(attempt);
        return NULL;
    }
    attempt->connection = mysql_init(NULL);
    if (attempt->connection != NULL && copy_texts(attempt, options))
        return attempt;
    attempt_free(attempt);
    return NULL;
}

/* Rows found, not rows changed: writing what is there already is no "not found". */
static void attempt_run(struct mariadb_attempt *attempt)
{
    attempt->connected = mysql_real_connect(attempt->connection, attempt->host, attempt->user,
                                            attempt->password, attempt->database, attempt->port,
                                            attempt->socket, CLIENT_FOUND_ROWS) != NULL;
    attempt->code = mysql_errno(attempt->connection);
    (void)snprintf(attempt->words, sizeof attempt->words, "%s", mysql_error(attempt->connection));
}

static void *attempt_in_thread(void *context)
{
    struct mariadb_attempt *attempt = context;
    attempt_run(attempt);
    (void)pthread_mutex_lock(&attempt->lock);
    attempt->ended = true;
    bool abandoned = attempt->abandoned;
    (void)pthread_cond_signal(&attempt->wake);
    (void)pthread_mutex_unlock(&attempt->lock);
    if (abandoned)
        attempt_free(attempt);
    return NULL;
}

/* What needs no name server keeps to its limit by itself. */
static bool needs_no_name(const struct sql_options *options)
{
    struct in6_addr address;
    return options->host == NULL || inet_pton(AF_INET, options->host, &address) == 1 ||
           inet_pton(AF_INET6, options->host, &address) == 1;
}

static bool attempt_begin(struct mariadb_attempt *attempt, const struct sql_options *options)
{
    pthread_t thread;
    if (needs_no_name(options)) {
        attempt_run(attempt);
        attempt->ended = true;
        return true;
    }
    return pthread_create(&thread, NULL, attempt_in_thread, attempt) == 0 &&
           pthread_detach(thread) == 0;
}

static bool attempt_wait(struct mariadb_attempt *attempt, unsigned limit_ms)
{
    const uint64_t end_ms = clock_monotonic_ms() + limit_ms;
    const struct timespec end = {.tv_sec = (time_t)(end_ms / 1000),
                                 .tv_nsec = (long)(end_ms % 1000) * 1000000};
    int waited = 0;
    (void)pthread_mutex_lock(&attempt->lock);
    while (!attempt->ended && waited == 0)
        waited = pthread_cond_timedwait(&attempt->wake, &attempt->lock, &end);
    bool ended = attempt->ended;
    (void)pthread_mutex_unlock(&attempt->lock);
    return ended;
}

void mariadb_attempt_abandon(struct mariadb_attempt **attempt)
{
    struct mariadb_attempt *old = *attempt;
    if (old == NULL)
        return;
    *attempt = NULL;
    (void)pthread_mutex_lock(&old->lock);
    bool ended = old->ended;
    old->abandoned = true;
    (void)pthread_mutex_unlock(&old->lock);
    if (ended)
        attempt_free(old);
}

/* ---- connecting ---- */

static MYSQL *refuse(unsigned *code, char words[SQL_ERROR_SIZE], unsigned number, const char *text)
{
    *code = number;
    (void)snprintf(words, SQL_ERROR_SIZE, "%s", text);
    return NULL;
}

MYSQL *mariadb_attempt_connect(struct mariadb_attempt **attempt, const struct sql_options *options,
                               unsigned *code, char words[SQL_ERROR_SIZE])
{
    if (*attempt == NULL) {
        *attempt = attempt_new(options);
        if (*attempt == NULL)
            return refuse(code, words, CR_OUT_OF_MEMORY, "no memory");
        const char *fault = NULL;
        if (!set_options((*attempt)->connection, options))
            fault = "the client library refuses an option";
        else if (!attempt_begin(*attempt, options))
            fault = "no thread to look the server's name up";
        if (fault != NULL) {
            attempt_free(*attempt);
            *attempt = NULL;
            return refuse(code, words, CR_UNKNOWN_ERROR, fault);
        }
    }
    if (!attempt_wait(*attempt, options->limit_ms))
        return refuse(code, words, CR_CONNECTION_ERROR,
                      "the server's name was not found, or the server not reached, in time");
    MYSQL *connection = (*attempt)->connected ? (*attempt)->connection : NULL;
    if (connection != NULL)
        (*attempt)->connection = NULL; /* the caller's now */
    else
        (void)refuse(code, words, (*attempt)->code, (*attempt)->words);
    mariadb_attempt_abandon(attempt);
    return connection;
}
