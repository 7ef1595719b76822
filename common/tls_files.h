/* Certificates and keys of TLS, as files. */
#ifndef ESN_TLS_FILES_H
#define ESN_TLS_FILES_H

#include <openssl/ssl.h>

enum { TLS_FILES_ERROR_SIZE = 512 };

/* Rules of a server with the certificate, and the chain that follows it, of one PEM file and the key
 * of another; `minimum` is a version such as TLS1_2_VERSION. SSL_CTX_free() it. NULL with a sentence
 * in error, which names the file: one cannot be read, holds something else, others than its owner and
 * group may read the key, or the two do not belong together. */
SSL_CTX *tls_files_load(const char *certificate, const char *key, int minimum,
                        char error[TLS_FILES_ERROR_SIZE]);

#endif
