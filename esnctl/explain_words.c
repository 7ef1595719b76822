#include "explain_words.h"

#include "commands.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIME_SIZE = 40 };

/* ---- small things ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* "2026-11-26 19:04:11.250", as the machine's clock has it; "some time" for 0. */
static const char *write_time(char out[TIME_SIZE], long long ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[24];
    if (ms == 0 || localtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return "some time";
    (void)snprintf(out, TIME_SIZE, "%s.%03lld", text, ms % 1000);
    return out;
}

/* What a client or a publisher has written cannot command the terminal. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++)
        (void)putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

/* ---- causes ---- */

/* The words before the time: %T the topic, %R the reason of an end. */
static const struct cause {
    const char *name, *words;
} causes[] = {
    {"not-subscribed", "was not subscribed to it"},
    {"topics-not-known", "had topics of which not all are remembered; none of the others matches"},
    {"near-name", "was subscribed to %T, which is another topic"},
    {"subscribed-later", "was not subscribed yet: it did so at"},
    {"unsubscribed", "was not subscribed any more: it let go of the topic at"},
    {"came-later", "was not connected yet: it came, and asked for no past, at"},
    {"gap", "was not connected, and came back with an id that the log does not know, at"},
    {"had-before", "was not connected, and said that it had come past this event already, at"},
    {"ended", "was not connected: its stream had ended (%R) at"},
    {"whispered", "is not whom it was whispered to"},
    {"excluded", "is the one that was to be left out"},
    {"no-right", "was bound to %T, and its user had no right to hear it, at"},
    {"not-bound", "is subscribed to %T, but not bound, and the event was bound"},
    {"not-private", "is subscribed to %T, but the event was private, for granted ones"},
    {"plain-event", "is subscribed to %T as one who hears no plain events"},
    {"no-inbox", "has no inbox (@USER@), to which the event went"},
    {"to-others", "has an inbox, but the event went to other users"},
    {"expired", "was not given it, since the proof of its user had ended; its stream ended at"},
    {"slow", "did not read: the event waited for it until it was closed as slow at"},
    {"cut-off", "had not taken all when its connection ended (%R) at"},
    {"waiting", "does not read: the event has waited for it since"},
    {"catching-up", "is catching up with what it missed since"},
    {"polls", "polls: it has the event with its next poll since"},
    {"written", "was written the event at"},
    {"had", "said that it had the event, at"},
};

static const struct cause *find_cause(const char *name)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        if (strcmp(causes[i].name, name) == 0)
            return &causes[i];
    }
    return NULL;
}

static void print_words(const char *words, const json_t *stream)
{
    for (; *words != '\0'; words++) {
        if (words[0] == '%' && words[1] == 'T')
            print_text(text_of(stream, "topic"));
        else if (words[0] == '%' && words[1] == 'R')
            print_text(text_of(stream, "reason"));
        else
            (void)putchar(*words);
        words += words[0] == '%';
    }
}

static void print_since(const char *words, long long ms)
{
    char time[TIME_SIZE];
    if (ms != 0)
        (void)printf("    %s %s\n", words, write_time(time, ms));
}

/* What shows it, a line each. */
static void print_more(const json_t *stream)
{
    const json_t *until = json_object_get(stream, "heard_until");
    char time[TIME_SIZE];
    if (*text_of(stream, "near") != '\0')
        (void)printf("    %s\n", text_of(stream, "near"));
    if (number_of(stream, "to") != 0)
        (void)printf("    it was for connection %lld\n", number_of(stream, "to"));
    print_since("it was told so when it subscribed, at", number_of(stream, "told"));
    if (until != NULL)
        (void)printf("    it could hear the topic until %s, event %s\n",
                     write_time(time, number_of(until, "at")), text_of(until, "id"));
    print_since("it came back at", number_of(stream, "came_back"));
    print_since("queued for it at", number_of(stream, "queued"));
    print_since("written at", number_of(stream, "written"));
    if (number_of(stream, "bytes") != 0)
        (void)printf("    %lld bytes wait, or waited, for it\n", number_of(stream, "bytes"));
    if (json_is_true(json_object_get(stream, "caught_up")))
        (void)printf("    it had missed it, came back then and was given it from the log\n");
    if (json_is_false(json_object_get(stream, "said")))
        (void)printf("    its client, which says what it had, has not said so\n");
    print_since("its stream has ended since, at", number_of(stream, "ended"));
}

static void print_stream_name(const json_t *stream)
{
    (void)printf("connection %lld", number_of(stream, "connid"));
    if (*text_of(stream, "user") != '\0') {
        (void)printf(", user ");
        print_text(text_of(stream, "user"));
    }
    if (*text_of(stream, "clid") != '\0') {
        (void)printf(", client ");
        print_text(text_of(stream, "clid"));
    }
    (void)printf(", %s:\n", text_of(stream, "state"));
}

static void print_verdict(const json_t *stream)
{
    const char *name = text_of(stream, "cause");
    const struct cause *cause = find_cause(name);
    char time[TIME_SIZE];
    print_stream_name(stream);
    (void)printf("  ");
    if (cause != NULL)
        print_words(cause->words, stream);
    else
        print_text(name);
    if (number_of(stream, "at") != 0)
        (void)printf("%s %s",
                     cause != NULL && strstr(cause->words, " at") == NULL &&
                             strstr(cause->words, " since") == NULL
                         ? ", at"
                         : "",
                     write_time(time, number_of(stream, "at")));
    (void)printf("  [%s]\n", name);
    print_more(stream);
}

/* ---- hearing ---- */

static void print_hearing(const json_t *stream)
{
    const json_t *hears = json_object_get(stream, "hears"), *kind;
    size_t i;
    print_stream_name(stream);
    if (!json_is_array(hears)) {
        print_since("its stream has ended, at", number_of(stream, "ended"));
        return;
    }
    if (json_array_size(hears) == 0 && *text_of(stream, "near") != '\0') {
        (void)printf("  hears nothing of it: it is subscribed to ");
        print_text(text_of(stream, "topic"));
        (void)printf(", %s\n", text_of(stream, "near"));
        return;
    }
    if (json_array_size(hears) == 0) {
        (void)printf("  hears nothing of it: it is not subscribed\n");
        return;
    }
    json_array_foreach(hears, i, kind)
    {
        const char *word = json_string_value(kind);
        (void)printf("  hears %s\n", strcmp(word, "plain") == 0     ? "plain events"
                                     : strcmp(word, "private") == 0 ? "private events"
                                     : strcmp(word, "inbox") == 0
                                         ? "what is sent to its user, and to who follows the topic"
                                         : "bound events, when its user may (esnctl topic show)");
    }
}

/* ---- all ---- */

static void print_unpublished(const json_t *list)
{
    const json_t *post;
    size_t i;
    json_array_foreach(list, i, post)
    {
        char time[TIME_SIZE];
        (void)printf("not published at %s on ", write_time(time, number_of(post, "at")));
        print_text(text_of(post, "topic"));
        (void)printf(": ");
        print_text(text_of(post, "reason"));
        if (*text_of(post, "id") != '\0')
            (void)printf(" of %s", text_of(post, "id"));
        if (*text_of(post, "by") != '\0') {
            (void)printf(", by ");
            print_text(text_of(post, "by"));
        }
        if (*text_of(post, "user") != '\0') {
            (void)printf(", for the user ");
            print_text(text_of(post, "user"));
        }
        (void)putchar('\n');
    }
}

static void print_refused(const json_t *list)
{
    const json_t *one, *topic;
    size_t i, j;
    json_array_foreach(list, i, one)
    {
        char time[TIME_SIZE];
        (void)printf("refused to subscribe at %s: ", write_time(time, number_of(one, "at")));
        print_text(text_of(one, "reason"));
        json_array_foreach(json_object_get(one, "topics"), j, topic)
        {
            (void)printf("%s", j > 0 ? ", " : " (");
            print_text(json_string_value(topic));
        }
        (void)printf("%s\n", j > 0 ? ")" : "");
    }
}

static void print_event(const json_t *event)
{
    char time[TIME_SIZE];
    (void)printf("event %s at %s on ", text_of(event, "id"),
                 write_time(time, number_of(event, "at")));
    print_text(text_of(event, "topic"));
    (void)printf(", %s", text_of(event, "kind"));
    if (json_is_true(json_object_get(event, "everyone")))
        (void)printf(", for everybody");
    else if (json_is_true(json_object_get(event, "all_users")))
        (void)printf(", for all users");
    else if (number_of(event, "users") == 1)
        (void)printf(", for 1 user");
    else if (number_of(event, "users") != 0)
        (void)printf(", for %lld users", number_of(event, "users"));
    (void)putchar('\n');
}

static int print_unknown(const json_t *answer)
{
    const char *cause = text_of(answer, "cause");
    const char *words = "it was never published";
    if (strcmp(cause, "forgotten") == 0)
        words = "it is older than the log ([log] max_age, max_bytes)";
    else if (strcmp(cause, "another-log") == 0)
        words = "it is of an earlier log: the daemon was started without it ([log] path)";
    return command_fail("nothing is known of this event: %s  [%s]\nThe log has %s to %s.", words,
                        cause, text_of(answer, "oldest"), text_of(answer, "newest"));
}

static void print_nobody(const json_t *answer)
{
    char time[TIME_SIZE];
    (void)printf("No such stream is held, nor was since %s.  [nobody]\n",
                 write_time(time, number_of(answer, "known_since")));
}

int explain_words_print(const json_t *answer)
{
    const json_t *event = json_object_get(answer, "event"),
                 *streams = json_object_get(answer, "streams"), *one;
    size_t i;
    if (json_object_get(answer, "cause") != NULL)
        return print_unknown(answer);
    if (event != NULL)
        print_event(event);
    json_array_foreach(json_object_get(answer, "published"), i, one) print_event(one);
    if (event == NULL && json_array_size(json_object_get(answer, "published")) == 0)
        (void)printf("nothing was published on it that the log still has\n");
    print_unpublished(json_object_get(answer, "unpublished"));
    json_array_foreach(streams, i, one)
    {
        if (event != NULL)
            print_verdict(one);
        else
            print_hearing(one);
    }
    if (json_is_array(streams) && json_array_size(streams) == 0)
        print_nobody(answer);
    if (number_of(answer, "ended_before") != 0)
        (void)printf("and %lld more that had ended before it\n", number_of(answer, "ended_before"));
    if (number_of(answer, "more") != 0)
        (void)printf("and %lld more; name one with --user, --clid or --connid\n",
                     number_of(answer, "more"));
    print_refused(json_object_get(answer, "refused"));
    return COMMAND_GOOD;
}

/* ---- messages ---- */

/* Lines in which a handler says that it refused something. */
static bool is_refusal(const char *line)
{
    static const char *const words[] = {"topic not granted", "refused", "not taken"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strstr(line, words[i]) != NULL)
            return true;
    }
    return false;
}

int explain_words_print_messages(const char *file, const char *topic, const char *user)
{
    FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "r");
    char *line = NULL;
    size_t size = 0;
    if (in == NULL)
        return command_fail("%s: cannot be read", file);
    while (getline(&line, &size, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (is_refusal(line) && ((topic != NULL && strstr(line, topic) != NULL) ||
                                 (user != NULL && strstr(line, user) != NULL))) {
            (void)printf("message: ");
            print_text(line);
            (void)putchar('\n');
        }
    }
    free(line);
    if (in != stdin)
        (void)fclose(in);
    return COMMAND_GOOD;
}
