#include "secret.h"

#include "big_endian.h"
#include "blank.h"
#include "utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 65536 };

/* Opens the file and refuses it unless it is a regular one, and public or out of others' reach. */
static int open_guarded(const char *path, bool is_public, char error[SECRET_ERROR_SIZE])
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: is not a regular file", path);
    } else if (!is_public && (status.st_mode & S_IRWXO) != 0) {
        (void)snprintf(error, SECRET_ERROR_SIZE,
                       "%s: mode %04o lets everybody at a secret; forbid it with: chmod o= %s",
                       path, (unsigned)(status.st_mode & 07777), path);
    } else {
        return file;
    }
    if (file >= 0)
        (void)close(file);
    return -1;
}

int secret_file_open(const char *path, char error[SECRET_ERROR_SIZE])
{
    return open_guarded(path, false, error);
}

int secret_public_file_open(const char *path, char error[SECRET_ERROR_SIZE])
{
    return open_guarded(path, true, error);
}

/* Reads at most `size` bytes; -1 with errno. */
static ssize_t read_all(int file, char *buffer, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(file, buffer + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static bool list_add(struct secret_list *list, const char *text, size_t length)
{
    char **values = realloc(list->values, (list->count + 1) * sizeof *values);
    if (values == NULL)
        return false;
    list->values = values;
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    values[list->count++] = copy;
    return true;
}

static bool list_split(struct secret_list *list, const char *text, size_t length)
{
    utf8_skip_mark(&text, &length); /* Windows' editors begin a file with one */
    const char *end = text + length;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        const char *next = newline != NULL ? newline + 1 : end;
        while (text < stop && is_blank(*text))
            text++;
        while (stop > text && is_blank(stop[-1]))
            stop--;
        if (text < stop && *text != '#' && !list_add(list, text, (size_t)(stop - text)))
            return false;
        text = next;
    }
    return true;
}

static bool list_read(struct secret_list *list, int file, char *buffer, const char *path,
                      char error[SECRET_ERROR_SIZE])
{
    ssize_t length = read_all(file, buffer, FILE_LIMIT + 1);
    if (length < 0) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: %s", path, strerror(errno));
    } else if (length > FILE_LIMIT) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: is larger than %d bytes", path, FILE_LIMIT);
    } else if (memchr(buffer, '\0', (size_t)length) != NULL) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: holds a NUL byte; it should be text", path);
    } else if (!list_split(list, buffer, (size_t)length)) {
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: out of memory", path);
    } else {
        return true;
    }
    return false;
}

static bool load_lines(struct secret_list *list, const char *path, bool is_public,
                       char error[SECRET_ERROR_SIZE])
{
    *list = (struct secret_list){0};
    if (path == NULL)
        return true;
    int file = open_guarded(path, is_public, error);
    if (file < 0)
        return false;
    char *buffer = malloc(FILE_LIMIT + 1);
    bool good = false;
    if (buffer == NULL)
        (void)snprintf(error, SECRET_ERROR_SIZE, "%s: out of memory", path);
    else
        good = list_read(list, file, buffer, path, error);
    if (!good)
        secret_list_free(list);
    if (buffer != NULL)
        OPENSSL_cleanse(buffer, FILE_LIMIT + 1);
    free(buffer);
    (void)close(file);
    return good;
}

bool secret_list_load(struct secret_list *list, const char *path, char error[SECRET_ERROR_SIZE])
{
    return load_lines(list, path, false, error);
}

bool secret_bus_key_load(char key[SECRET_BUS_KEY_SIZE], const char *path, bool is_public,
                         char error[SECRET_ERROR_SIZE])
{
    struct secret_list list;
    key[0] = '\0';
    if (!load_lines(&list, path, is_public, error))
        return false;
    bool good =
        path == NULL || (list.count == 1 && strlen(list.values[0]) == SECRET_BUS_KEY_SIZE - 1);
    if (good && path != NULL)
        memcpy(key, list.values[0], SECRET_BUS_KEY_SIZE);
    else if (!good)
        (void)snprintf(error, SECRET_ERROR_SIZE,
                       "%s: should hold a key of %d characters, as curve_keygen makes them", path,
                       SECRET_BUS_KEY_SIZE - 1);
    secret_list_free(&list);
    return good;
}

void secret_list_free(struct secret_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        OPENSSL_cleanse(list->values[i], strlen(list->values[i]));
        free(list->values[i]);
    }
    free(list->values);
    *list = (struct secret_list){0};
}

size_t secret_list_find(const struct secret_list *list, const char *candidate, size_t length)
{
    size_t place = list->count;
    if (length == 0)
        return place;
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->values[i]) == length && secret_equal(list->values[i], candidate, length))
            place = i;
    }
    return place;
}

bool secret_list_has(const struct secret_list *list, const char *candidate, size_t length)
{
    return secret_list_find(list, candidate, length) < list->count;
}

bool secret_random(void *out, size_t size)
{
    return size <= INT_MAX && RAND_bytes(out, (int)size) == 1;
}

bool secret_pool_take(struct secret_pool *pool, void *out, size_t size)
{
    if (size > sizeof pool->bytes)
        return false;
    if (pool->left < size) {
        if (!secret_random(pool->bytes, sizeof pool->bytes))
            return false;
        pool->left = sizeof pool->bytes;
    }
    unsigned char *from = pool->bytes + sizeof pool->bytes - pool->left;
    memcpy(out, from, size);
    OPENSSL_cleanse(from, size);
    pool->left -= size;
    return true;
}

bool secret_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

uint64_t secret_id(const char *secret, size_t length)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uint64_t id = 0;

    if (EVP_Digest(secret, length, hash, NULL, EVP_sha256(), NULL) != 1)
        return 0;
    id = big_endian_read(hash, sizeof id);
    return id != 0 ? id : 1;
}
