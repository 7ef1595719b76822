/* Takes the posts out of a batch as its bytes come (docs/protocol.md section 3): an object whose only
 * member is an array `events`, or one post a line (application/x-ndjson). No more is held than one
 * post. Whether a post is good is for who reads it. Pure. */
#ifndef ESN_BATCH_READER_H
#define ESN_BATCH_READER_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

enum batch_form { BATCH_OBJECT, BATCH_LINES };

enum batch_step {
    BATCH_POST, /* here is one */
    BATCH_MORE, /* more bytes are needed to know */
    BATCH_END,  /* it was whole and has ended */
    BATCH_FAULT /* it is no batch, or none any more */
};

struct batch_reader {
    enum batch_form form;
    size_t longest;     /* bytes of a post */
    struct bytes bytes; /* what was not taken yet */
    size_t taken;       /* bytes of it that are */
    size_t looked;      /* bytes beyond those that belong to the post at hand */
    unsigned depth;     /* of brackets in it */
    bool quoted, escaped;
    bool ended; /* no more bytes will come */
    unsigned char place;
    size_t posts; /* given so far */
};

/* What the first bytes of a JSON body say: BATCH_POST: it is one (its first member is `events`);
 * BATCH_FAULT: it is not; BATCH_MORE: that cannot be said yet. */
enum batch_step batch_reader_look(const char *bytes, size_t length);

void batch_reader_begin(struct batch_reader *reader, enum batch_form form, size_t longest);
/* More bytes, which are copied. False without memory. */
bool batch_reader_add(struct batch_reader *reader, const char *bytes, size_t length);
/* No more bytes will come. */
void batch_reader_finish(struct batch_reader *reader);
/* The next post, which stays until the reader is called again; or the reason (static) why there is
 * none any more. */
enum batch_step batch_reader_next(struct batch_reader *reader, const char **post, size_t *length,
                                  const char **fault);
void batch_reader_free(struct batch_reader *reader);

#endif
