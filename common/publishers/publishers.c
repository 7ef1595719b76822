#include "publishers/publishers.h"

#include "address_range.h"
#include "identity/http_signature.h"
#include "publishers/publishers_file.h"
#include "topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct publishers {
    struct secret_list tokens;  /* of token_file */
    struct publisher *by_token; /* one for each of them */
    struct publisher_entry *named;
    size_t named_count;
};

size_t publishers_count(const struct publishers *publishers)
{
    return publishers->tokens.count + publishers->named_count;
}

void publishers_free(struct publishers **publishers)
{
    struct publishers *old = *publishers;
    if (old == NULL)
        return;
    *publishers = NULL;
    secret_list_free(&old->tokens);
    free(old->by_token);
    publishers_file_free(&old->named, old->named_count);
    free(old);
}

static bool name_tokens(struct publishers *publishers, char error[PUBLISHERS_ERROR_SIZE])
{
    const struct secret_list *tokens = &publishers->tokens;
    publishers->by_token = calloc(tokens->count + 1, sizeof *publishers->by_token);
    if (publishers->by_token == NULL) {
        snprintf(error, PUBLISHERS_ERROR_SIZE, "out of memory");
        return false;
    }
    for (size_t i = 0; i < tokens->count; i++)
        publishers->by_token[i] =
            (struct publisher){.id = secret_id(tokens->values[i], strlen(tokens->values[i])),
                               .may = PUBLISHER_MAY_ALL};
    return true;
}

struct publishers *publishers_load(const char *token_file, const char *publishers_file,
                                   char error[PUBLISHERS_ERROR_SIZE])
{
    struct publishers *publishers = calloc(1, sizeof *publishers);
    if (publishers == NULL) {
        snprintf(error, PUBLISHERS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (!secret_list_load(&publishers->tokens, token_file, error) ||
        !name_tokens(publishers, error) ||
        (publishers_file != NULL && !publishers_file_load(publishers_file, &publishers->named,
                                                          &publishers->named_count, error)))
        publishers_free(&publishers);
    return publishers;
}

struct publishers *publishers_load_names(const char *publishers_file,
                                         char error[PUBLISHERS_ERROR_SIZE])
{
    struct publishers *publishers = calloc(1, sizeof *publishers);
    if (publishers == NULL)
        snprintf(error, PUBLISHERS_ERROR_SIZE, "out of memory");
    else if (publishers_file != NULL &&
             !publishers_file_load_names(publishers_file, &publishers->named,
                                         &publishers->named_count, error))
        publishers_free(&publishers);
    return publishers;
}

const struct publisher *publishers_find_secret(const struct publishers *publishers,
                                               const char *secret, size_t length)
{
    const struct publisher *found = NULL;
    size_t place = secret_list_find(&publishers->tokens, secret, length);
    if (place < publishers->tokens.count)
        found = &publishers->by_token[place];
    for (size_t i = 0; i < publishers->named_count; i++) {
        const struct publisher_entry *entry = &publishers->named[i];
        if (secret_list_has(&entry->secrets, secret, length) && found == NULL)
            found = &entry->publisher;
    }
    return found;
}

static const struct publisher_entry *entry_of(const struct publisher *publisher)
{
    return (const struct publisher_entry *)publisher; /* it is the first member */
}

const struct publisher *publishers_find_name(const struct publishers *publishers, const char *name)
{
    for (size_t i = 0; i < publishers->named_count; i++)
        if (strcmp(publishers->named[i].publisher.name, name) == 0)
            return &publishers->named[i].publisher;
    return NULL;
}

bool publisher_is_at(const struct publisher *publisher, const char *address)
{
    const struct publisher_entry *entry = entry_of(publisher);
    return publisher->name[0] == '\0' || entry->range_count == 0 ||
           address_range_contains(entry->ranges, entry->range_count, address);
}

bool publisher_may_reach(const struct publisher *publisher, const char *topic, size_t length)
{
    const struct publisher_entry *entry = entry_of(publisher);
    if (publisher->name[0] == '\0')
        return true;
    for (size_t i = 0; i < entry->topic_count; i++)
        if (topic_covers(entry->topics[i], strlen(entry->topics[i]), topic, length))
            return true;
    return false;
}

bool publisher_has_signed(const struct publisher *publisher, const struct http_signature *signature,
                          const struct bytes *base)
{
    const struct publisher_entry *entry = entry_of(publisher);
    if (publisher->name[0] == '\0')
        return false;
    if (entry->has_ed25519)
        return (signature->algorithm[0] == '\0' || strcmp(signature->algorithm, "ed25519") == 0) &&
               http_signature_is_ed25519(signature, base, entry->ed25519);
    if (signature->algorithm[0] != '\0' && strcmp(signature->algorithm, "hmac-sha256") != 0)
        return false;
    bool right = false; /* every secret is tried, so that they are changed without a gap */
    for (size_t i = 0; i < entry->secrets.count; i++)
        right |= http_signature_is_hmac_sha256(signature, base, entry->secrets.values[i],
                                               strlen(entry->secrets.values[i]));
    return right;
}
