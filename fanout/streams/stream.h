/* A client's stream and the connection that it holds: one allocation, since nearly every connection
 * becomes a stream. */
#ifndef ESN_STREAM_H
#define ESN_STREAM_H

#include "hash_table.h"
#include "net/connection.h"
#include "streams/identities.h"
#include "streams/stream_secrets.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;
struct kept_headers;
struct leaving_stream;
struct presence_entry;
struct replay;
struct transport;

enum { STREAM_ALIVE_BITS = 20 };

/* As with the connection, what a delivery touches stands first. */
struct stream {
    struct subscriber subscriber;
    const struct transport *transport; /* NULL until a stream begins, but for lines */
    struct stream_identity *identity;  /* NULL: unbound */
    uint32_t last_event;     /* of the newest event counted for it: the last bits of its sequence */
    uint32_t presence_since; /* changes of presence up to this one it was told of: see
                                stream_knows_change() */
    struct replay *replay;   /* while it catches up with the log */
    union {
        uint32_t ignored_input; /* of a transport on which the client has nothing to say */
        uint32_t pinged_at;     /* of one whose client answers: ms of the loop's clock, modulo */
    };
    uint8_t encoding : 4; /* transport->encoding, where a delivery finds it */
    bool comes_again : 1; /* while an event's receivers are looked over: under a later topic */
    bool asked_past : 1;  /* it said where it was when it came */
    bool recovered : 1;   /* and the log has everything since */
    bool comes_back : 1;  /* it proved to be who it was, so it will again */
    bool unanswered : 1;  /* nothing was heard since the last ping */
    bool says_had : 1;    /* its client says which events it had: see reports.h */
    bool
        is_behind : 1; /* it was not given all: nothing more is for it until it comes back, and it is told to */
    uint32_t alive_count : STREAM_ALIVE_BITS;

    struct connection connection;

    union {
        struct hash_node by_connid;
        struct {
            struct hash_node *next_by_connid;
            uint64_t connid; /* its own hash; 0 until a stream begins */
        };
    };
    struct presence_entry *presence;
    union {
        struct http_request *request; /* of connection->user, while it reads requests */
        void *transport_state;        /* of the transport, while the stream lasts */
    };
    union {
        uint64_t ends_at;               /* the stream, ms of the loop's clock */
        struct leaving_stream *leaving; /* when it has ended, while connection.outlived */
    };
    struct kept_headers *headers; /* of the subscription; NULL when they are not kept */
    union {
        /* Where the client says something: when what it has said would have come at the pace it
         * may, us. */
        uint64_t messages_due;
        /* Where it says nothing: it is gone unless it is heard of by then, ms of the loop's clock.
         * UINT64_MAX: it has promised nothing. */
        uint64_t absent_at;
        /* Of a poll: the change of presence up to which its client had heard of all when it asked.
         * UINT64_MAX: that is not known. */
        uint64_t presence_before;
    };
    unsigned char secret[STREAM_SECRET_SIZE];
};

/* The canonical user id; NULL: unbound. */
static inline const char *stream_user(const struct stream *stream)
{
    return stream->identity != NULL ? stream->identity->user->text : NULL;
}

/* "name\0value\0..." */
struct kept_headers {
    size_t length;
    char bytes[];
};

/* Half a kilobyte with what the C library adds: the memory of an idle client. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct stream) <= 472, "a stream has grown");
/* True of a change of presence (see presence.h) that the stream was told of, or that was before it:
 * by the last 32 bits of its number, which tell apart two thousand million of them. */
static inline bool stream_knows_change(const struct stream *stream, uint64_t change)
{
    return (int32_t)(stream->presence_since - (uint32_t)change) >= 0;
}

/* True of one that has ended, and of which topics are still in the index: no events are for it. */
static inline bool stream_has_ended(const struct stream *stream)
{
    return stream->connection.outlived || stream->connection.state == CONNECTION_CLOSED;
}

/* The stream that a connection is a part of. */
static inline struct stream *stream_of(const struct connection *connection)
{
    return (struct stream *)((uintptr_t)connection - offsetof(struct stream, connection));
}

static inline struct stream *stream_of_subscriber(struct subscriber *subscriber)
{
    return (struct stream *)(void *)((char *)subscriber - offsetof(struct stream, subscriber));
}

static inline struct stream *stream_of_connid_node(struct hash_node *by_connid)
{
    return (struct stream *)(void *)((char *)by_connid - offsetof(struct stream, by_connid));
}

#endif
