#include "bus/bus_redis_talk.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

static void tell(struct redis_keeper *keeper, enum bus_news_kind kind, unsigned node)
{
    redis_node_tell(keeper->node, (struct bus_news){.kind = kind, .node = node});
}

static bool is_own(const struct redis_keeper *keeper, unsigned node)
{
    return node == keeper->number;
}

/* ---- hearing ---- */

/* What was said while nobody listened is missed. */
static void miss_all(struct redis_keeper *keeper)
{
    for (size_t i = 0; i < keeper->peers.count; i++)
        if (keeper->peers.list[i].told)
            tell(keeper, BUS_NEWS_MISSED, keeper->peers.list[i].node);
}

bool redis_talk_listen(struct redis_keeper *keeper)
{
    struct redis_link *notes = &keeper->notes;
    if (redis_client_is_connected(notes->client))
        return true;
    struct bytes name = BYTES_EMPTY;
    struct redis_answer *answer = NULL;
    if (redis_link_connect(notes)) {
        const struct redis_word words[] = {{"SUBSCRIBE", 9}, redis_link_key(&name, notes, "notes")};
        answer = name.failed ? NULL : redis_link_ask(notes, words, 2);
    }
    bool listens = answer != NULL;
    if (listens)
        miss_all(keeper);
    else
        redis_client_disconnect(notes->client);
    redis_answer_free(&answer);
    bytes_free(&name);
    return listens;
}

/* Of one whose record has not been seen yet. */
static struct redis_peer *meet(struct redis_keeper *keeper, const struct redis_note *note)
{
    const struct redis_record record = {.boot = note->boot, .url = ""};
    struct redis_peer *peer =
        redis_peers_see(&keeper->peers, note->node, &record, clock_monotonic_ms());
    if (peer == NULL)
        return NULL;
    peer->told = true;
    peer->heard = note->number - 1;
    tell(keeper, BUS_NEWS_CAME, note->node);
    return peer;
}

static void hear_note(struct redis_keeper *keeper, const struct redis_note *note)
{
    if (is_own(keeper, note->node))
        return;
    struct redis_peer *peer = redis_peers_find(&keeper->peers, note->node);
    if (peer != NULL && peer->told && peer->record.boot != note->boot)
        tell(keeper, BUS_NEWS_GONE, note->node);
    if (peer == NULL || !peer->told || peer->record.boot != note->boot)
        peer = meet(keeper, note);
    if (peer == NULL || note->number <= peer->heard)
        return;
    if (note->number != peer->heard + 1)
        tell(keeper, BUS_NEWS_MISSED, note->node);
    peer->heard = note->number;
    struct redis_item *item = redis_item_new(note->text, note->length);
    if (item != NULL)
        item->news = (struct bus_news){.kind = BUS_NEWS_NOTE, .node = note->node};
    if (item == NULL || !redis_queue_offer(&keeper->node->queue, item))
        tell(keeper, BUS_NEWS_MISSED, note->node);
}

static void hear(struct redis_keeper *keeper, const char *data, size_t length)
{
    static const char look[] = "look"; /* somebody came or went */
    struct redis_note note;
    if (length == strlen(look) && memcmp(data, look, length) == 0) {
        keeper->renew_at = 0;
        return;
    }
    if (redis_note_read(&note, data, length)) {
        hear_note(keeper, &note);
        return;
    }
    /* A question or a refusal of a handler: asked again, or of no consequence. */
    struct redis_item *item = redis_item_new(data, length);
    if (item != NULL)
        (void)redis_queue_offer(&keeper->node->queue, item);
}

bool redis_talk_hear(struct redis_keeper *keeper, uint64_t wait_ms)
{
    struct redis_link *notes = &keeper->notes;
    eventfd_t count;
    size_t length;
    struct redis_answer *answer =
        redis_client_next(notes->client, keeper->node->wake, wait_ms, notes->error);
    if (answer == NULL) {
        (void)eventfd_read(keeper->node->wake, &count);
        return notes->error[0] == '\0';
    }
    const char *data = redis_answer_text(redis_answer_part(answer, 2), &length);
    if (data != NULL)
        hear(keeper, data, length);
    redis_answer_free(&answer);
    return true;
}

/* ---- saying ---- */

/* What is told to a publisher comes from a node; a note says so itself. */
static bool write_payload(const struct redis_keeper *keeper, const struct redis_outgoing *one,
                          struct bytes *out)
{
    bytes_clear(out);
    if (one->publisher == 0) {
        const struct redis_note note = {.node = keeper->number,
                                        .boot = keeper->node->boot,
                                        .number = one->number,
                                        .text = one->text.data,
                                        .length = one->text.length};
        redis_note_write(out, &note);
    } else {
        unsigned char node[REDIS_ACK_NODE_SIZE];
        redis_ack_write_node(node, keeper->number);
        bytes_append(out, node, sizeof node);
        bytes_append(out, one->text.data, one->text.length);
    }
    return !out->failed;
}

/* All but the last travel with it. */
static bool publish_one(struct redis_keeper *keeper, const struct redis_outgoing *one)
{
    char name[32] = "notes";
    struct bytes channel = BYTES_EMPTY, payload = BYTES_EMPTY;
    bool good = true;
    if (one->publisher != 0)
        (void)snprintf(name, sizeof name, "ack:%016" PRIx64, one->publisher);
    if (write_payload(keeper, one, &payload)) {
        const struct redis_word words[] = {{"PUBLISH", 7},
                                           redis_link_key(&channel, &keeper->link, name),
                                           {payload.data, payload.length}};
        if (STAILQ_NEXT(one, next) != NULL) {
            good = redis_client_queue(keeper->link.client, words, 3);
        } else {
            struct redis_answer *answer = redis_link_ask(&keeper->link, words, 3);
            good = answer != NULL;
            redis_answer_free(&answer);
        }
    }
    bytes_free(&channel);
    bytes_free(&payload);
    return good;
}

bool redis_talk_send(struct redis_keeper *keeper)
{
    struct redis_node *node = keeper->node;
    struct redis_outgoings list = STAILQ_HEAD_INITIALIZER(list);
    bool good = true;
    (void)pthread_mutex_lock(&node->lock);
    STAILQ_CONCAT(&list, &node->outgoing);
    node->outgoing_bytes = 0;
    (void)pthread_mutex_unlock(&node->lock);
    while (!STAILQ_EMPTY(&list)) {
        struct redis_outgoing *one = STAILQ_FIRST(&list);
        good = good && publish_one(keeper, one);
        STAILQ_REMOVE_HEAD(&list, next);
        bytes_free(&one->text);
        free(one);
    }
    return good;
}

/* ---- who came and went ---- */

static void give_list(struct redis_keeper *keeper)
{
    struct redis_node *node = keeper->node;
    const struct redis_peers *peers = &keeper->peers;
    size_t text = 0;
    for (size_t i = 0; i < peers->count; i++)
        text += strlen(peers->list[i].url) + 1;
    struct redis_node_list *list = malloc(sizeof *list + peers->count * sizeof *list->nodes + text);
    if (list == NULL)
        return;
    char *at = (char *)(list->nodes + peers->count);
    list->count = peers->count;
    for (size_t i = 0; i < peers->count; i++) {
        const struct redis_peer *peer = &peers->list[i];
        list->nodes[i] =
            (struct bus_node){.node = peer->node, .streams = peer->record.streams, .url = at};
        at = stpcpy(at, peer->url) + 1;
    }
    (void)pthread_mutex_lock(&node->lock);
    struct redis_node_list *old = node->nodes;
    node->nodes = list;
    (void)pthread_mutex_unlock(&node->lock);
    free(old);
}

/* It has sent more, by the look before this one, than was heard of it. */
static void tell_what_is_owed(struct redis_keeper *keeper, struct redis_peer *peer)
{
    if (peer->heard >= peer->owed)
        return;
    peer->heard = peer->owed;
    tell(keeper, BUS_NEWS_MISSED, peer->node);
}

void redis_talk_tell_changes(struct redis_keeper *keeper,
                             void (*remove)(struct redis_keeper *keeper,
                                            const struct redis_peer *peer))
{
    struct redis_peers *peers = &keeper->peers;
    uint64_t now = clock_monotonic_ms();
    for (size_t i = peers->count; i-- > 0;) {
        struct redis_peer *peer = &peers->list[i];
        if (redis_peers_live(peers, peer, now)) {
            if (!peer->told && !is_own(keeper, peer->node)) {
                peer->heard = peer->record.notes;
                tell(keeper, BUS_NEWS_CAME, peer->node);
            } else if (!is_own(keeper, peer->node)) {
                tell_what_is_owed(keeper, peer);
            }
            peer->told = true;
            continue;
        }
        if (peer->told && !is_own(keeper, peer->node))
            tell(keeper, BUS_NEWS_GONE, peer->node);
        if (peer->is_there && !is_own(keeper, peer->node))
            remove(keeper, peer);
        redis_peers_remove(peers, peer);
    }
    give_list(keeper);
}
