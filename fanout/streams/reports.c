#include "streams/reports.h"

#include "clock.h"
#include "envelope.h"
#include "event.h"
#include "heap.h"
#include "streams/presence.h"
#include "streams/report_users.h"
#include "streams/stream.h"

#include <stdlib.h>
#include <string.h>

enum {
    RECEIPTS_TOGETHER = 16,
    FREED_AT_ONCE = 4,   /* receipts, when one is made and there is no room: more than are made */
    FREED_IN_TICK = 4096 /* of those that are too old */
};

/* Receipts are made and forgotten in about the same order: many share one allocation, which goes with the last of
 * them. */
struct receipt_chunk {
    uint32_t made, left; /* receipts; of these, not yet given back */
    struct report_receipt receipts[RECEIPTS_TOGETHER];
};

static struct report *report_of(struct hash_node *node)
{
    return (struct report *)(void *)((char *)node - offsetof(struct report, by_sequence));
}

static struct report_client *client_of(struct hash_node *node)
{
    return (struct report_client *)(void *)((char *)node -
                                            offsetof(struct report_client, by_connid));
}

static struct report_receipt *receipt_of(struct hash_node *node)
{
    return (struct report_receipt *)(void *)((char *)node -
                                             offsetof(struct report_receipt, by_both));
}

void reports_open(struct reports *reports, uint64_t seed)
{
    reports->seed = seed;
    TAILQ_INIT(&reports->by_age);
}

uint64_t reports_bytes(const struct reports *reports)
{
    return hash_table_bytes_with(&reports->by_sequence, sizeof(struct report)) +
           hash_table_bytes_with(&reports->clients, sizeof(struct report_client)) +
           hash_table_bytes(&reports->receipts) +
           reports->chunks * heap_taken(sizeof(struct receipt_chunk)) + reports->names_bytes +
           reports->users_bytes;
}

struct report *reports_find(const struct reports *reports, uint64_t sequence)
{
    struct hash_node *node = hash_table_find(&reports->by_sequence, sequence);

    return node != NULL && !report_of(node)->is_forgotten ? report_of(node) : NULL;
}

/* ---- clients ---- */

static struct report_client *find_client(const struct reports *reports, uint64_t connid)
{
    struct hash_node *node =
        reports->clients.count > 0 ? hash_table_find(&reports->clients, connid) : NULL;

    return node != NULL ? client_of(node) : NULL;
}

static struct report_client *take_client(struct reports *reports, uint64_t connid)
{
    struct report_client *client = find_client(reports, connid);

    if (client != NULL)
        return client;
    client = calloc(1, sizeof *client);
    if (client == NULL || !hash_table_add(&reports->clients, &client->by_connid, connid)) {
        free(client);
        return NULL;
    }
    LIST_INIT(&client->open);
    client->visit = 1;
    return client;
}

static void forget_names(struct reports *reports, struct report_client *client)
{
    if (client->names == NULL)
        return;
    reports->names_bytes -= heap_taken(client->names_size);
    free(client->names);
    client->names = NULL;
}

static void release_client(struct reports *reports, struct report_client *client)
{
    if (client->receipts > 0)
        return;
    forget_names(reports, client);
    hash_table_remove(&reports->clients, &client->by_connid);
    free(client);
}

/* ---- chunks of receipts ---- */

/* An empty one; NULL without memory. */
static struct report_receipt *take_receipt(struct reports *reports)
{
    if (reports->filling == NULL) {
        reports->filling = calloc(1, sizeof *reports->filling);
        if (reports->filling == NULL)
            return NULL;
        reports->chunks++;
    }
    struct receipt_chunk *chunk = reports->filling;
    struct report_receipt *receipt = &chunk->receipts[chunk->made];
    receipt->place = (uint8_t)chunk->made++;
    chunk->left++;
    if (chunk->made == RECEIPTS_TOGETHER)
        reports->filling = NULL;
    return receipt;
}

static void give_receipt_back(struct reports *reports, struct report_receipt *receipt)
{
    struct report_receipt *first = receipt - receipt->place;
    struct receipt_chunk *chunk =
        (struct receipt_chunk *)(void *)((char *)first - offsetof(struct receipt_chunk, receipts));

    if (--chunk->left > 0)
        return;
    if (chunk == reports->filling)
        reports->filling = NULL;
    free(chunk);
    reports->chunks--;
}

/* ---- forgetting ---- */

static struct report_receipt *first_receipt(const struct report *report)
{
    for (int state = 0; state < RECEIPT_STATES; state++)
        if (!LIST_EMPTY(&report->receipts[state]))
            return LIST_FIRST(&report->receipts[state]);
    return NULL;
}

static void free_receipt(struct reports *reports, struct report_receipt *receipt)
{
    struct report_client *client = receipt->client;

    LIST_REMOVE(receipt, by_report);
    if (receipt->state != RECEIPT_HAD)
        LIST_REMOVE(receipt, by_client);
    hash_table_remove(&reports->receipts, &receipt->by_both);
    give_receipt_back(reports, receipt);
    client->receipts--;
    release_client(reports, client);
}

void reports_settle(struct reports *reports, struct report *report)
{
    if (report->users == NULL)
        return;
    reports->users_bytes -= heap_taken(report->users->size);
    report_users_free(&report->users);
}

/* Frees what is left of the oldest ones that are forgotten: so many receipts, at most. */
static void sweep(struct reports *reports, int most)
{
    struct report *oldest;

    while ((oldest = TAILQ_FIRST(&reports->by_age)) != NULL && oldest->is_forgotten) {
        struct report_receipt *receipt;
        while ((receipt = first_receipt(oldest)) != NULL) {
            if (most-- == 0)
                return;
            free_receipt(reports, receipt);
        }
        TAILQ_REMOVE(&reports->by_age, oldest, by_age);
        hash_table_remove(&reports->by_sequence, &oldest->by_sequence);
        free(oldest);
    }
}

static void give_up(struct reports *reports, struct report *report)
{
    reports->given_up += !report->is_forgotten;
    report->is_forgotten = true;
    reports_settle(reports, report);
}

/* In favour of one that grows; which is given up itself when it is the oldest. */
static void make_room(struct reports *reports, struct report *growing)
{
    struct report *oldest = TAILQ_FIRST(&reports->by_age);

    if (reports_bytes(reports) <= reports->max_bytes)
        return;
    give_up(reports, oldest);
    if (oldest != growing)
        sweep(reports, FREED_AT_ONCE);
}

void reports_expire(struct reports *reports, uint64_t now_ms)
{
    struct report *report;

    TAILQ_FOREACH(report, &reports->by_age, by_age)
    {
        if (now_ms - report->made_at_ms <= reports->max_age_ms)
            break;
        report->is_forgotten = report->users == NULL;
    }
    sweep(reports, FREED_IN_TICK);
}

void reports_close(struct reports *reports)
{
    struct report *report;

    TAILQ_FOREACH(report, &reports->by_age, by_age)
    give_up(reports, report);
    sweep(reports, -1);
    hash_table_free(&reports->by_sequence);
    hash_table_free(&reports->clients);
    hash_table_free(&reports->receipts);
}

/* ---- what is sent ---- */

/* Without memory, or before its clock has begun, nobody is told anything. */
static void wait_for_users(struct reports *reports, struct report *report,
                           const struct event *event, uint64_t now_ms)
{
    if ((event->flags & ENVELOPE_WITHIN) == 0 || event->within_ms == 0)
        return;
    report->users = report_users_new(report, event);
    if (report->users == NULL)
        return;
    reports->users_bytes += heap_taken(report->users->size);
    if (!reports->waits_begun)
        deadlines_start(&reports->waits, now_ms);
    reports->waits_begun = true;
    deadlines_set(&reports->waits, &report->users->due, now_ms + event->within_ms);
}

struct report *reports_begin(struct reports *reports, const struct event *event, uint64_t now_ms)
{
    if (reports->max_bytes == 0 || reports->max_age_ms == 0)
        return NULL;
    struct report *report = calloc(1, sizeof *report);
    if (report == NULL ||
        !hash_table_add(&reports->by_sequence, &report->by_sequence, event->sequence)) {
        free(report);
        return NULL;
    }
    for (int state = 0; state < RECEIPT_STATES; state++)
        LIST_INIT(&report->receipts[state]);
    report->token = event->token;
    report->made_at_ms = now_ms;
    TAILQ_INSERT_TAIL(&reports->by_age, report, by_age);
    reports->made++;
    wait_for_users(reports, report, event, now_ms);
    make_room(reports, report);
    return report->is_forgotten ? NULL : report;
}

static uint64_t hash_of(const struct reports *reports, const struct report *report, uint64_t connid)
{
    const uint64_t both[] = {report_sequence(report), connid};

    return hash_bytes(reports->seed, both, sizeof both);
}

/* hash: of report and client. */
static struct report_receipt *find_receipt(const struct reports *reports,
                                           const struct report *report, uint64_t connid,
                                           uint64_t hash)
{
    struct hash_node *node = hash_table_find(&reports->receipts, hash);

    for (; node != NULL; node = hash_table_find_next(node)) {
        struct report_receipt *receipt = receipt_of(node);
        if (receipt->report == report && report_client_connid(receipt->client) == connid)
            return receipt;
    }
    return NULL;
}

const struct report_receipt *reports_find_receipt(const struct reports *reports,
                                                  const struct report *report, uint64_t connid)
{
    return find_receipt(reports, report, connid, hash_of(reports, report, connid));
}

static void set_state(struct report_receipt *receipt, enum report_receipt_state state)
{
    LIST_INSERT_HEAD(&receipt->report->receipts[state], receipt, by_report);
    receipt->report->counts[state]++;
    receipt->state = (uint8_t)state;
}

/* NULL: he is not waited for, or not any more. */
static struct report_user *user_of(const struct report_receipt *receipt)
{
    struct report_users *users = receipt->report->users;

    return users != NULL && receipt->user != REPORT_NO_USER ? &users->list[receipt->user] : NULL;
}

static void note_sent(const struct report_receipt *receipt)
{
    struct report_user *user = user_of(receipt);

    if (user == NULL)
        return;
    user->sent++;
    user->is_unsaid = user->is_unsaid || receipt->state == RECEIPT_UNSAID;
}

/* NULL without memory. */
static struct report_receipt *add_receipt(struct reports *reports, struct report *report,
                                          const struct stream *stream, uint64_t hash,
                                          uint64_t now_ms)
{
    struct report_client *client = take_client(reports, stream->connid);

    if (client == NULL)
        return NULL;
    struct report_receipt *receipt = take_receipt(reports);
    if (receipt == NULL || !hash_table_add(&reports->receipts, &receipt->by_both, hash)) {
        if (receipt != NULL)
            give_receipt_back(reports, receipt);
        release_client(reports, client);
        return NULL;
    }
    receipt->report = report;
    receipt->client = client;
    receipt->sent_at_ms = now_ms;
    receipt->user = report->users != NULL ? report_users_find(report->users, stream_user(stream))
                                          : REPORT_NO_USER;
    client->receipts++;
    LIST_INSERT_HEAD(&client->open, receipt, by_client);
    set_state(receipt, stream->says_had ? RECEIPT_MISSING : RECEIPT_UNSAID);
    note_sent(receipt);
    return receipt;
}

void reports_add(struct reports *reports, struct report *report, const struct stream *stream,
                 bool written, uint64_t now_ms)
{
    if (report->is_forgotten)
        return;
    uint64_t hash = hash_of(reports, report, stream->connid);
    struct report_receipt *receipt = find_receipt(reports, report, stream->connid, hash);
    if (receipt == NULL)
        receipt = add_receipt(reports, report, stream, hash, now_ms);
    if (receipt == NULL) {
        give_up(reports, report);
        return;
    }
    if (written)
        receipt->visit = receipt->client->visit;
    make_room(reports, report);
}

/* ---- what is said ---- */

static void note_had(struct report_receipt *receipt)
{
    LIST_REMOVE(receipt, by_report);
    LIST_REMOVE(receipt, by_client);
    receipt->report->counts[receipt->state]--;
    set_state(receipt, RECEIPT_HAD);
    receipt->had_at_ms = clock_wall_ms();
    if (user_of(receipt) != NULL)
        user_of(receipt)->had = true;
}

/* Of what was written in this visit, since an event of before may have been lost, and not be in the
 * log any more. */
static void note_through(struct report_client *client, uint64_t through, uint32_t visit)
{
    struct report_receipt *receipt, *next;

    for (receipt = LIST_FIRST(&client->open); receipt != NULL; receipt = next) {
        next = LIST_NEXT(receipt, by_client);
        if (report_sequence(receipt->report) <= through && receipt->visit == visit)
            note_had(receipt);
    }
}

void reports_had(struct reports *reports, uint64_t connid, uint64_t through)
{
    struct report_client *client = find_client(reports, connid);

    if (client != NULL)
        note_through(client, through, client->visit);
}

void reports_resume(struct reports *reports, uint64_t connid, uint64_t through)
{
    struct report_client *client = find_client(reports, connid);

    if (client != NULL && client->visit > 1)
        note_through(client, through, client->visit - 1);
}

void reports_come_back(struct reports *reports, uint64_t connid)
{
    struct report_client *client = find_client(reports, connid);

    if (client == NULL)
        return;
    forget_names(reports, client);
    client->left_at_ms = 0;
    client->visit++;
}

/* Without memory it has no names. */
static void keep_names(struct reports *reports, struct report_client *client,
                       const struct stream *stream)
{
    const struct presence_entry *presence = stream->presence;
    const char *user = stream_user(stream) != NULL ? stream_user(stream) : "";
    size_t size = presence->length + 1 + strlen(user) + 1;

    client->names = malloc(size);
    if (client->names == NULL)
        return;
    memcpy(client->names, presence->clid, presence->length);
    client->names[presence->length] = '\0';
    memcpy(client->names + presence->length + 1, user, strlen(user) + 1);
    client->names_size = size;
    reports->names_bytes += heap_taken(size);
}

void reports_leave(struct reports *reports, const struct stream *stream, uint64_t now_ms)
{
    struct report_client *client = find_client(reports, stream->connid);

    if (client == NULL)
        return;
    client->left_at_ms = now_ms > 0 ? now_ms : 1;
    if (!LIST_EMPTY(&client->open) && stream->says_had && client->names == NULL)
        keep_names(reports, client, stream);
}
