/* The client's side of TLS, for load tools: whatever certificate the server has is taken. */
#ifndef BENCH_SECURE_H
#define BENCH_SECURE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* NULL with a message. The caller frees it with SSL_CTX_free(). */
SSL_CTX *secure_create(void);

/* A whole handshake on a blocking socket, which stays the caller's; no session of before is resumed. NULL with a
 * message. The caller frees it with SSL_free(). */
SSL *secure_shake_hands(SSL_CTX *context, int fd);

/* Sends all; false with a message. */
bool secure_send_all(SSL *connection, const void *data, size_t length);

/* As recv() on a non-blocking socket: -1 with EAGAIN when nothing has come, 0 when the server has closed. */
ssize_t secure_receive(SSL *connection, void *out, size_t size);

#endif
