/* Whose streams are whose: the identities of streams, by user and by the application's session, of
 * those that are held and of those that may still come back. */
#ifndef ESN_IDENTITIES_H
#define ESN_IDENTITIES_H

#include "drop.h"
#include "hash_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct stream;
struct stream_identity;

LIST_HEAD(identity_list, stream_identity);

/* A user or a session: one text for all that have it. */
struct identity_name {
    struct hash_node by_text;
    struct identity_list members; /* by_user or by_session, as kind says */
    uint32_t uses;
    uint32_t length;
    uint8_t kind; /* DROP_USER or DROP_SESSION */
    char text[];  /* with its NUL */
};

struct identities {
    struct hash_table by_text; /* of both kinds */
    uint64_t seed;             /* random, see hash_bytes() */
    uint64_t bytes;            /* of all names and identities */
};

/* Whose stream it is, as its ticket says. */
struct stream_identity {
    uint64_t until; /* when the proof ends, ms of the loop's clock; UINT64_MAX: it does not */
    uint64_t until_wall_ms; /* the same as the client is told; 0: it does not */
    uint64_t withheld;      /* sequence of the first event that came after that; 0: none yet */
    struct identities *owner;
    struct identity_name *user;    /* the canonical user id */
    struct identity_name *session; /* NULL: nobody said which */
    LIST_ENTRY(stream_identity) by_user, by_session;
    struct stream *stream; /* NULL: it has ended */
    uint64_t connid;       /* that it had, then */
};

/* "" when nobody said which. */
static inline const char *stream_identity_sid(const struct stream_identity *identity)
{
    return identity->session != NULL ? identity->session->text : "";
}

/* One that does not end, of no stream yet. session: NULL or "": none. NULL without memory. */
struct stream_identity *identities_new(struct identities *identities, const char *user,
                                       const char *session);
/* Harmless with NULL. */
void stream_identity_free(struct stream_identity *identity);
/* Those of a user or session; NULL: there are none. */
struct identity_name *identities_find(const struct identities *identities, enum drop_kind kind,
                                      const char *text, size_t length);
/* That of a node of by_text. */
struct identity_name *identity_name_of(struct hash_node *node);
/* Moves all of a user or session into an empty list of the caller's, which each of them leaves when
 * it is freed. Those that come from now on are not in it. */
void identities_take(struct identity_name *name, struct identity_list *list);
/* Every identity is freed. */
void identities_close(struct identities *identities);
/* Memory of all. */
uint64_t identities_bytes(const struct identities *identities);
struct saved_reader;
struct saved_writer;

/* NULL: that there is none. */
void stream_identity_save(const struct stream_identity *identity, struct saved_writer *writer);
/* The identity, or NULL where there is none; false when it is not as it should be, or without
 * memory. */
bool identities_load(struct identities *identities, struct saved_reader *reader,
                     struct stream_identity **identity);

#endif
