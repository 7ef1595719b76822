/* TLS of one connection: bytes that came are opened, bytes that go are sealed. Idle, it holds no
 * buffer. */
#ifndef ESN_TLS_SESSION_H
#define ESN_TLS_SESSION_H

#include "net/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct counted_address;

/* Where what is sealed goes, as long as nothing waits; else it waits behind that. */
enum tls_destination {
    TLS_TO_SOCKET,  /* as much as it takes, the rest waits */
    TLS_TO_WAITING, /* all of it waits for tls_session_take_waiting() */
    TLS_TO_BATCH    /* tls_context_batch(), which is to have room */
};

struct tls_session {
    SSL *ssl;
    struct tls_context *context;
    struct counted_address *address; /* connection_address() */
    const char *input;               /* what came and was not looked at yet */
    size_t input_left;
    char *waiting; /* sealed, but the socket did not take it; owned */
    size_t waiting_length;
    int descriptor;      /* where sealed bytes go; the connection's */
    uint8_t destination; /* enum tls_destination */
    bool is_cut;         /* the socket takes nothing any more */
    bool is_ready;       /* the handshake is done */
    bool has_failed;
};

/* NULL without memory. */
struct tls_session *tls_session_new(struct tls_context *context, int descriptor);
/* Leaves NULL. */
void tls_session_free(struct tls_session **session);

/* What became of reading. Above 0: so many bytes. */
enum { TLS_READ_NOTHING = 0, TLS_READ_END = -1, TLS_READ_FAILED = -2 };

/* Bytes of the socket, for tls_session_read(), which has to be called until it gives none. */
void tls_session_give(struct tls_session *session, const char *bytes, size_t length);
/* Opens at most one record; its bytes are good until the next call for any session. A failure is
 * counted, and said to the client if it can be. */
ssize_t tls_session_read(struct tls_session *session, const char **bytes);
/* Seals at most TLS_RECORD bytes, for the session's destination. False: nothing can be sent any more,
 * or the handshake is not done. */
bool tls_session_write(struct tls_session *session, const char *bytes, size_t length);
/* Sealed bytes that were to be sent, but the socket did not take them: they wait behind those that
 * wait already. False without memory. */
bool tls_session_keep_waiting(struct tls_session *session, const char *sealed, size_t length);
/* Says that nothing more comes (close_notify, RFC 8446 section 6.1). */
void tls_session_end(struct tls_session *session);
/* Hands over what the socket did not take; free() it. NULL: nothing. */
char *tls_session_take_waiting(struct tls_session *session, size_t *length);

#endif
