#include "password.h"

#include "secret.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_SIZE = 32,
    TAG_SIZE = 32,
    REMEMBERED_MAX = 256, /* right passwords, a power of two */
    RATIONS_MAX = 1024,   /* topics with wrong ones lately, a power of two */
    WAYS = 8,             /* places where one tag may stand */
    PASSWORD_MAX = 4096,
    BCRYPT_MAX = 72, /* bytes that bcrypt looks at; PHP cuts there too */
    /* What a hash may cost at most. PHP's own argon2 defaults are 64 MiB, 4 turns, 1 thread. */
    ARGON2_KIB_MAX = 262144,
    ARGON2_TURNS_MAX = 64,
    ARGON2_THREADS_MAX = 16
};

struct remembered {
    unsigned char tag[TAG_SIZE];
    uint64_t until_ms; /* 0: free */
};

/* A token bucket, kept as the moment at which it will be full again: before that, tries are
 * missing. */
struct ration {
    unsigned char tag[TAG_SIZE];
    uint64_t full_ms;
};

struct password_checker {
    struct password_options options;
    unsigned char key[KEY_SIZE];
    struct crypt_data work; /* 32 KiB: too much for a stack */
    struct remembered remembered[REMEMBERED_MAX];
    struct ration rations[RATIONS_MAX];
};

struct password_checker *password_checker_open(const struct password_options *options)
{
    struct password_checker *checker = calloc(1, sizeof *checker);
    if (checker == NULL)
        return NULL;
    checker->options = *options;
    if (!secret_random(checker->key, sizeof checker->key))
        password_checker_close(&checker);
    return checker;
}

void password_checker_close(struct password_checker **checker)
{
    if (*checker != NULL)
        OPENSSL_cleanse(*checker, sizeof **checker);
    free(*checker);
    *checker = NULL;
}

/* ---- formats ---- */

enum format { FORMAT_UNKNOWN, FORMAT_BCRYPT, FORMAT_ARGON2I, FORMAT_ARGON2ID };

static bool bcrypt_is_affordable(const char *hash)
{
    unsigned cost = 0;
    int end = 0;
    return sscanf(hash, "$2%*1[aby]$%2u$%n", &cost, &end) == 1 && end == 7 && cost >= 4 &&
           cost <= PASSWORD_COST_MAX && strlen(hash) == 60;
}

static bool argon2_is_affordable(const char *hash)
{
    unsigned version = 0, kib = 0, turns = 0, threads = 0;
    return sscanf(hash, "$argon2%*[id]$v=%9u$m=%9u,t=%9u,p=%9u$", &version, &kib, &turns,
                  &threads) == 4 &&
           kib <= ARGON2_KIB_MAX && turns <= ARGON2_TURNS_MAX && threads <= ARGON2_THREADS_MAX;
}

static enum format format_of(const char *hash)
{
    if (strncmp(hash, "$2", 2) == 0)
        return bcrypt_is_affordable(hash) ? FORMAT_BCRYPT : FORMAT_UNKNOWN;
    if (!argon2_is_affordable(hash))
        return FORMAT_UNKNOWN;
    if (strncmp(hash, "$argon2id$", 10) == 0)
        return FORMAT_ARGON2ID;
    return strncmp(hash, "$argon2i$", 9) == 0 ? FORMAT_ARGON2I : FORMAT_UNKNOWN;
}

bool password_hash_is_known(const char *hash)
{
    return format_of(hash) != FORMAT_UNKNOWN;
}

static enum password_result check_bcrypt(struct crypt_data *work, const char *hash,
                                         const char *password, size_t length)
{
    char cut[BCRYPT_MAX + 1] = {0};
    if (memchr(password, '\0', length) != NULL)
        return PASSWORD_WRONG;
    memcpy(cut, password, length < BCRYPT_MAX ? length : BCRYPT_MAX);
    const char *made = crypt_r(cut, hash, work);
    enum password_result result = PASSWORD_BAD_HASH;
    if (made != NULL && strlen(made) == strlen(hash))
        result = secret_equal(made, hash, strlen(hash)) ? PASSWORD_RIGHT : PASSWORD_WRONG;
    OPENSSL_cleanse(cut, sizeof cut);
    OPENSSL_cleanse(work, sizeof *work);
    return result;
}

static enum password_result check_argon2(argon2_type type, const char *hash, const char *password,
                                         size_t length)
{
    switch (argon2_verify(hash, password, length, type)) {
    case ARGON2_OK:
        return PASSWORD_RIGHT;
    case ARGON2_VERIFY_MISMATCH:
        return PASSWORD_WRONG;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
    case ARGON2_THREAD_FAIL:
        return PASSWORD_NO_RESOURCES;
    default:
        return PASSWORD_BAD_HASH;
    }
}

static enum password_result check_hash(struct password_checker *checker, const char *hash,
                                       const char *password, size_t length)
{
    if (length > PASSWORD_MAX)
        return PASSWORD_WRONG;
    switch (format_of(hash)) {
    case FORMAT_BCRYPT:
        return check_bcrypt(&checker->work, hash, password, length);
    case FORMAT_ARGON2I:
        return check_argon2(Argon2_i, hash, password, length);
    case FORMAT_ARGON2ID:
        return check_argon2(Argon2_id, hash, password, length);
    case FORMAT_UNKNOWN:
        break;
    }
    return PASSWORD_BAD_HASH;
}

/* ---- tags ---- */

/* HMAC of two texts, told apart by the length of the first. */
static bool make_tag(const struct password_checker *checker, unsigned char tag[TAG_SIZE],
                     const char *first, size_t first_length, const char *second,
                     size_t second_length)
{
    uint64_t border = first_length;
    unsigned made = 0;
    size_t size = sizeof border + first_length + second_length;
    unsigned char *text = malloc(size);
    if (text == NULL)
        return false;
    memcpy(text, &border, sizeof border);
    memcpy(text + sizeof border, first, first_length);
    memcpy(text + sizeof border + first_length, second, second_length);
    bool ok = HMAC(EVP_sha256(), checker->key, KEY_SIZE, text, size, tag, &made) != NULL &&
              made == TAG_SIZE;
    OPENSSL_cleanse(text, size);
    free(text);
    return ok;
}

static size_t first_place(const unsigned char tag[TAG_SIZE], size_t places)
{
    size_t number;
    memcpy(&number, tag, sizeof number);
    return number & (places - 1);
}

/* ---- right passwords ---- */

static bool is_remembered(const struct password_checker *checker, const unsigned char *tag,
                          uint64_t now_ms)
{
    bool found = false;
    for (size_t i = 0; i < WAYS; i++) {
        const struct remembered *place =
            &checker->remembered[(first_place(tag, REMEMBERED_MAX) + i) & (REMEMBERED_MAX - 1)];
        found |= place->until_ms > now_ms && secret_equal(place->tag, tag, TAG_SIZE);
    }
    return found;
}

/* Takes the place of the one that would be forgotten soonest. */
static void remember(struct password_checker *checker, const unsigned char *tag, uint64_t now_ms)
{
    struct remembered *oldest = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        struct remembered *place =
            &checker->remembered[(first_place(tag, REMEMBERED_MAX) + i) & (REMEMBERED_MAX - 1)];
        if (oldest == NULL || place->until_ms < oldest->until_ms)
            oldest = place;
    }
    memcpy(oldest->tag, tag, TAG_SIZE);
    oldest->until_ms = now_ms + checker->options.remember_ms;
}

/* ---- wrong passwords ---- */

/* The topic's ration, or the one that misses least, to be given to it. */
static struct ration *find_ration(struct password_checker *checker, const unsigned char *tag)
{
    struct ration *fullest = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        struct ration *place =
            &checker->rations[(first_place(tag, RATIONS_MAX) + i) & (RATIONS_MAX - 1)];
        if (memcmp(place->tag, tag, TAG_SIZE) == 0)
            return place;
        if (fullest == NULL || place->full_ms < fullest->full_ms)
            fullest = place;
    }
    return fullest;
}

static bool ration_is_used_up(const struct password_checker *checker, const struct ration *ration,
                              const unsigned char *tag, uint64_t now_ms)
{
    const struct password_options *options = &checker->options;
    if (options->wrong_at_once == 0 || memcmp(ration->tag, tag, TAG_SIZE) != 0)
        return false;
    /* Less than one whole try is left. */
    return ration->full_ms > now_ms + (options->wrong_at_once - 1) * options->wrong_ms;
}

static void use_ration(struct password_checker *checker, struct ration *ration,
                       const unsigned char *tag, uint64_t now_ms)
{
    if (memcmp(ration->tag, tag, TAG_SIZE) != 0) {
        memcpy(ration->tag, tag, TAG_SIZE);
        ration->full_ms = 0;
    }
    if (ration->full_ms < now_ms)
        ration->full_ms = now_ms;
    ration->full_ms += checker->options.wrong_ms;
}

enum password_result password_check(struct password_checker *checker, const char *topic,
                                    size_t topic_length, const char *hash, const char *password,
                                    size_t password_length, uint64_t now_ms)
{
    unsigned char tag[TAG_SIZE], topic_tag[TAG_SIZE];
    if (!password_hash_is_known(hash))
        return PASSWORD_BAD_HASH;
    if (password == NULL)
        return PASSWORD_WRONG;
    if (!make_tag(checker, topic_tag, topic, topic_length, "", 0))
        return PASSWORD_NO_RESOURCES;
    struct ration *ration = find_ration(checker, topic_tag);
    bool limited = ration_is_used_up(checker, ration, topic_tag, now_ms);
    if (!make_tag(checker, tag, hash, strlen(hash), password, password_length))
        return PASSWORD_NO_RESOURCES;
    if (is_remembered(checker, tag, now_ms))
        return PASSWORD_RIGHT;
    if (limited)
        return PASSWORD_LIMITED;
    enum password_result result = check_hash(checker, hash, password, password_length);
    if (result == PASSWORD_RIGHT && checker->options.remember_ms > 0)
        remember(checker, tag, now_ms);
    if (result == PASSWORD_WRONG)
        use_ration(checker, ration, topic_tag, now_ms);
    return result;
}

bool password_make(char out[PASSWORD_HASH_SIZE], const char *password, size_t length, unsigned cost)
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE], text[BCRYPT_MAX + 1] = {0}, random[16];
    if (length == 0 || length > BCRYPT_MAX || memchr(password, '\0', length) != NULL || cost < 4 ||
        cost > PASSWORD_COST_MAX || !secret_random(random, sizeof random) ||
        crypt_gensalt_rn("$2y$", cost, random, sizeof random, salt, sizeof salt) == NULL)
        return false;
    struct crypt_data *work = calloc(1, sizeof *work);
    if (work == NULL)
        return false;
    memcpy(text, password, length);
    const char *made = crypt_r(text, salt, work);
    bool right = made != NULL && strlen(made) < PASSWORD_HASH_SIZE && password_hash_is_known(made);
    if (right)
        memcpy(out, made, strlen(made) + 1);
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(work, sizeof *work);
    free(work);
    return right;
}
