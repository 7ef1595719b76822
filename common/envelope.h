/* The bus's records as bytes: docs/bus.md has the layout. Big-endian, fixed size, versioned. No
 * I/O. */
#ifndef ESN_ENVELOPE_H
#define ESN_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENVELOPE_VERSION = 2,
    ENVELOPE_SIZE = 56,
    ENVELOPE_SIZE_MAX = 60, /* with ENVELOPE_WITHIN */
    ACK_HEADER_SIZE = 16,
    ACK_RECORD_SIZE = 24
};

enum envelope_kind {
    ENVELOPE_HELLO = 1,
    ENVELOPE_EVENT = 2,
    ENVELOPE_DROP = 3,
    ENVELOPE_POSITION = 4, /* asks for the newest event's id */
    ENVELOPE_QUESTION = 5, /* asks who had an event */
    ENVELOPE_REFUSAL = 6   /* tells of a post that was not published */
};
enum envelope_flag {
    ENVELOPE_PATTERN = 1,    /* the topic has wildcards */
    ENVELOPE_WHISPER = 2,    /* only to connection `whisper` */
    ENVELOPE_BOUND = 4,      /* only to bound subscriptions whose user is allowed */
    ENVELOPE_EVERYONE = 8,   /* bound, and unbound subscriptions too ("*" in sub) */
    ENVELOPE_ALL_USERS = 16, /* bound, every bound user ("+" in sub) */
    ENVELOPE_TARGETED = 32,  /* to the inboxes (@USER@) of the allowed users */
    ENVELOPE_HAS_POST_KEY =
        64, /* post_key holds a publisher's own id: doubles across handlers are dropped */
    ENVELOPE_PRIVATE = 128,   /* only to private subscriptions */
    ENVELOPE_ADDRESSED = 256, /* targeted at users whom the publisher named, and not the database */
    ENVELOPE_EXCEPT = 512,    /* to all but connection `whisper` */
    ENVELOPE_KEEP = 1024,     /* its topic's last value; neither wildcards, whisper nor targeted */
    ENVELOPE_REPORT = 2048,   /* it is remembered who had it */
    ENVELOPE_WITHIN = 4096,   /* and told which of those users had not, after `within` */
    ENVELOPE_FORGET = 8192,   /* with KEEP: there is none any more */
    ENVELOPE_KNOWN_FLAGS = 16383
};

enum { ENVELOPE_POST_KEY_SIZE = 16 };

struct envelope {
    enum envelope_kind kind;
    uint16_t flags;
    uint64_t publisher; /* random, one per handler process */
    uint64_t sequence;  /* counts the publisher's messages; a message sent again keeps it */
    uint64_t whisper;   /* connid, also of ENVELOPE_EXCEPT */
    uint64_t token;     /* id of the entry token (secret_id()); 0: none, which is never limited */
    unsigned char post_key[ENVELOPE_POST_KEY_SIZE];
    uint32_t within; /* ms, with ENVELOPE_WITHIN; else 0 */
};

enum ack_status {
    ACK_DELIVERED = 0,
    ACK_DOUBLE = 1,   /* was had before; receivers and event_sequence are those of the first time */
    ACK_OVERLOAD = 2, /* not taken: say 503 */
    ACK_LIMITED = 3,  /* not taken, the token has published too much: say 429 */
    ACK_OTHER = 4,    /* not taken, its post key is another event's: say 409 */
    ACK_TOPIC = 5,    /* not taken, its topic is over the daemon's own limits: say 422 */
    ACK_UNSTORED = 6, /* not taken, the log cannot be written to the disk: say 503 */
    ACK_FULL = 7,     /* a drop not taken, there is no room to remember it: say 503 */
    ACK_UNKNOWN = 8   /* a question about something that is not known: say 404 */
};

/* Whether to say 503: the same event may be taken later. */
static inline bool ack_is_overload(enum ack_status status)
{
    return status == ACK_OVERLOAD || status == ACK_UNSTORED;
}

struct ack {
    uint64_t sequence;
    uint64_t event_sequence; /* second half of the event's id */
    uint32_t receivers;      /* 0 with ACK_LIMITED */
    uint32_t wait_ms;        /* with ACK_LIMITED: until one of this token is taken; else 0 */
    enum ack_status status;
};

/* The number of bytes: ENVELOPE_SIZE or ENVELOPE_SIZE_MAX. */
size_t envelope_write(unsigned char out[ENVELOPE_SIZE_MAX], const struct envelope *envelope);
/* Whether all flags are known and go together; those that do not could narrow who may hear an
 * event. */
bool envelope_flags_are_sound(uint64_t flags);
/* False when the bytes are no envelope of this version; nothing is asserted of them. */
bool envelope_read(struct envelope *out, const void *bytes, size_t length);

/* An acknowledgement message: a header with the daemon's epoch (first half of event ids), then 1..n
 * records. */
void ack_header_write(unsigned char out[ACK_HEADER_SIZE], uint64_t epoch);
void ack_record_write(unsigned char out[ACK_RECORD_SIZE], const struct ack *ack);
/* Number of records in an acknowledgement message, or -1 when it is not one of this version. */
int ack_count(const void *bytes, size_t length, uint64_t *epoch);
/* The answer to a question: header, one record, then the text that was asked for. */
void answer_header_write(unsigned char out[ACK_HEADER_SIZE], uint64_t epoch);
/* Whether the message is one, of this version; its record is read by ack_read(). */
bool answer_read(const void *bytes, size_t length, uint64_t *epoch);
/* Reads record `index` (below ack_count). False when its status is unknown. */
bool ack_read(struct ack *out, const void *bytes, int index);

#endif
