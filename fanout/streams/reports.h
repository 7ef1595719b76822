/* Who had an event: for each that was posted with `report` the streams that it was sent to, and
 * which of their clients have said that they had it (docs/protocol.md section 3). Bounded by bytes
 * and age, oldest forgotten first; what a client says is looked up by its connection id, and
 * nothing is kept in the stream but whether its client says anything. */
#ifndef ESN_REPORTS_H
#define ESN_REPORTS_H

#include "hash_table.h"
#include "net/deadlines.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct receipt_chunk;
struct report_client;
struct report_users;
struct stream;

enum report_receipt_state {
    RECEIPT_MISSING, /* by a client that says what it had */
    RECEIPT_HAD,
    RECEIPT_UNSAID, /* by one that does not: nobody knows */
    RECEIPT_STATES
};

/* An event for one client. */
struct report_receipt {
    struct hash_node by_both; /* of report and client */
    struct report *report;
    struct report_client *client;
    LIST_ENTRY(report_receipt) by_report; /* in the list of its state */
    union {
        LIST_ENTRY(report_receipt) by_client; /* unless it had it */
        uint64_t had_at_ms;                   /* else when it said so, wall clock */
    };
    uint64_t sent_at_ms;
    uint32_t visit; /* the client's, in which it was written to it last; 0: it was not yet */
    uint32_t user;  /* place among those who are waited for */
    uint8_t state;  /* enum report_receipt_state */
    uint8_t place;  /* in its chunk */
};

LIST_HEAD(report_receipts, report_receipt);

/* A client that was sent something: one connection id, however often it comes back as that. */
struct report_client {
    struct hash_node by_connid;
    struct report_receipts open; /* what it has not said to have had */
    uint64_t left_at_ms;         /* 0: it is here */
    uint32_t visit;              /* counts its streams, from 1 */
    uint32_t receipts;           /* all of it */
    size_t names_size;           /* bytes of names */
    char *names;                 /* client id and user, each followed by NUL; NULL while here */
};

struct report {
    struct hash_node by_sequence;
    TAILQ_ENTRY(report) by_age;
    struct report_receipts receipts[RECEIPT_STATES];
    uint32_t counts[RECEIPT_STATES];
    uint64_t token; /* id of who published it */
    uint64_t made_at_ms;
    struct report_users *users; /* who are waited for; NULL: nobody is, any more */
    bool is_forgotten;          /* not found any more; its receipts are freed a few at a time */
};

struct reports {
    struct hash_table by_sequence, clients, receipts;
    TAILQ_HEAD(, report) by_age; /* oldest first */
    uint64_t seed;               /* random, see hash_bytes() */
    uint64_t max_bytes;          /* set by the owner, like the next; may change at any time */
    uint64_t max_age_ms;
    struct receipt_chunk *filling; /* NULL: the next receipt begins a new one */
    uint64_t chunks;               /* in which receipts lie */
    uint64_t names_bytes, users_bytes;
    struct deadlines waits; /* of report_users, once begun */
    bool waits_begun;
    uint64_t made, given_up; /* since the start; of these, forgotten before their time */
};

/* Of a zeroed one. */
void reports_open(struct reports *reports, uint64_t seed);
void reports_close(struct reports *reports);
/* Remembers from now on who has the event, which has its sequence. NULL: it is not remembered,
 * since there is no room. */
struct report *reports_begin(struct reports *reports, const struct event *event, uint64_t now_ms);
/* NULL: it is not remembered. */
struct report *reports_find(const struct reports *reports, uint64_t sequence);
/* The event is for this stream; harmless when that is known. written: it was queued, and not left
 * for when the stream has caught up. Without room the report is forgotten: never an untrue one. */
void reports_add(struct reports *reports, struct report *report, const struct stream *stream,
                 bool written, uint64_t now_ms);
/* The stream's client says that it had everything that was sent to it, up to this sequence. */
void reports_had(struct reports *reports, uint64_t connid, uint64_t through);
/* A stream begins, as the client that had this connection id. */
void reports_come_back(struct reports *reports, uint64_t connid);
/* And its client has everything that was sent up to this sequence to the stream before. */
void reports_resume(struct reports *reports, uint64_t connid, uint64_t through);
/* It ends. */
void reports_leave(struct reports *reports, const struct stream *stream, uint64_t now_ms);
/* NULL: it was not for this client, or that is not known. */
const struct report_receipt *reports_find_receipt(const struct reports *reports,
                                                  const struct report *report, uint64_t connid);
/* All users who were waited for are accounted for. */
void reports_settle(struct reports *reports, struct report *report);
/* Forgets what is too old. */
void reports_expire(struct reports *reports, uint64_t now_ms);
/* Memory of all. */
uint64_t reports_bytes(const struct reports *reports);

static inline uint64_t report_sequence(const struct report *report)
{
    return report->by_sequence.hash;
}

static inline uint64_t report_client_connid(const struct report_client *client)
{
    return client->by_connid.hash;
}

#endif
