/* The bus between handlers and daemon: publishing with acknowledgement over an engine (ZeroMQ) that
 * only the files bus_*.c know. The daemon binds one inbox, every handler process opens one
 * publisher. docs/bus.md has the messages. */
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

struct bus_options {
    const char *const *event_endpoints; /* NULL-ended; daemon binds, handlers connect: ipc:///path
                                           or tcp://host:port */
    const char *const *ack_endpoints;   /* likewise, for the acknowledgements */
    const char *const *topic_prefixes;  /* daemon only; NULL-ended; NULL or empty: every topic */
    unsigned socket_mode;               /* file mode of the daemon's ipc sockets, such as 0660 */
    size_t max_message_bytes;           /* of one part, daemon only */
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

struct bus_message {
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
    unsigned char post_key[ENVELOPE_POST_KEY_SIZE];
    const char *allowed;
    size_t allowed_length;
    const char *event;
    size_t event_length;
    /* set by bus_publish(): */
    bool sent_again;
    bool acknowledged;
    uint64_t epoch;
    struct ack ack;
    struct bytes *answer; /* of a question: what was answered is appended */
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
 * instead of late. */
bool bus_publish(struct bus_publisher *publisher, struct bus_event *events, size_t count,
                 unsigned limit_ms, unsigned down_limit_ms);
/* Sends what nobody waits for, such as a refusal, once and in order: a daemon that does not know it says nothing,
 * and is no reason to hold anybody up. Lost when the daemon is away. Waits for the daemon, at most limit_ms, only
 * when it has not answered yet; closing the publisher waits a moment until all is sent. */
void bus_tell(struct bus_publisher *publisher, struct bus_event *events, size_t count,
              unsigned limit_ms, unsigned down_limit_ms);

#endif
