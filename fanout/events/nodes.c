#include "events/nodes.h"

#include "events/node_notes.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "messages.h"

void nodes_open(struct nodes *nodes, const struct bus_facts *facts, bool goes_on)
{
    if (!facts->numbers_events)
        return;
    nodes->facts = *facts;
    nodes->log->is_shared = true;
    nodes->has_window = nodes->has_past = goes_on;
    if (!goes_on)
        event_log_begin_anew(nodes->log, facts->epoch, facts->sequence);
}

void nodes_set_inbox(struct nodes *nodes, struct bus_inbox *inbox)
{
    if (nodes->inbox != NULL)
        nodes->facts.notes = bus_inbox_facts(nodes->inbox).notes;
    nodes->inbox = inbox;
    if (nodes->notes != NULL)
        nodes->notes->inbox = inbox;
}

/* ---- what was lost ---- */

static void begin_anew(struct nodes *nodes, uint64_t epoch, uint64_t sequence)
{
    nodes->lost++;
    nodes->owner.leave_behind(nodes->owner.context);
    event_log_begin_anew(nodes->log, epoch, sequence);
    nodes->facts.epoch = epoch;
    replay_log_grew(nodes->replays);
}

/* Others have what is missing here: who is told to come back may get it from them. */
void nodes_lose(struct nodes *nodes, uint64_t through)
{
    message_error("events are missing here: streams are told to come back",
                  message_number("through", (int64_t)through));
    begin_anew(nodes, nodes->log->epoch, through);
}

static void take_epoch(struct nodes *nodes, const struct bus_news *news)
{
    message_error("the engine has lost events: ids begin anew, and streams are told to come back",
                  message_number("epoch", (int64_t)news->epoch));
    begin_anew(nodes, news->epoch, news->sequence);
}

void nodes_take_past(struct nodes *nodes, uint64_t number)
{
    if (nodes->has_past)
        return;
    nodes->has_past = true;
    event_log_begin_anew(nodes->log, nodes->log->epoch, number - 1);
}

/* ---- whether it may serve ---- */

static void take_window(struct nodes *nodes)
{
    last_values_settle(&nodes->log->values);
    nodes->has_window = nodes->has_past = true;
    message_info("all that was published before is there",
                 message_number("node", (int64_t)nodes->facts.node),
                 message_number("events", (int64_t)nodes->log->events),
                 message_number("kept", (int64_t)nodes->log->values.count));
}

static void cut_off(struct nodes *nodes)
{
    nodes->is_cut = true;
    nodes->has_released = false;
    nodes->cut_at_ms = 0;
    nodes->cuts++;
    message_error("cut off from the other daemons: nobody new is served");
}

/* Redis may be away for all, and back in a moment: then there is no better place for a stream. */
void nodes_run(struct nodes *nodes, uint64_t now_ms, uint64_t hold_ms)
{
    if (!nodes->is_cut || nodes->has_released)
        return;
    if (nodes->cut_at_ms == 0)
        nodes->cut_at_ms = now_ms;
    if (now_ms - nodes->cut_at_ms < hold_ms)
        return;
    nodes->has_released = true;
    message_error("cut off from the other daemons for long: streams are told to come back",
                  message_number("ms", (int64_t)(now_ms - nodes->cut_at_ms)));
    nodes->owner.release(nodes->owner.context);
}

static void come_back(struct nodes *nodes)
{
    const struct bus_facts facts = bus_inbox_facts(nodes->inbox);

    nodes->is_cut = false;
    if (facts.node != nodes->facts.node) {
        nodes->facts.node = facts.node;
        nodes->facts.first_connid = facts.first_connid;
        nodes->owner.renumber(nodes->owner.context);
    }
    message_info("among the other daemons again");
}

/* Until it is known that there is nobody else there may be. */
bool nodes_may_have_given(const struct nodes *nodes, uint64_t sequence)
{
    if (nodes == NULL || !nodes->facts.numbers_events)
        return false;
    return nodes->notes->shares.living > 0 || nodes->inbox == NULL ||
           bus_inbox_nodes(nodes->inbox, NULL, 0) != 1 || sequence < nodes->company;
}

const char *nodes_trouble(const struct nodes *nodes)
{
    if (nodes == NULL || !nodes->facts.numbers_events)
        return NULL;
    if (nodes->is_cut)
        return "Cut off from the other daemons";
    return nodes->has_window ? NULL : "Reading what was published before";
}

struct bus_take_up nodes_take_up(const struct nodes *nodes)
{
    return (struct bus_take_up){.boot = nodes->facts.boot,
                                .epoch = nodes->log->epoch,
                                .sequence = nodes->log->given,
                                .notes = nodes->facts.notes};
}

/* ---- news ---- */

void nodes_take_news(struct nodes *nodes, const struct bus_news *news)
{
    switch (news->kind) {
    case BUS_NEWS_WINDOW:
        take_window(nodes);
        return;
    case BUS_NEWS_EPOCH:
        take_epoch(nodes, news);
        return;
    case BUS_NEWS_LOST:
        nodes_lose(nodes, news->sequence);
        return;
    case BUS_NEWS_CUT:
        cut_off(nodes);
        return;
    case BUS_NEWS_BACK:
        come_back(nodes);
        return;
    case BUS_NEWS_NOTE:
        node_notes_hear(nodes->notes, news->node, news->text, news->length);
        return;
    case BUS_NEWS_CAME:
        node_notes_came(nodes->notes, news->node);
        return;
    case BUS_NEWS_MISSED:
        node_notes_missed(nodes->notes, news->node);
        return;
    case BUS_NEWS_GONE:
        node_notes_gone(nodes->notes, news->node);
        nodes->company = nodes->log->sequence + 1;
        return;
    }
}
