/* Either end of the bus, as a daemon and a handler have it, driven by lines: for tests of an engine that need neither
 * streams nor posts. What happens is told as JSON, one object a line.
 *     bus_peer CONFIG node [BOOT EPOCH SEQUENCE]
 *         note TEXT, describe STREAMS URL, nodes, receivers N, overloaded, hold, leave
 *     bus_peer CONFIG publisher
 *         publish LIMIT_MS EVENT..., question EPOCH SEQUENCE, position, refuse REASON, drop USER MS
 * An EVENT is topic,text,key,rate,flags: key 32 hexadecimal digits or nothing, flags keep or forget. */
#include "bus/bus_config.h"
#include "config/config.h"
#include "hex.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 1 << 20, EVENTS_MOST = 4096, NODES_MOST = 64 };

static char line[LINE_SIZE];

static void print_text(const char *name, const char *text, size_t length)
{
    struct bytes json = BYTES_EMPTY;
    bytes_append_json_string(&json, text, length);
    printf(",\"%s\":%.*s", name, (int)json.length, json.data);
    bytes_free(&json);
}

static char *read_line(void)
{
    if (fgets(line, sizeof line, stdin) == NULL)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static const char *after(const char *text, const char *word)
{
    size_t length = strlen(word);
    return strncmp(text, word, length) == 0 && (text[length] == ' ' || text[length] == '\0')
               ? text + length + (text[length] == ' ')
               : NULL;
}

/* ---- a daemon ---- */

struct node {
    struct bus_inbox *inbox;
    uint32_t receivers;
    bool overloaded; /* takes nothing */
    bool holds;      /* says nothing to handlers */
};

static const char *const news_words[] = {
    [BUS_NEWS_WINDOW] = "window", [BUS_NEWS_NOTE] = "note",     [BUS_NEWS_CAME] = "came",
    [BUS_NEWS_GONE] = "gone",     [BUS_NEWS_MISSED] = "missed", [BUS_NEWS_EPOCH] = "epoch",
    [BUS_NEWS_LOST] = "lost",     [BUS_NEWS_CUT] = "cut",       [BUS_NEWS_BACK] = "back"};

static void tell_news(const struct bus_news *news)
{
    printf("{\"news\":\"%s\",\"node\":%u,\"epoch\":%" PRIu64 ",\"sequence\":%" PRIu64,
           news_words[news->kind], news->node, news->epoch, news->sequence);
    print_text("text", news->text, news->length);
    printf("}\n");
}

static void acknowledge(struct node *node, const struct bus_message *message)
{
    const struct ack ack = {.sequence = message->envelope.sequence,
                            .event_sequence = message->number,
                            .receivers = node->receivers,
                            .status = node->overloaded ? ACK_OVERLOAD : ACK_DELIVERED};
    if (node->holds || message->past)
        return;
    if (message->envelope.kind == ENVELOPE_QUESTION)
        bus_inbox_answer(node->inbox, message->envelope.publisher, &ack, "{\"a\":1}", 7);
    else
        bus_inbox_acknowledge(node->inbox, message->envelope.publisher, &ack);
}

static void tell_message(struct node *node, const struct bus_message *message)
{
    static const char *const kinds[] = {"none",     "hello",    "event",  "drop",
                                        "position", "question", "refusal"};
    if (message->news.kind != 0) {
        tell_news(&message->news);
        return;
    }
    printf("{\"kind\":\"%s\",\"number\":%" PRIu64 ",\"wall\":%" PRIu64 ",\"past\":%s,\"value\":%s",
           kinds[message->envelope.kind], message->number, message->wall_ms,
           message->past ? "true" : "false", message->value ? "true" : "false");
    if (message->envelope.kind == ENVELOPE_EVENT) {
        print_text("topic", message->event.topic, message->event.topic_length);
        print_text("e", message->event.json, message->event.json_length);
    } else if (message->envelope.kind == ENVELOPE_DROP) {
        print_text("name", message->drop.name, message->drop.name_length);
    } else if (message->envelope.kind == ENVELOPE_REFUSAL) {
        print_text("reason", message->refusal.reason, strlen(message->refusal.reason));
    }
    printf("}\n");
    acknowledge(node, message);
}

static void tell_facts(const struct bus_facts *facts)
{
    char key[2 * BUS_STREAM_KEY_SIZE + 1];
    hex_write(key, facts->stream_key, sizeof facts->stream_key);
    printf("{\"ready\":true,\"node\":%u,\"boot\":\"%" PRIu64 "\",\"epoch\":%" PRIu64
           ",\"sequence\":%" PRIu64 ",\"connid\":%" PRIu64 ",\"key\":\"%s\"}\n",
           facts->node, facts->boot, facts->epoch, facts->sequence, facts->first_connid, key);
}

static void tell_nodes(const struct node *node)
{
    struct bus_node nodes[NODES_MOST];
    size_t count = bus_inbox_nodes(node->inbox, nodes, NODES_MOST);
    printf("{\"nodes\":[");
    for (size_t i = 0; i < count && i < NODES_MOST; i++) {
        printf("%s{\"node\":%u,\"streams\":%" PRIu64, i > 0 ? "," : "", nodes[i].node,
               nodes[i].streams);
        print_text("url", nodes[i].url, strlen(nodes[i].url));
        printf("}");
    }
    printf("]}\n");
}

/* False when it is to end. */
static bool obey(struct node *node, const char *command)
{
    const char *text;
    if ((text = after(command, "note")) != NULL) {
        bus_inbox_note(node->inbox, text, strlen(text));
    } else if ((text = after(command, "describe")) != NULL) {
        char *end;
        uint64_t streams = strtoull(text, &end, 10);
        bus_inbox_describe(node->inbox, streams, end + (*end == ' '));
    } else if (after(command, "nodes") != NULL) {
        tell_nodes(node);
    } else if ((text = after(command, "receivers")) != NULL) {
        node->receivers = (uint32_t)strtoul(text, NULL, 10);
    } else if (after(command, "overloaded") != NULL) {
        node->overloaded = true;
    } else if (after(command, "hold") != NULL) {
        node->holds = true;
    } else if (after(command, "leave") != NULL) {
        bus_inbox_leave(node->inbox);
        return false;
    }
    return true;
}

static void serve(struct node *node)
{
    struct pollfd files[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = bus_inbox_descriptor(node->inbox), .events = POLLIN}};
    struct bus_message message;
    while (poll(files, 2, -1) >= 0) {
        while (bus_inbox_next(node->inbox, &message) == 1)
            tell_message(node, &message);
        bus_inbox_flush(node->inbox);
        if (files[0].revents != 0) {
            const char *command = read_line();
            if (command == NULL || !obey(node, command))
                return;
        }
        (void)fflush(stdout);
    }
}

static int be_node(struct bus_config *bus, char **words)
{
    char error[BUS_ERROR_SIZE] = "";
    if (words[0] != NULL)
        bus->options.take_up = (struct bus_take_up){.boot = strtoull(words[0], NULL, 10),
                                                    .epoch = strtoull(words[1], NULL, 10),
                                                    .sequence = strtoull(words[2], NULL, 10)};
    struct node node = {.inbox = bus_inbox_open(&bus->options, 0, error), .receivers = 1};
    if (node.inbox == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    struct bus_facts facts = bus_inbox_facts(node.inbox);
    tell_facts(&facts);
    (void)fflush(stdout);
    serve(&node);
    bus_inbox_close(&node.inbox);
    return 0;
}

/* ---- a handler ---- */

static char *next_part(char **text)
{
    char *part = *text;
    char *end = strchr(part, ',');
    *text = end != NULL ? end + 1 : part + strlen(part);
    if (end != NULL)
        *end = '\0';
    return part;
}

static struct bus_event read_event(char *word)
{
    char *topic = next_part(&word), *text = next_part(&word), *key = next_part(&word);
    char *rate = next_part(&word);
    struct bus_event event = {.topic = topic,
                              .topic_length = strlen(topic),
                              .event = text,
                              .event_length = strlen(text),
                              .allowed = "",
                              .token = 7,
                              .rate = (uint32_t)strtoul(rate, NULL, 10)};
    if (hex_read(event.post_key, sizeof event.post_key, key))
        event.flags |= ENVELOPE_HAS_POST_KEY;
    if (strcmp(word, "keep") == 0)
        event.flags |= ENVELOPE_KEEP;
    if (strcmp(word, "forget") == 0)
        event.flags |= ENVELOPE_KEEP | ENVELOPE_FORGET;
    return event;
}

static void tell_results(struct bus_publisher *publisher, bool good, const struct bus_event *events,
                         size_t count, const struct bytes *answer)
{
    printf("{\"good\":%s,\"events\":[", good ? "true" : "false");
    for (size_t i = 0; i < count; i++)
        printf("%s{\"acknowledged\":%s,\"complete\":%s,\"status\":%d,\"id\":\"%" PRIu64 "-%" PRIu64
               "\",\"receivers\":%u,\"wait\":%u}",
               i > 0 ? "," : "", events[i].acknowledged ? "true" : "false",
               events[i].complete ? "true" : "false", (int)events[i].ack.status, events[i].epoch,
               events[i].ack.event_sequence, events[i].ack.receivers, events[i].ack.wait_ms);
    printf("]");
    if (answer != NULL)
        print_text("answer", answer->length > 0 ? answer->data : "", answer->length);
    print_text("trouble", bus_publisher_trouble(publisher),
               strlen(bus_publisher_trouble(publisher)));
    printf("}\n");
}

static void publish_line(struct bus_publisher *publisher, char *words)
{
    static struct bus_event events[EVENTS_MOST];
    size_t count = 0;
    char *rest, *word = strtok_r(words, " ", &rest);
    unsigned limit = word != NULL ? (unsigned)strtoul(word, NULL, 10) : 0;
    while (count < EVENTS_MOST && (word = strtok_r(NULL, " ", &rest)) != NULL)
        events[count++] = read_event(word);
    bool good = bus_publish(publisher, events, count, limit, limit);
    tell_results(publisher, good, events, count, NULL);
}

static void publish_one(struct bus_publisher *publisher, struct bus_event *event)
{
    bool good = bus_publish(publisher, event, 1, 20000, 20000);
    tell_results(publisher, good, event, 1, event->answer);
}

static void ask_question(struct bus_publisher *publisher, const char *words)
{
    struct question question = {.kind = QUESTION_REPORT};
    unsigned char record[QUESTION_SIZE];
    struct bytes answer = BYTES_EMPTY;
    (void)sscanf(words, "%" SCNu64 " %" SCNu64, &question.epoch, &question.sequence);
    struct bus_event event = bus_event_of_question(&question, 0, record, &answer);
    publish_one(publisher, &event);
    bytes_free(&answer);
}

static void drop_user(struct bus_publisher *publisher, char *words)
{
    char *rest, *name = strtok_r(words, " ", &rest), *ms = strtok_r(NULL, " ", &rest);
    unsigned char record[DROP_RECORD_SIZE];
    const struct drop drop = {.kind = DROP_USER,
                              .name = name,
                              .name_length = strlen(name),
                              .for_ms = strtoull(ms, NULL, 10)};
    struct bus_event event = bus_event_of_drop(&drop, record);
    publish_one(publisher, &event);
}

static void refuse(struct bus_publisher *publisher, const char *reason)
{
    const struct refusal refusal = {.reason = reason, .by = "", .user = "", .topic = "t"};
    struct bytes record = BYTES_EMPTY;
    refusal_write(&record, &refusal);
    struct bus_event event = bus_event_of_refusal(&record);
    bus_tell(publisher, &event, 1, 20000, 20000);
    bytes_free(&record);
    printf("{\"told\":true}\n");
}

static int be_publisher(const struct bus_config *bus)
{
    char error[BUS_ERROR_SIZE] = "";
    struct bus_publisher *publisher = bus_publisher_open(&bus->options, error);
    if (publisher == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("{\"ready\":true}\n");
    (void)fflush(stdout);
    while (read_line() != NULL) {
        struct bus_event position = bus_event_of_position();
        const char *text;
        if ((text = after(line, "publish")) != NULL)
            publish_line(publisher, line + (text - line));
        else if ((text = after(line, "question")) != NULL)
            ask_question(publisher, text);
        else if ((text = after(line, "drop")) != NULL)
            drop_user(publisher, line + (text - line));
        else if ((text = after(line, "refuse")) != NULL)
            refuse(publisher, text);
        else
            publish_one(publisher, &position);
        (void)fflush(stdout);
    }
    bus_publisher_close(&publisher);
    return 0;
}

int main(int argc, char **argv)
{
    static struct config config;
    static struct bus_config bus;
    char error[CONFIG_ERROR_SIZE] = "it is called with a configuration and node or publisher";
    bool is_node = argc > 2 && strcmp(argv[2], "node") == 0;
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* poll(2) sees what is left */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 3 || !config_load(&config, argv[1], error) ||
        !bus_config_load(&bus, &config, is_node ? BUS_DAEMON : BUS_HANDLER, error)) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int status = is_node ? be_node(&bus, argv + 3) : be_publisher(&bus);
    bus_config_free(&bus);
    config_free(&config);
    return status;
}
