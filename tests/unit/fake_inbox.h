/* An inbox of an engine that numbers events, without an engine: the test says what comes, and sees what was said.
 * It stands in the place of that of common/bus (fake_inbox_wraps in Makefile.am.inc), one in a process. */
#ifndef ESN_TEST_FAKE_INBOX_H
#define ESN_TEST_FAKE_INBOX_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_NODE = 5, FAKE_OTHER_NODE = 9, FAKE_EPOCH = 7000 };

struct fake_inbox {
    struct bus_facts facts; /* of the next one that is opened */
    bool is_open, has_left;
    struct bus_take_up take_up; /* of the one that was opened last */
    struct ack last_ack;
    uint64_t acks;
    uint64_t notes;
    char *note; /* the last one */
    size_t note_length;
    uint64_t streams; /* as the daemon described itself */
    uint64_t described;
    const char *other_url; /* of node FAKE_OTHER_NODE, which lives too; NULL: it does not */
};

extern struct fake_inbox fake_inbox;

/* Forgets all; as of node FAKE_NODE and of FAKE_EPOCH, where so many events were before. */
void fake_inbox_begin(uint64_t sequence);
/* What comes, in this order; texts are copied. */
void fake_inbox_give(const struct bus_message *message);
void fake_inbox_news(enum bus_news_kind kind, uint64_t epoch, uint64_t sequence);
void fake_inbox_note(unsigned node, const char *text, size_t length);
/* An event, ten seconds old when it is of the past. */
void fake_inbox_event(uint64_t number, const char *topic, const char *json);
void fake_inbox_past(uint64_t number, const char *topic, const char *json, uint16_t flags);
void fake_inbox_value(uint64_t number, const char *topic, const char *json);
/* Nothing of what was given is left. */
bool fake_inbox_is_empty(void *nothing);
void fake_inbox_end(void);

#endif
