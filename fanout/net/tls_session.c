#include "net/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the library's way to the socket (BIO_meth_new(3)) ---- */

static int on_library_reads(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t count = session->input_left < (size_t)size ? session->input_left : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, session->input, count);
    session->input += count;
    session->input_left -= count;
    return (int)count;
}

bool tls_session_keep_waiting(struct tls_session *session, const char *sealed, size_t length)
{
    char *longer = realloc(session->waiting, session->waiting_length + length);

    if (longer == NULL)
        return false;
    memcpy(longer + session->waiting_length, sealed, length);
    session->waiting = longer;
    session->waiting_length += length;
    return true;
}

/* How many the socket took; what it would not take for now is none. */
static size_t send_sealed(struct tls_session *session, const char *bytes, size_t length)
{
    ssize_t sent = send(session->descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0)
        return (size_t)sent;
    session->is_cut = errno != EAGAIN && errno != EINTR;
    return 0;
}

static size_t add_to_batch(struct tls_session *session, const char *bytes, size_t length)
{
    struct tls_batch *batch = tls_context_batch(session->context);

    if (sizeof batch->bytes - batch->used < length) {
        session->is_cut = true; /* what is in the batch already would come after the rest */
        return 0;
    }
    memcpy(batch->bytes + batch->used, bytes, length);
    batch->used += length;
    return length;
}

static int on_library_writes(BIO *bio, const char *bytes, int length)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t gone = 0, size = (size_t)length;

    BIO_clear_retry_flags(bio);
    if (session->waiting == NULL && !session->is_cut && session->destination == TLS_TO_SOCKET)
        gone = send_sealed(session, bytes, size);
    else if (session->waiting == NULL && !session->is_cut && session->destination == TLS_TO_BATCH)
        gone = add_to_batch(session, bytes, size);
    if (!session->is_cut && gone < size)
        session->is_cut = !tls_session_keep_waiting(session, bytes + gone, size - gone);
    return session->is_cut ? -1 : length;
}

static long on_library_controls(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *way; /* NULL: there was no memory for it yet */

static void make_way(void)
{
    way = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    if (way != NULL && (BIO_meth_set_read(way, on_library_reads) != 1 ||
                        BIO_meth_set_write(way, on_library_writes) != 1 ||
                        BIO_meth_set_ctrl(way, on_library_controls) != 1)) {
        BIO_meth_free(way);
        way = NULL;
    }
}

static BIO *new_way(struct tls_session *session)
{
    if (way == NULL)
        make_way();
    if (way == NULL)
        return NULL;
    BIO *bio = BIO_new(way);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- a session ---- */

struct tls_session *tls_session_new(struct tls_context *context, int descriptor)
{
    struct tls_session *session = calloc(1, sizeof *session);
    BIO *bio = session != NULL ? new_way(session) : NULL;

    if (bio != NULL)
        session->ssl = tls_context_accept(context, bio);
    if (bio == NULL || session->ssl == NULL) {
        BIO_free(bio);
        free(session);
        return NULL;
    }
    session->context = context;
    session->descriptor = descriptor;
    tls_context_counters(context)->sessions++;
    return session;
}

void tls_session_free(struct tls_session **session)
{
    if (*session == NULL)
        return;
    struct tls_counters *counters = tls_context_counters((*session)->context);
    counters->sessions--;
    counters->failed[TLS_UNFINISHED] += !(*session)->is_ready && !(*session)->has_failed;
    SSL_free((*session)->ssl);
    free((*session)->waiting);
    free(*session);
    *session = NULL;
}

void tls_session_give(struct tls_session *session, const char *bytes, size_t length)
{
    session->input = bytes;
    session->input_left = length;
}

static enum tls_failure failure_of(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    switch (reason) {
    case SSL_R_HTTP_REQUEST:
        return TLS_FAILED_PLAIN;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return TLS_FAILED_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
        return TLS_FAILED_CIPHER;
    default: /* alerts of the other end are numbered from there on (SSL_get_error(3), sslerr.h) */
        return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256
                   ? TLS_FAILED_ALERT
                   : TLS_FAILED_OTHER;
    }
}

/* RFC 9110, section 15.5.1. Who asks without TLS would otherwise see nothing at all. */
static void answer_plainly(struct tls_session *session)
{
    static const char answer[] = "HTTP/1.1 400 This port speaks HTTPS\r\nConnection: close\r\n"
                                 "Content-Type: application/json;charset=utf-8\r\n"
                                 "Content-Length: 35\r\n\r\n"
                                 "{\"error\":\"This port speaks HTTPS\"}\n";

    (void)send_sealed(session, answer, sizeof answer - 1);
}

static ssize_t end_of_reading(struct tls_session *session, int what)
{
    if (what == SSL_ERROR_ZERO_RETURN)
        return TLS_READ_END;
    if (what == SSL_ERROR_WANT_READ && !session->is_cut)
        return TLS_READ_NOTHING;
    enum tls_failure failure = failure_of(ERR_peek_error());
    if (failure == TLS_FAILED_PLAIN)
        answer_plainly(session);
    if (!session->is_cut)
        tls_context_counters(session->context)->failed[failure]++;
    session->has_failed = !session->is_cut;
    ERR_clear_error();
    return TLS_READ_FAILED;
}

static void note_handshake(struct tls_session *session)
{
    struct tls_counters *counters = tls_context_counters(session->context);

    if (session->is_ready || !SSL_is_init_finished(session->ssl))
        return;
    session->is_ready = true;
    counters->handshakes++;
    counters->resumed += SSL_session_reused(session->ssl) == 1;
}

ssize_t tls_session_read(struct tls_session *session, const char **bytes)
{
    char *opened = tls_context_opened(session->context);

    ERR_clear_error();
    int count = SSL_read(session->ssl, opened, TLS_RECORD);
    note_handshake(session);
    if (count <= 0)
        return end_of_reading(session, SSL_get_error(session->ssl, count));
    *bytes = opened;
    return count;
}

bool tls_session_write(struct tls_session *session, const char *bytes, size_t length)
{
    if (!session->is_ready || session->is_cut)
        return false;
    bool written = SSL_write(session->ssl, bytes, (int)length) == (int)length && !session->is_cut;
    if (!written)
        ERR_clear_error(); /* never before: that takes a tenth of the time of sealing */
    return written;
}

void tls_session_end(struct tls_session *session)
{
    ERR_clear_error();
    if (session->is_ready && !session->is_cut)
        (void)SSL_shutdown(session->ssl); /* a courtesy */
    ERR_clear_error();
}

char *tls_session_take_waiting(struct tls_session *session, size_t *length)
{
    char *waiting = session->waiting;

    *length = session->waiting_length;
    session->waiting = NULL;
    session->waiting_length = 0;
    return waiting;
}
