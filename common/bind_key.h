/* Bind keys: base64(RSA({"iat": seconds, "uid": user id})), made with the public key and read with
 * the private one. The only part that knows OpenSSL's RSA.
 *
 * Reading answers one bit to whoever sent the key. Nothing else about a refused key can be learnt,
 * from the answer or from the time it took: whatever is wrong, one private-key operation is done,
 * then text is read and times are compared. Where the padding was wrong, the text is made up from
 * the key itself by a secret of this process, so that wrong padding looks like right padding around
 * garbage (implicit rejection, which OpenSSL itself does from 3.2 on only). */
#ifndef ESN_BIND_KEY_H
#define ESN_BIND_KEY_H

#include "bytes.h"
#include "sessions/session_id.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bind_key_padding {
    BIND_KEY_PKCS1, /* PKCS#1 v1.5, what PHP's openssl_public_encrypt() does unless told otherwise
                     */
    BIND_KEY_OAEP   /* with SHA-1 and MGF1-SHA-1, PHP's OPENSSL_PKCS1_OAEP_PADDING */
};

struct bind_key_options {
    const char *private_key_file; /* PEM without passphrase, RSA of 2,048 to 8,192 bits; not for
                                     others to read */
    enum bind_key_padding padding;
    unsigned tolerance_s; /* how old a key may be */
    unsigned skew_s;      /* how far the clocks of application and broker may be apart */
};

enum { BIND_KEY_ERROR_SIZE = 256 };

struct bind_key_reader;

/* NULL on failure, with a sentence in error. */
struct bind_key_reader *bind_key_reader_open(const struct bind_key_options *options,
                                             char error[BIND_KEY_ERROR_SIZE]);
void bind_key_reader_close(struct bind_key_reader **reader);

enum { BIND_KEY_WHY_SIZE = 96 };

/* True: the key is valid, `user` is its canonical user id, or USER_ID_NO_USER. False: it is not,
 * `user` is empty, and there is nothing to say to who sent it but "Invalid Bind Key"; `why` (when
 * given) is for the log. It does not tell wrong padding from right padding around garbage: whoever
 * measures how long a line takes must not either. Valid: now - tolerance - skew <= iat <= now +
 * skew, in whole seconds. Blanks and ends of lines around the key are passed over. */
bool bind_key_read(struct bind_key_reader *reader, const char *key, size_t length, uint64_t now_s,
                   char user[USER_ID_SIZE], char why[BIND_KEY_WHY_SIZE]);

/* The same of base64(RSA({"iat": seconds, "session_id": id})): `session` is a valid id, or empty. */
bool bind_key_read_session(struct bind_key_reader *reader, const char *key, size_t length,
                           uint64_t now_s, char session[SESSION_ID_SIZE],
                           char why[BIND_KEY_WHY_SIZE]);

/* Appends a bind key made with the public key of a PEM file, or of the private key in it. False
 * with a sentence in error. */
bool bind_key_make(struct bytes *out, const char *key_file, enum bind_key_padding padding,
                   uint64_t iat_s, const char *user, char error[BIND_KEY_ERROR_SIZE]);

/* Makes a pair of keys: two new PEM files with mode 0640, since who has the public one can make bind
 * keys for any user. Existing files are not touched. False with a sentence in error. */
bool bind_key_generate(const char *private_file, const char *public_file, unsigned bits,
                       char error[BIND_KEY_ERROR_SIZE]);

#endif
