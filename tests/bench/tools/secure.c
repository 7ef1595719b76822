#include "secure.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>

static void tell_failure(const char *what)
{
    unsigned long error = ERR_get_error();
    const char *reason = ERR_reason_error_string(error);
    fprintf(stderr, "TLS, %s: %s\n", what, reason != NULL ? reason : "the connection ended");
}

SSL_CTX *secure_create(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        tell_failure("client");
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

SSL *secure_shake_hands(SSL_CTX *context, int fd)
{
    SSL *connection = SSL_new(context);
    if (connection == NULL || SSL_set_fd(connection, fd) != 1 || SSL_connect(connection) != 1) {
        tell_failure("handshake");
        SSL_free(connection);
        return NULL;
    }
    return connection;
}

bool secure_send_all(SSL *connection, const void *data, size_t length)
{
    size_t sent = 0;
    if (SSL_write_ex(connection, data, length, &sent) == 1 && sent == length)
        return true;
    tell_failure("request");
    return false;
}

ssize_t secure_receive(SSL *connection, void *out, size_t size)
{
    ERR_clear_error();
    int length = SSL_read(connection, out, size < INT_MAX ? (int)size : INT_MAX);
    if (length > 0)
        return length;
    int error = SSL_get_error(connection, length);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error == SSL_ERROR_WANT_READ)
        errno = EAGAIN;
    else if (error == SSL_ERROR_SSL) {
        tell_failure("reading");
        errno = EPROTO;
    }
    return -1;
}
