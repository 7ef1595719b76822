/* This daemon as one of several on one engine (a node): whether it may serve, what is to be done when events were lost
 * or it was cut off, and what it tells the others of itself. Of an engine for one daemon alone there is nothing to be
 * done, and nothing of it costs anything. */
#ifndef ESN_NODES_H
#define ESN_NODES_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stdint.h>

struct event_log;
struct node_notes;
struct replay_queue;

struct nodes_owner {
    /* What streams have been given ends where the log is now, and what follows has a gap: each is told to come back
     * there, not all in one moment, and is given nothing more. Called while the bus is read: ends nothing at once. */
    void (*leave_behind)(void *context);
    /* Each stream is told to come back, likewise. */
    void (*release)(void *context);
    /* It has another number, and other connection ids: facts are new. */
    void (*renumber)(void *context);
    void *context;
};

struct nodes {
    /* Parts of the owner, which outlive it. */
    struct event_log *log;
    struct replay_queue *replays;
    struct nodes_owner owner;
    struct node_notes *notes; /* NULL: there is nobody else */
    struct bus_inbox *inbox;  /* NULL: none yet, or no more */
    struct bus_facts facts;   /* all zero of an engine for one daemon alone */
    bool has_window;          /* of the past all was given that there is */
    bool has_past;            /* some of it was given */
    bool is_cut;              /* the others count it as gone */
    bool has_released;        /* ... for so long that its streams were told to come back */
    uint64_t cut_at_ms;       /* of the loop's clock; 0: not looked at yet */
    uint64_t company;         /* from here on there was nobody else; 0: there never was */
    uint64_t lost, cuts;      /* how often, since the start */
};

/* What the engine gave the inbox: the log begins where that says, unless it goes on as that of the program before. */
void nodes_open(struct nodes *nodes, const struct bus_facts *facts, bool goes_on);
/* From now on messages come from there, and notes go there; NULL: from nowhere. */
void nodes_set_inbox(struct nodes *nodes, struct bus_inbox *inbox);
/* Of a message that is any. */
void nodes_take_news(struct nodes *nodes, const struct bus_news *news);
/* To be called often: streams of a daemon that was cut off for hold_ms are told to come back. */
void nodes_run(struct nodes *nodes, uint64_t now_ms, uint64_t hold_ms);
/* The next message of the past is the first one when there was none before: the log begins with it. */
void nodes_take_past(struct nodes *nodes, uint64_t number);
/* Where the next program goes on, or this one when that does not come up. */
struct bus_take_up nodes_take_up(const struct nodes *nodes);
/* What came up to this number is not kept here. */
void nodes_lose(struct nodes *nodes, uint64_t through);
/* Who has had events up to this number may have had them from another daemon. */
bool nodes_may_have_given(const struct nodes *nodes, uint64_t sequence);
/* Why nobody may subscribe at present: a sentence; NULL: everybody may. */
const char *nodes_trouble(const struct nodes *nodes);

#endif
