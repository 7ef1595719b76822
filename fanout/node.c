#include "node.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "events/node_notes.h"
#include "events/nodes.h"
#include "messages.h"
#include "requests/moved_elsewhere.h"
#include "secret.h"
#include "server_parts.h"
#include "stopping.h"

#include <stdio.h>

enum { DESCRIBE_EVERY_MS = 1000 };

/* ---- what the engine says ---- */

static void leave_behind(void *context)
{
    struct server *server = context;

    stopping_leave_behind(&server->service);
}

static void release(void *context)
{
    struct server *server = context;

    stopping_release_later(&server->service);
}

/* Those that it gave away under the other number stay with their streams. */
static void renumber(void *context)
{
    struct server *server = context;
    const struct bus_facts *facts = &server->nodes.facts;

    message_warning("this daemon has another number", message_number("node", facts->node));
    server->nodes.notes->node = facts->node;
    server->streams.secrets.node = server->streams.secrets.moved.node = (uint16_t)facts->node;
    server->service.tickets.node = facts->node;
    server->streams.next_connid = facts->first_connid;
}

void node_prepare(struct server *server)
{
    server->nodes = (struct nodes){.log = &server->log,
                                   .replays = &server->replays,
                                   .owner = {.leave_behind = leave_behind,
                                             .release = release,
                                             .renumber = renumber,
                                             .context = server}};
}

/* ---- what the others say, and are told ---- */

static void note_moved(void *context, uint64_t connid, uint32_t least, unsigned node)
{
    struct server *server = context;

    moved_elsewhere_note(&server->service, connid, least, node);
}

static void note_ticket(void *context, const char *id, uint64_t forget_after_s)
{
    struct server *server = context;

    (void)ticket_gate_note_used(&server->service.tickets, id, forget_after_s, clock_wall_ms());
}

static void note_gap(void *context)
{
    struct server *server = context;

    ticket_gate_note_gap(&server->service.tickets, clock_wall_ms());
}

static void tell_moved(void *context, uint64_t connid, uint32_t least)
{
    node_notes_tell_moved(context, connid, least);
}

static void tell_ticket(void *context, const char *id, uint64_t forget_after_s)
{
    node_notes_tell_ticket(context, id, forget_after_s);
}

/* Those of an earlier run may be loaded into what is there already. */
static bool open_notes(struct server *server)
{
    struct node_notes *notes = server->nodes.notes;
    uint64_t seed;

    if (notes == NULL && secret_random(&seed, sizeof seed))
        notes = node_notes_new(&server->streams.presence, server->nodes.facts.node, seed);
    if (notes == NULL)
        return false;
    server->nodes.notes = notes;
    notes->inbox = server->nodes.inbox;
    notes->owner = (struct node_notes_owner){
        .moved = note_moved, .ticket_used = note_ticket, .gap = note_gap, .context = server};
    struct moved_streams *moved = &server->streams.secrets.moved;
    moved->tell = tell_moved;
    moved->context = notes;
    moved->node = (uint16_t)notes->node;
    struct ticket_gate *tickets = &server->service.tickets;
    tickets->has_node = true;
    tickets->node = notes->node;
    tickets->tell_used = tell_ticket;
    tickets->context = notes;
    return true;
}

/* ---- its own record ---- */

static void describe(struct server *server, uint64_t now)
{
    const char *url = server->config.node_url;

    if (server->nodes.inbox == NULL || now - server->described_at_ms < DESCRIBE_EVERY_MS)
        return;
    server->described_at_ms = now;
    bus_inbox_describe(server->nodes.inbox, server->streams.by_connid.count,
                       url != NULL ? url : "");
}

/* The turn of the loop that it wakes does the rest. */
static void on_node_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;

    uint64_t now = loop_now(&server->net.loop);

    describe(server, now);
    nodes_run(&server->nodes, now, server->config.bus_cut_time);
    if (server->unheard_until_ms == 0 || now < server->unheard_until_ms)
        return;
    server->unheard_until_ms = 0;
    presence_shares_forget_unheard(&server->nodes.notes->shares);
}

static bool start_timer(struct server *server)
{
    uv_timer_t *timer = &server->node_timer;

    if (uv_timer_init(&server->net.loop.uv, timer) != 0)
        return false;
    timer->data = server;
    return uv_timer_start(timer, on_node_timer, 0, NODE_NOTES_EVERY_MS) == 0;
}

/* ---- all ---- */

bool node_is_the_same(const struct server *server, char *error)
{
    const struct node_notes *notes = server->nodes.notes;

    if (notes == NULL || bus_reader_facts(server->bus).node == notes->node)
        return true;
    (void)snprintf(error, SERVER_ERROR_SIZE,
                   "another daemon has this one's number now: that needs a restart");
    return false;
}

bool node_open(struct server *server, bool goes_on, char *error)
{
    const struct bus_facts facts = bus_reader_facts(server->bus);

    if (!facts.numbers_events)
        return true;
    if (!node_is_the_same(server, error))
        return false;
    nodes_open(&server->nodes, &facts, goes_on);
    server->streams.connid_gap = BUS_NODES_MOST - 1;
    if (goes_on)
        server->unheard_until_ms =
            loop_now(&server->net.loop) + 2 * server->config.bus_lease + DESCRIBE_EVERY_MS;
    /* So long ago that it describes itself at once. */
    server->described_at_ms = loop_now(&server->net.loop) - DESCRIBE_EVERY_MS;
    if (open_notes(server) && start_timer(server))
        return true;
    (void)snprintf(error, SERVER_ERROR_SIZE, "no memory for what other daemons say");
    return false;
}

bool node_run(struct server *server)
{
    struct node_notes *notes = server->nodes.notes;

    return notes == NULL || node_notes_run(notes, loop_now(&server->net.loop));
}

void node_flush(struct server *server)
{
    struct node_notes *notes = server->nodes.notes;
    uint64_t now = loop_now(&server->net.loop);

    if (notes == NULL)
        return;
    notes->told_at_ms = now - NODE_NOTES_EVERY_MS;
    (void)node_notes_run(notes, now);
}

void node_stop(struct server *server)
{
    uv_handle_t *timer = (uv_handle_t *)&server->node_timer;

    if (server->nodes.notes != NULL)
        node_notes_stop(server->nodes.notes);
    if (timer->type != UV_UNKNOWN_HANDLE && !uv_is_closing(timer))
        uv_close(timer, NULL);
}

void node_close(struct server *server)
{
    server->streams.secrets.moved.tell = NULL;
    node_notes_free(&server->nodes.notes);
}
