/* The bus between handlers and daemons: publishing with acknowledgement over an engine (ZeroMQ, or Redis) that only
 * the files bus_*.c know. A daemon opens one inbox, every handler process one publisher. docs/bus.md has the messages.
 * bus_front.c hands each call to the engine of the options. */
#ifndef ESN_BUS_H
#define ESN_BUS_H

#include "bytes.h"
#include "drop.h"
#include "envelope.h"
#include "event.h"
#include "question.h"
#include "refusal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bus_engine_kind { BUS_ZEROMQ, BUS_REDIS };
enum bus_side { BUS_DAEMON, BUS_HANDLER };

struct redis_options;

/* What Redis is asked for when it is the engine (docs/nodes.md). */
struct bus_redis_options {
    const struct redis_options *redis; /* borrowed as long as the inbox or publisher is open */
    const char *prefix;                /* of all keys and channels */
    const char *url;    /* daemon: what its record says until bus_inbox_describe(); NULL: nothing */
    uint64_t lease_ms;  /* a node that did not renew its record for so long is no more */
    uint64_t start_ms;  /* daemon: how long it waits at its start for a Redis that is away */
    uint64_t window_ms; /* daemon: of the past it is given this ... */
    size_t window_bytes;    /* ... at most so much */
    uint64_t max_events;    /* of the stream; older ones are trimmed */
    uint64_t remember_ms;   /* how long an event is recognised that is posted again */
    uint64_t receivers_ms;  /* handler: how long it waits for what nodes say of receivers */
    unsigned wait_replicas; /* so many must have an event before it counts as taken */
    uint64_t max_kept;      /* bytes of last values that Redis keeps */
    uint64_t rate, burst;   /* of a token that has no rate of its own, as [publish] has them */
};

/* Of a daemon that takes over the streams of a running one: what that one's bus_inbox_facts() said, and the newest
 * event that it was given. */
struct bus_take_up {
    uint64_t boot; /* 0: it begins anew */
    uint64_t epoch, sequence;
    uint64_t notes; /* that it had said */
};

struct bus_options {
    enum bus_engine_kind engine;
    struct bus_take_up take_up;         /* daemon, of an engine that several share */
    struct bus_redis_options redis;     /* of BUS_REDIS */
    const char *const *event_endpoints; /* NULL-ended; daemon binds, handlers connect: ipc:///path
                                           or tcp://host:port */
    const char *const *ack_endpoints;   /* likewise, for the acknowledgements */
    const char *const *topic_prefixes;  /* daemon only; NULL-ended; NULL or empty: every topic */
    unsigned socket_mode;               /* file mode of the daemon's ipc sockets, such as 0660 */
    size_t max_message_bytes;           /* of one part */
    /* CURVE keys (Z85 text, 40 characters) or NULL for none: the daemon has server_public and
     * server_secret, handlers server_public alone (each makes a key pair of its own). */
    const char *server_public_key;
    const char *server_secret_key;
};

enum { BUS_ERROR_SIZE = 256 };

/* Whether these two CURVE keys are a pair. */
bool bus_keys_are_pair(const char *public_key, const char *secret_key);

/* ---- daemon's side ---- */
struct bus_inbox;

/* What an engine that several daemons share says of them. */
enum bus_news_kind {
    BUS_NEWS_WINDOW = 1, /* all that was kept of the past has been given: the daemon may serve */
    BUS_NEWS_NOTE,       /* a node says something to the others */
    BUS_NEWS_CAME,       /* a node lives; of this one notes were not heard before */
    BUS_NEWS_GONE,       /* its lease is over, or it took its leave */
    BUS_NEWS_MISSED,     /* notes of it were lost: what it said before has to be asked for */
    BUS_NEWS_EPOCH,      /* ids begin anew, after `sequence`: the engine has lost events */
    BUS_NEWS_LOST,       /* events up to `sequence` were trimmed before this node was given them */
    BUS_NEWS_CUT, /* this node's own lease is over, others may count it as gone; not while the
                            engine itself is away, for all */
    /* It has one again, perhaps with another number and first connection id (bus_inbox_facts()), and all that happened
     * meanwhile follows or was given. */
    BUS_NEWS_BACK
};

struct bus_news {
    enum bus_news_kind kind; /* 0: the message is no news */
    unsigned node;           /* of NOTE, CAME, GONE and MISSED */
    uint64_t epoch;          /* of EPOCH */
    uint64_t sequence;       /* of EPOCH and LOST */
    const char *text;        /* of NOTE, borrowed as the message's texts are */
    size_t length;
};

struct bus_message {
    struct bus_news news; /* when it is any, nothing else counts */
    /* Of an engine that numbers events: second half of the id, and when it was taken. `past`: of the window
     * from before, `value`: a last value from before the window; nobody waits for an acknowledgement of those.
     * 0 of ZeroMQ: the daemon numbers. */
    uint64_t number;
    uint64_t wall_ms;
    bool past, value;
    struct envelope envelope;
    /* By envelope.kind one of these, borrowed until the next call of bus_inbox_next(); what is no
     * event has an empty one. */
    struct event event; /* it has no sequence yet */
    struct drop drop;
    struct question question;
    struct refusal refusal;
};

/* Binds. NULL on failure, with a sentence in error. The caller closes. */
struct bus_inbox *bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                 char error[BUS_ERROR_SIZE]);
void bus_inbox_close(struct bus_inbox **inbox);
/* Before closing, when no other program takes the streams over: the other daemons count this one as gone at once, and
 * what it has seen is known to be in the engine. Waits a moment at most. */
void bus_inbox_leave(struct bus_inbox *inbox);
/* Becomes readable when messages may be waiting; edge-triggered: drain with bus_inbox_next() until
 * it says 0. */
int bus_inbox_descriptor(const struct bus_inbox *inbox);
/* 1: *message is the next event, drop, question or refusal; 0: none now; -1: the engine failed (errno).
 * Hellos are answered inside; messages that are not of this version are counted and skipped. */
int bus_inbox_next(struct bus_inbox *inbox, struct bus_message *message);
/* Queues an acknowledgement; bus_inbox_flush() sends those queued, those of one publisher in one
 * message. */
void bus_inbox_acknowledge(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack);
void bus_inbox_flush(struct bus_inbox *inbox);
/* Sends the answer to a question at once: its acknowledgement and a text, which may be empty. */
void bus_inbox_answer(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack,
                      const char *text, size_t length);
/* Messages skipped because they were malformed. */
uint64_t bus_inbox_malformed(const struct bus_inbox *inbox);

/* ---- nodes: daemons that share an engine ---- */
enum { BUS_NODE_BITS = 10, BUS_NODES_MOST = 1 << BUS_NODE_BITS, BUS_STREAM_KEY_SIZE = 16 };

/* What the engine gave this daemon when it was opened. */
struct bus_facts {
    bool numbers_events; /* false: ZeroMQ, and nothing else counts */
    unsigned node;       /* below BUS_NODES_MOST */
    uint64_t boot;       /* of this run of the daemon, and of those that take it up */
    uint64_t notes;      /* that it has said by now */
    uint64_t epoch;      /* first half of ids */
    uint64_t sequence;   /* of the newest event */
    uint64_t
        first_connid; /* connection ids go up from here by BUS_NODES_MOST; their last BUS_NODE_BITS are the node */
    unsigned char stream_key[BUS_STREAM_KEY_SIZE]; /* of stream secrets; one for all nodes */
};

struct bus_facts bus_inbox_facts(const struct bus_inbox *inbox);
/* Tells all other living nodes, without waiting; may be lost, which they notice (BUS_NEWS_MISSED). */
void bus_inbox_note(struct bus_inbox *inbox, const char *text, size_t length);

struct bus_node {
    unsigned node;
    uint64_t streams;
    const char *url; /* "": it has said none */
};

/* What this node's record says from the next renewal on. */
void bus_inbox_describe(struct bus_inbox *inbox, uint64_t streams, const char *url);
/* The living nodes, this one among them, by number; at most `most` are written. Their number. Texts are borrowed
 * until the next call of bus_inbox_next(). */
size_t bus_inbox_nodes(const struct bus_inbox *inbox, struct bus_node *nodes, size_t most);

/* ---- publisher's side ---- */
struct bus_publisher;

struct bus_event {
    enum envelope_kind kind; /* of what is made by the functions below; 0: an event */
    const char *topic;
    size_t topic_length;
    uint16_t flags;
    uint64_t whisper; /* connid, also of ENVELOPE_EXCEPT */
    uint64_t token;   /* see struct envelope, as the next */
    uint32_t within;
    uint32_t
        rate; /* events a second of this publisher; 0: as of all. ZeroMQ's daemon knows it itself */
    unsigned char post_key[ENVELOPE_POST_KEY_SIZE];
    const char *allowed;
    size_t allowed_length;
    const char *event;
    size_t event_length;
    /* set by bus_publish(): */
    bool sent_again;
    bool acknowledged;
    bool complete; /* every living node has said how many receivers it had; always with ZeroMQ */
    uint64_t epoch;
    struct ack ack; /* its receivers are the sum over nodes */
    struct bytes
        *answer; /* of a question: what was answered is appended; of several nodes a line each */
};

/* A drop is sent as events are, and acknowledged with the number of streams that it ended. Borrows
 * the drop's name and the record, which it fills. */
struct bus_event bus_event_of_drop(const struct drop *drop, unsigned char record[DROP_RECORD_SIZE]);
/* Of a post that was not published. Borrows the record, which refusal_write() made. */
struct bus_event bus_event_of_refusal(const struct bytes *record);
/* A question is asked again until it is answered, and answered each time as things are then. It is
 * about what is this publisher's; 0: anybody's. Borrows the record, which it fills, and the answer. */
struct bus_event bus_event_of_question(const struct question *question, uint64_t publisher,
                                       unsigned char record[QUESTION_SIZE], struct bytes *answer);

/* Connects in the background; never waits. NULL on failure, with a sentence in error. One thread at
 * a time; open it after fork(2). */
struct bus_publisher *bus_publisher_open(const struct bus_options *options,
                                         char error[BUS_ERROR_SIZE]);
void bus_publisher_close(struct bus_publisher **publisher);

/* Asks for the id of the newest event: it is acknowledged with that. */
struct bus_event bus_event_of_position(void);

/* Sends the events in order and waits until each is acknowledged, sending unanswered ones again
 * with the same sequence. True: all acknowledged and none with ACK_OVERLOAD or ACK_UNSTORED. An ACK_LIMITED of an
 * event that was sent again becomes ACK_OVERLOAD, since another copy of it may have been taken:
 * ACK_LIMITED is certain. False: the time limit passed (see each event's `acknowledged`), or the
 * daemon refused. When the daemon did not answer lately, waits at most down_limit_ms for it to come
 * back, and not at all for as long after that, so that a queue of requests is answered early
 * instead of late.
 * With an engine that keeps events itself, "acknowledged" is that it has them. Then the living daemons are waited for,
 * at most receivers_ms, to say how many receivers they had. */
bool bus_publish(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms);
/* Sends what nobody waits for, such as a refusal, once and in order: a daemon that does not know it says nothing,
 * and is no reason to hold anybody up. Lost when the daemon is away. Waits for the daemon, at most limit_ms, only
 * when it has not answered yet; closing the publisher waits a moment until all is sent. */
void bus_tell(struct bus_publisher *publisher, struct bus_event *events, size_t count,
              unsigned limit_ms, unsigned down_limit_ms);

/* Why the last publish was not acknowledged, as far as the engine knows; "": it does not. */
const char *bus_publisher_trouble(const struct bus_publisher *publisher);

#endif
