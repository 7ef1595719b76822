/* The file of publishers, read and checked. For publishers.c. */
#ifndef ESN_PUBLISHERS_FILE_H
#define ESN_PUBLISHERS_FILE_H

#include "address_range.h"
#include "publishers/publisher.h"
#include "secret.h"

struct publisher_entry {
    struct publisher publisher; /* first: a publisher is its entry */
    struct secret_list secrets;
    bool has_ed25519; /* its secret_file is a public key instead */
    unsigned char ed25519[32];
    char **topics; /* owned, valid patterns */
    size_t topic_count;
    struct address_range *ranges; /* none: from anywhere */
    size_t range_count;
};

/* False with a sentence in error. The caller frees, also after false. */
bool publishers_file_load(const char *path, struct publisher_entry **entries, size_t *count,
                          char error[PUBLISHERS_ERROR_SIZE]);
/* The same for who only has to know who there is, and what each may: secret_file is not read. */
bool publishers_file_load_names(const char *path, struct publisher_entry **entries, size_t *count,
                                char error[PUBLISHERS_ERROR_SIZE]);
void publishers_file_free(struct publisher_entry **entries, size_t count);

#endif
