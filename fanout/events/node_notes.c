#include "events/node_notes.h"

#include "big_endian.h"
#include "bus/bus.h"
#include "heap.h"
#include "saved_state.h"
#include "streams/presence.h"

#include <stdlib.h>

enum {
    NOTE_BYTES = 16 * 1024, /* about so long at most, and one client id more */
    NOTES_AT_ONCE = 4,      /* of presence, in a turn of the loop */
    SWEPT_AT_ONCE = 512,    /* client ids, likewise */
    MOVED_AT_ONCE = 256,    /* streams, likewise */
    ASKED_AT_ONCE = 64,     /* nodes in one note */
    MOVED_RECORD = 12,
    HEARD_RECORD = MOVED_RECORD + 2,
    TICKET_HEAD = 8
};

/* ---- saying ---- */

static void begin_note(struct node_notes *notes, enum node_note kind)
{
    unsigned char byte = (unsigned char)kind;

    bytes_clear(&notes->note);
    bytes_append(&notes->note, &byte, sizeof byte);
}

static void say_note(struct node_notes *notes)
{
    if (notes->note.failed || notes->inbox == NULL)
        return;
    bus_inbox_note(notes->inbox, notes->note.data, notes->note.length);
    notes->said++;
}

/* True when all are told. What was lost for want of memory counts as told: a lost note is no other one. */
static bool tell_changes(struct node_notes *notes)
{
    for (int i = 0; i < NOTES_AT_ONCE && presence_own_has_changes(&notes->own); i++) {
        begin_note(notes, NODE_NOTE_CHANGES);
        presence_own_tell_changes(&notes->own, &notes->note, NOTE_BYTES);
        if (notes->note.failed)
            return true; /* later */
        if (notes->note.length > 1)
            say_note(notes);
    }
    return !presence_own_has_changes(&notes->own);
}

static bool tell_table(struct node_notes *notes)
{
    for (int i = 0; i < NOTES_AT_ONCE && notes->own.tells_table; i++) {
        begin_note(notes, NODE_NOTE_TABLE);
        presence_own_tell_table(&notes->own, &notes->note, NOTE_BYTES);
        if (notes->note.failed)
            return true;
        say_note(notes);
    }
    return !notes->own.tells_table;
}

static void ask_for_tables(struct node_notes *notes, uint64_t now_ms)
{
    unsigned nodes[ASKED_AT_ONCE];
    size_t count = presence_shares_ask(&notes->shares, now_ms, nodes, ASKED_AT_ONCE);

    if (count == 0)
        return;
    begin_note(notes, NODE_NOTE_ASK);
    for (size_t i = 0; i < count; i++) {
        unsigned char node[2];
        big_endian_write(node, sizeof node, nodes[i]);
        bytes_append(&notes->note, node, sizeof node);
    }
    say_note(notes);
}

void node_notes_tell_moved(struct node_notes *notes, uint64_t connid, uint32_t least)
{
    unsigned char record[MOVED_RECORD];

    big_endian_write(record, 8, connid);
    big_endian_write(record + 8, 4, least);
    bytes_append(&notes->moved, record, sizeof record);
}

static void tell_moved(struct node_notes *notes)
{
    const struct bytes *moved = &notes->moved;

    for (size_t at = 0; at < moved->length;) {
        size_t most = NOTE_BYTES - NOTE_BYTES % MOVED_RECORD, left = moved->length - at;
        size_t length = left < most ? left : most;
        begin_note(notes, NODE_NOTE_MOVED);
        bytes_append(&notes->note, moved->data + at, length);
        say_note(notes);
        at += length;
    }
    bytes_clear(&notes->moved);
}

void node_notes_tell_ticket(struct node_notes *notes, const char *id, uint64_t forget_after_s)
{
    unsigned char head[TICKET_HEAD];

    big_endian_write(head, sizeof head, forget_after_s);
    begin_note(notes, NODE_NOTE_TICKET);
    bytes_append(&notes->note, head, sizeof head);
    bytes_append_text(&notes->note, id);
    say_note(notes);
}

/* ---- hearing ---- */

static void hear_question(struct node_notes *notes, const char *text, size_t length)
{
    for (; length >= 2; text += 2, length -= 2)
        if (big_endian_read(text, 2) == notes->node)
            presence_own_ask(&notes->own);
}

static void hear_moved(struct node_notes *notes, unsigned node, const char *text, size_t length)
{
    unsigned char of[2];

    big_endian_write(of, sizeof of, node);
    for (; length >= MOVED_RECORD; text += MOVED_RECORD, length -= MOVED_RECORD) {
        bytes_append(&notes->heard, text, MOVED_RECORD);
        bytes_append(&notes->heard, of, sizeof of);
    }
}

static void hear_ticket(struct node_notes *notes, const char *text, size_t length)
{
    struct bytes id = BYTES_EMPTY;

    if (length <= TICKET_HEAD || notes->owner.ticket_used == NULL)
        return;
    bytes_append(&id, text + TICKET_HEAD, length - TICKET_HEAD);
    if (bytes_terminate(&id) != NULL)
        notes->owner.ticket_used(notes->owner.context, id.data, big_endian_read(text, TICKET_HEAD));
    bytes_free(&id);
}

void node_notes_hear(struct node_notes *notes, unsigned node, const char *text, size_t length)
{
    if (length == 0 || node == notes->node)
        return;
    switch ((enum node_note)text[0]) {
    case NODE_NOTE_CHANGES:
        presence_shares_hear_changes(&notes->shares, node, text + 1, length - 1);
        return;
    case NODE_NOTE_ASK:
        hear_question(notes, text + 1, length - 1);
        return;
    case NODE_NOTE_TABLE:
        presence_shares_hear_table(&notes->shares, node, text + 1, length - 1);
        return;
    case NODE_NOTE_MOVED:
        hear_moved(notes, node, text + 1, length - 1);
        return;
    case NODE_NOTE_TICKET:
        hear_ticket(notes, text + 1, length - 1);
        return;
    }
    notes->malformed++; /* of a later version */
}

static void note_gap(struct node_notes *notes, unsigned node)
{
    presence_shares_want(&notes->shares, node);
    if (notes->owner.gap != NULL)
        notes->owner.gap(notes->owner.context);
}

void node_notes_came(struct node_notes *notes, unsigned node)
{
    if (node != notes->node)
        note_gap(notes, node);
}

void node_notes_missed(struct node_notes *notes, unsigned node)
{
    if (node != notes->node)
        note_gap(notes, node);
}

void node_notes_gone(struct node_notes *notes, unsigned node)
{
    presence_shares_forget(&notes->shares, node);
}

/* True when the owner knows of all. */
static bool pass_moved_on(struct node_notes *notes)
{
    struct bytes *heard = &notes->heard;

    for (int i = 0; i < MOVED_AT_ONCE && notes->heard_at < heard->length; i++) {
        const char *record = heard->data + notes->heard_at;
        notes->heard_at += HEARD_RECORD;
        if (notes->owner.moved != NULL)
            notes->owner.moved(notes->owner.context, big_endian_read(record, 8),
                               (uint32_t)big_endian_read(record + 8, 4),
                               (unsigned)big_endian_read(record + MOVED_RECORD, 2));
    }
    if (notes->heard_at < heard->length)
        return false;
    notes->heard_at = 0;
    bytes_clear(heard);
    return true;
}

/* ---- all ---- */

/* What is to be told every 50 ms goes on in the next turns until it is. */
static bool tell(struct node_notes *notes, uint64_t now_ms)
{
    if (notes->inbox == NULL || now_ms - notes->told_at_ms < NODE_NOTES_EVERY_MS)
        return true;
    ask_for_tables(notes, now_ms);
    tell_moved(notes);
    bool all_told = tell_changes(notes);
    all_told = tell_table(notes) && all_told;
    if (all_told)
        notes->told_at_ms = now_ms;
    return all_told;
}

bool node_notes_run(struct node_notes *notes, uint64_t now_ms)
{
    bool all_passed_on = pass_moved_on(notes);
    bool all_swept = presence_shares_sweep(&notes->shares, SWEPT_AT_ONCE);

    return tell(notes, now_ms) && all_passed_on && all_swept;
}

struct node_notes *node_notes_new(struct presence *presence, unsigned node, uint64_t seed)
{
    struct node_notes *notes = calloc(1, sizeof *notes);

    if (notes == NULL)
        return NULL;
    notes->node = node;
    presence_own_open(&notes->own, seed);
    presence_shares_open(&notes->shares, presence, seed);
    presence->own = &notes->own;
    return notes;
}

void node_notes_stop(struct node_notes *notes)
{
    notes->inbox = NULL;
    presence_shares_close(&notes->shares);
}

void node_notes_free(struct node_notes **notes)
{
    struct node_notes *old = *notes;

    if (old == NULL)
        return;
    *notes = NULL;
    presence_shares_close(&old->shares);
    old->shares.presence->own = NULL;
    presence_own_free(&old->own);
    bytes_free(&old->moved);
    bytes_free(&old->heard);
    bytes_free(&old->note);
    free(old);
}

void node_notes_save(const struct node_notes *notes, struct saved_writer *writer)
{
    saved_put(writer, notes != NULL);
    if (notes == NULL)
        return;
    saved_put(writer, notes->node);
    saved_put(writer, notes->own.seed);
    presence_own_save(&notes->own, writer);
    presence_shares_save(&notes->shares, writer);
}

bool node_notes_load(struct node_notes **notes, struct presence *presence,
                     struct saved_reader *reader)
{
    *notes = NULL;
    if (saved_take_within(reader, 1) == 0)
        return !reader->failed;
    unsigned node = (unsigned)saved_take_within(reader, BUS_NODES_MOST - 1);
    uint64_t seed = saved_take(reader);
    if (!reader->failed)
        *notes = node_notes_new(presence, node, seed);
    return *notes != NULL && presence_own_load(&(*notes)->own, reader) &&
           presence_shares_load(&(*notes)->shares, reader);
}

uint64_t node_notes_bytes(const struct node_notes *notes)
{
    return heap_taken(sizeof *notes) + presence_own_bytes(&notes->own) +
           presence_shares_bytes(&notes->shares) + notes->moved.capacity + notes->heard.capacity +
           notes->note.capacity;
}
