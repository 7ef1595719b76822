/* Secrets: files of their own, random values, comparison in constant time. */
#ifndef ESN_SECRET_H
#define ESN_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_ERROR_SIZE = 256, SECRET_BUS_KEY_SIZE = 41 };

/* Tokens of a file, one a line; blank lines and lines that start with '#' are skipped. */
struct secret_list {
    char **values; /* owned */
    size_t count;
};

/* Reads a file that nobody but its owner and group may read (else it is refused). False with a
 * sentence in error. A NULL path gives an empty list. */
bool secret_list_load(struct secret_list *list, const char *path, char error[SECRET_ERROR_SIZE]);
/* Wipes and frees; leaves an empty list. */
void secret_list_free(struct secret_list *list);
/* True when the candidate is one of the list. Takes the same time wherever the first difference is;
 * every value is compared. An empty list or candidate never matches. */
bool secret_list_has(const struct secret_list *list, const char *candidate, size_t length);
/* The same; its place in the list, or the list's count when it is none of them. */
size_t secret_list_find(const struct secret_list *list, const char *candidate, size_t length);

/* Reads the one line of a bus key's file, 40 characters of Z85 (curve_keygen(1)). A secret key's
 * file is refused when others can read it; a public key's is not. A NULL path gives "". False with
 * a sentence in error. */
bool secret_bus_key_load(char key[SECRET_BUS_KEY_SIZE], const char *path, bool is_public,
                         char error[SECRET_ERROR_SIZE]);

/* Opens a file of a secret for reading: a regular one that nobody but its owner and group can
 * touch. -1 with a sentence in error. The caller closes. */
int secret_file_open(const char *path, char error[SECRET_ERROR_SIZE]);
/* The same, of a file that anybody may read. */
int secret_public_file_open(const char *path, char error[SECRET_ERROR_SIZE]);

/* Fills with random bytes of the system (RAND_bytes(3)); false when there are none. */
bool secret_random(void *out, size_t size);

/* Random bytes in small pieces: the system is asked for many at a time, which saves most of what
 * asking costs. */
enum { SECRET_POOL_SIZE = 2048 };
struct secret_pool {
    unsigned char bytes[SECRET_POOL_SIZE];
    size_t left; /* at the end of bytes; 0: to be filled */
};
/* Each byte is given out once and wiped; false when the system gives none or size is above
 * SECRET_POOL_SIZE. */
bool secret_pool_take(struct secret_pool *pool, void *out, size_t size);
/* A number by which a secret is told from others without being known: the first 8 bytes of its
 * SHA-256, big-endian, and never 0. 0: OpenSSL failed. */
uint64_t secret_id(const char *secret, size_t length);
/* Constant time. */
bool secret_equal(const void *a, const void *b, size_t size);

#endif
