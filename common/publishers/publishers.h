/* Who may publish (docs/protocol.md): the publishers of a file, each with a name, a secret, and
 * what it may do, beside those that only know a token of [publish] token_file and may do
 * everything.
 *
 *     [shop]
 *     secret_file = shop.key
 *     topics = orders/# news/+
 *     may = bound whisper
 *     signed = yes
 *     rate = 200
 *     addresses = 10.0.0.0/8 */
#ifndef ESN_PUBLISHERS_H
#define ESN_PUBLISHERS_H

#include "publishers/publisher.h"
#include "secret.h"

struct publishers;

/* Reads token_file and publishers_file, either of which may be NULL. NULL with a sentence in error,
 * with file and line. */
struct publishers *publishers_load(const char *token_file, const char *publishers_file,
                                   char error[PUBLISHERS_ERROR_SIZE]);
/* Those of publishers_file (NULL: none) without their secrets, for who needs only what each may. */
struct publishers *publishers_load_names(const char *publishers_file,
                                         char error[PUBLISHERS_ERROR_SIZE]);
void publishers_free(struct publishers **publishers);
/* How many can publish at all. */
size_t publishers_count(const struct publishers *publishers);

/* Whose secret this is; NULL: nobody's. In constant time as secret_list_find() is. */
const struct publisher *publishers_find_secret(const struct publishers *publishers,
                                               const char *secret, size_t length);
/* NULL: nobody has this name. */
const struct publisher *publishers_find_name(const struct publishers *publishers, const char *name);

/* The real client's address is one from which it publishes. */
bool publisher_is_at(const struct publisher *publisher, const char *address);
/* It may publish on the topic; one with wildcards has to be covered whole. */
bool publisher_may_reach(const struct publisher *publisher, const char *topic, size_t length);

struct http_signature;
struct bytes;
/* The signature of this base was made with its key, and with the algorithm that the key is for. */
bool publisher_has_signed(const struct publisher *publisher, const struct http_signature *signature,
                          const struct bytes *base);

#endif
