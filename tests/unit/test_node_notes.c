/* Daemons that tell each other of presence, turned by hand: what each counts is exact in the end, whatever notes are
 * lost, and whoever dies, comes back or is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"
#include "events/node_notes.h"
#include "random.h"
#include "streams/presence.h"

enum { NODES = 4, CLIDS = 40, LONG_CLIDS = 10000, QUIET_TURNS = 400 };

/* ---- an engine of the test's own ---- */

struct bus_inbox {
    struct network *network;
    unsigned node;
};

struct post {
    struct post *next;
    char *text; /* NULL: it was lost */
    size_t length;
};

struct node {
    bool lives;
    struct bus_inbox inbox;
    struct presence presence;
    struct node_notes *notes;
    struct post *first[NODES], **last[NODES]; /* what others said, by who did */
    struct presence_entry *streams[CLIDS];    /* one of each client id, or none */
    uint64_t told;                            /* changes of presence */
};

struct network {
    struct node nodes[NODES];
    uint64_t now_ms;
    unsigned loses;  /* of a hundred notes */
    uint64_t random; /* state */
    uint64_t largest_note;
};

void __wrap_bus_inbox_note(struct bus_inbox *inbox, const char *text, size_t length);

void __wrap_bus_inbox_note(struct bus_inbox *inbox, const char *text, size_t length)
{
    struct network *network = inbox->network;
    unsigned from = inbox->node;

    if (length > network->largest_note)
        network->largest_note = length;
    for (unsigned to = 0; to < NODES; to++) {
        struct node *node = &network->nodes[to];
        if (to == from || !node->lives)
            continue;
        struct post *post = calloc(1, sizeof *post);
        assert_non_null(post);
        if (random_below(&network->random, 100) >= network->loses) {
            /* Of its own length, so that reading past its end is seen. */
            post->text = malloc(length);
            assert_non_null(post->text);
            memcpy(post->text, text, length);
            post->length = length;
        }
        *node->last[from] = post;
        node->last[from] = &post->next;
    }
}

static void forget_posts(struct node *node, unsigned from)
{
    while (node->first[from] != NULL) {
        struct post *post = node->first[from];
        node->first[from] = post->next;
        free(post->text);
        free(post);
    }
    node->last[from] = &node->first[from];
}

static void hear(struct node *node, unsigned from)
{
    while (node->first[from] != NULL) {
        struct post *post = node->first[from];
        if (post->text != NULL)
            node_notes_hear(node->notes, from, post->text, post->length);
        else
            node_notes_missed(node->notes, from);
        node->first[from] = post->next;
        free(post->text);
        free(post);
    }
    node->last[from] = &node->first[from];
}

static void settle_told(struct node *node)
{
    struct presence_entry *entry;

    while ((entry = presence_take_changed(&node->presence)) != NULL) {
        node->told += entry->instances != entry->told;
        presence_settle(&node->presence, entry, 1);
    }
}

static void turn(struct network *network)
{
    network->now_ms += 10;
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &network->nodes[i];
        if (!node->lives)
            continue;
        for (unsigned from = 0; from < NODES; from++)
            if (from != i)
                hear(node, from);
        (void)node_notes_run(node->notes, network->now_ms);
        settle_told(node);
    }
}

/* ---- nodes ---- */

static void start_node(struct network *network, unsigned number)
{
    struct node *node = &network->nodes[number];

    memset(node, 0, sizeof *node);
    node->lives = true;
    node->presence.seed = number + 1;
    node->presence.past.most = 100;
    node->inbox = (struct bus_inbox){network, number};
    node->notes = node_notes_new(&node->presence, number, 77 + number);
    assert_non_null(node->notes);
    node->notes->inbox = &node->inbox;
    for (unsigned from = 0; from < NODES; from++)
        node->last[from] = &node->first[from];
    for (unsigned other = 0; other < NODES; other++) {
        if (other == number || !network->nodes[other].lives)
            continue;
        node_notes_came(node->notes, other);
        node_notes_came(network->nodes[other].notes, number);
    }
}

static void enter(struct node *node, unsigned clid);
static void leave(struct node *node, unsigned clid);

/* All of it goes, as when it is killed. */
static void bury_node(struct node *node)
{
    node->notes->inbox = NULL;
    for (unsigned clid = 0; clid < CLIDS; clid++)
        if (node->streams[clid] != NULL)
            leave(node, clid);
    node_notes_stop(node->notes);
    settle_told(node);
    node_notes_free(&node->notes);
    assert_int_equal(node->presence.by_clid.count, 0);
    assert_int_equal(node->presence.elsewhere, 0);
    assert_int_equal(node->presence.bytes, 0);
    presence_free(&node->presence);
    for (unsigned from = 0; from < NODES; from++)
        forget_posts(node, from);
    node->lives = false;
}

static void kill_node(struct network *network, unsigned number)
{
    bury_node(&network->nodes[number]);
    for (unsigned other = 0; other < NODES; other++) {
        struct node *node = &network->nodes[other];
        if (!node->lives)
            continue;
        forget_posts(node, number);
        node_notes_gone(node->notes, number);
    }
}

static void open_network(struct network *network, unsigned nodes)
{
    memset(network, 0, sizeof *network);
    network->now_ms = 1000;
    network->random = 4711;
    for (unsigned i = 0; i < nodes; i++)
        start_node(network, i);
}

static void close_network(struct network *network)
{
    for (unsigned i = 0; i < NODES; i++)
        if (network->nodes[i].lives)
            bury_node(&network->nodes[i]);
}

static const char *name_of(unsigned clid)
{
    static char name[32];

    if (clid == 0)
        return PRESENCE_ANONYMOUS;
    (void)snprintf(name, sizeof name, "client %u", clid);
    return name;
}

static void enter(struct node *node, unsigned clid)
{
    const char *name = name_of(clid);

    node->streams[clid] = presence_enter(&node->presence, name, strlen(name));
    assert_non_null(node->streams[clid]);
    presence_note_change(&node->presence, node->streams[clid]);
}

static void leave(struct node *node, unsigned clid)
{
    presence_note_change(&node->presence, node->streams[clid]);
    presence_leave(&node->presence, node->streams[clid]);
    node->streams[clid] = NULL;
}

static unsigned count_at(const struct node *node, unsigned clid)
{
    const char *name = name_of(clid);

    return presence_count(&node->presence, name, strlen(name));
}

static void assert_all_count_alike(const struct network *network)
{
    for (unsigned clid = 0; clid < CLIDS; clid++) {
        unsigned sum = 0;
        for (unsigned i = 0; i < NODES; i++)
            sum += network->nodes[i].lives && network->nodes[i].streams[clid] != NULL;
        for (unsigned i = 0; i < NODES; i++)
            if (network->nodes[i].lives)
                assert_int_equal(count_at(&network->nodes[i], clid), sum);
    }
}

static void turn_until_quiet(struct network *network)
{
    network->loses = 0;
    for (int i = 0; i < QUIET_TURNS; i++)
        turn(network);
}

/* ---- tests ---- */

static void a_count_is_the_sum_over_nodes(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 3);
    enter(&network.nodes[0], 7);
    enter(&network.nodes[1], 7);
    enter(&network.nodes[2], 0);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    assert_int_equal(network.nodes[2].presence.elsewhere, 2);
    assert_int_equal(count_at(&network.nodes[2], 7), 2);
    assert_int_equal(count_at(&network.nodes[0], 0), 1);
    leave(&network.nodes[0], 7);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    assert_int_equal(count_at(&network.nodes[2], 7), 1);
    close_network(&network);
}

static void what_came_and_went_meanwhile_is_told_to_nobody(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 2);
    turn_until_quiet(&network);
    uint64_t said = network.nodes[0].notes->said, told = network.nodes[1].told;
    enter(&network.nodes[0], 3);
    leave(&network.nodes[0], 3);
    turn_until_quiet(&network);
    assert_int_equal(network.nodes[0].notes->said, said);
    /* Two that change places do not change the sum. */
    enter(&network.nodes[0], 4);
    turn_until_quiet(&network);
    told = network.nodes[1].told;
    leave(&network.nodes[0], 4);
    enter(&network.nodes[1], 4);
    presence_count_others(&network.nodes[1].presence, name_of(4), strlen(name_of(4)), 1, 0);
    settle_told(&network.nodes[1]);
    assert_int_equal(network.nodes[1].told, told);
    presence_count_others(&network.nodes[1].presence, name_of(4), strlen(name_of(4)), 0, 1);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    close_network(&network);
}

static void the_part_of_a_dead_node_goes_at_once(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 3);
    for (unsigned clid = 0; clid < CLIDS; clid++)
        enter(&network.nodes[clid % 3], clid);
    turn_until_quiet(&network);
    kill_node(&network, 1);
    turn(&network);
    assert_all_count_alike(&network);
    /* Its last words are of before. */
    char note[] = {NODE_NOTE_CHANGES, 0, 1, 0, 0, 0, 9, 'x'};
    node_notes_hear(network.nodes[0].notes, 1, note, sizeof note);
    assert_int_equal(presence_count(&network.nodes[0].presence, "x", 1), 0);
    start_node(&network, 1);
    enter(&network.nodes[1], 5);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    close_network(&network);
}

static void a_new_node_learns_of_all(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 2);
    for (unsigned clid = 0; clid < CLIDS; clid++) {
        enter(&network.nodes[0], clid);
        enter(&network.nodes[1], clid);
    }
    turn_until_quiet(&network);
    start_node(&network, 2);
    start_node(&network, 3);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    assert_int_equal(count_at(&network.nodes[3], 1), 2);
    close_network(&network);
}

static void however_much_is_lost_it_is_exact_in_the_end(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 3);
    for (unsigned round = 0; round < 40; round++) {
        network.loses = round % 4 * 30;
        for (unsigned step = 0; step < 200; step++) {
            struct node *node = &network.nodes[random_below(&network.random, NODES)];
            unsigned clid = random_below(&network.random, CLIDS);
            if (node->lives && node->streams[clid] == NULL)
                enter(node, clid);
            else if (node->lives)
                leave(node, clid);
            if (step % 3 == 0)
                turn(&network);
            unsigned number = random_below(&network.random, NODES);
            if (step % 67 == 66 && network.nodes[number].lives)
                kill_node(&network, number);
            else if (step % 67 == 66)
                start_node(&network, number);
        }
        turn_until_quiet(&network);
        assert_all_count_alike(&network);
    }
    close_network(&network);
}

struct presence_list {
    struct presence_entry *entries[LONG_CLIDS];
};

/* A turn does a bounded part of it, and a note is no longer than it may be. */
static void ten_thousand_streams_are_told_piece_by_piece(void **state)
{
    struct network network;
    struct presence_list *list = calloc(1, sizeof *list);

    (void)state;
    assert_non_null(list);
    open_network(&network, 2);
    struct node *node = &network.nodes[0];
    for (unsigned i = 0; i < LONG_CLIDS; i++) {
        char name[64];
        int length = snprintf(name, sizeof name, "somebody with a longer name, %u", i);
        list->entries[i] = presence_enter(&node->presence, name, (size_t)length);
        assert_non_null(list->entries[i]);
    }
    turn(&network);
    assert_in_range(network.nodes[1].presence.by_clid.count, 0, 2000);
    turn_until_quiet(&network);
    assert_int_equal(network.nodes[1].presence.by_clid.count, LONG_CLIDS);
    start_node(&network, 2);
    turn_until_quiet(&network);
    assert_int_equal(network.nodes[2].presence.by_clid.count, LONG_CLIDS);
    assert_in_range(network.largest_note, 1000, 17 * 1024);
    node_notes_gone(network.nodes[2].notes, 0);
    (void)node_notes_run(network.nodes[2].notes, network.now_ms);
    settle_told(&network.nodes[2]);
    assert_in_range(network.nodes[2].presence.by_clid.count, LONG_CLIDS - 1000, LONG_CLIDS - 1);
    for (int i = 0; i < 100 && !node_notes_run(network.nodes[2].notes, network.now_ms); i++)
        settle_told(&network.nodes[2]);
    settle_told(&network.nodes[2]);
    assert_int_equal(network.nodes[2].presence.by_clid.count, 0);
    for (unsigned i = 0; i < LONG_CLIDS; i++) {
        presence_note_change(&node->presence, list->entries[i]);
        presence_leave(&node->presence, list->entries[i]);
    }
    turn_until_quiet(&network);
    assert_int_equal(network.nodes[1].presence.by_clid.count, 0);
    free(list);
    close_network(&network);
}

/* Words that are cut off, or are of another version, harm nobody: the table is asked for. */
static void nonsense_is_passed_over(void **state)
{
    struct network network;

    (void)state;
    open_network(&network, 2);
    enter(&network.nodes[1], 1);
    for (unsigned length = 0; length < 64; length++) {
        char *note = malloc(length + 1);
        assert_non_null(note);
        for (unsigned kind = 0; kind < 8; kind++) {
            for (unsigned i = 0; i < length; i++)
                note[i] = (char)random_next(&network.random);
            if (length > 0)
                note[0] = (char)kind;
            char *exact = malloc(length > 0 ? length : 1);
            assert_non_null(exact);
            memcpy(exact, note, length);
            node_notes_hear(network.nodes[0].notes, 1, exact, length);
            free(exact);
        }
        free(note);
    }
    node_notes_missed(network.nodes[0].notes, 1);
    turn_until_quiet(&network);
    assert_all_count_alike(&network);
    assert_int_equal(network.nodes[0].presence.by_clid.count, 1);
    close_network(&network);
}

struct seen_moves {
    uint64_t connid;
    uint32_t least;
    unsigned node, count;
};

static void see_move(void *context, uint64_t connid, uint32_t least, unsigned node)
{
    struct seen_moves *seen = context;

    seen->connid = connid;
    seen->least = least;
    seen->node = node;
    seen->count++;
}

static void see_ticket(void *context, const char *id, uint64_t forget_after_s)
{
    struct seen_moves *seen = context;

    assert_string_equal(id, "ticket 9");
    seen->count += (unsigned)forget_after_s;
}

static void streams_that_move_and_used_tickets_are_told(void **state)
{
    struct network network;
    struct seen_moves seen = {0};

    (void)state;
    open_network(&network, 2);
    network.nodes[1].notes->owner =
        (struct node_notes_owner){.moved = see_move, .ticket_used = see_ticket, .context = &seen};
    for (uint32_t i = 0; i < 5000; i++)
        node_notes_tell_moved(network.nodes[0].notes, UINT64_C(1) << 52 | i, i);
    turn_until_quiet(&network);
    assert_int_equal(seen.count, 5000);
    assert_true(seen.connid == (UINT64_C(1) << 52 | 4999) && seen.least == 4999 && seen.node == 0);
    node_notes_tell_ticket(network.nodes[0].notes, "ticket 9", 70000);
    turn(&network);
    assert_int_equal(seen.count, 75000);
    close_network(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_the_sum_over_nodes),
        cmocka_unit_test(what_came_and_went_meanwhile_is_told_to_nobody),
        cmocka_unit_test(the_part_of_a_dead_node_goes_at_once),
        cmocka_unit_test(a_new_node_learns_of_all),
        cmocka_unit_test(however_much_is_lost_it_is_exact_in_the_end),
        cmocka_unit_test(ten_thousand_streams_are_told_piece_by_piece),
        cmocka_unit_test(nonsense_is_passed_over),
        cmocka_unit_test(streams_that_move_and_used_tickets_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
