#include "message_line.h"

#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What ends a line that was cut, for which there is always room. */
static const char text_mark[] = "...", json_mark[] = "...\"", json_note[] = ",\"cut\":true";
enum { END_MOST = sizeof json_mark + sizeof json_note + sizeof "}\n" };

static size_t room(const struct message_line *line)
{
    size_t kept = line->format == MESSAGE_AS_JSON ? (size_t)END_MOST : sizeof text_mark;

    return MESSAGE_LINE_LIMIT - kept - line->length;
}

static void put(struct message_line *line, const char *text, size_t length)
{
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

/* As much of it as there is room for. */
static void add_some(struct message_line *line, const char *text, size_t length)
{
    if (length > room(line)) {
        line->cut = true;
        length = room(line);
    }
    put(line, text, length);
}

/* All of it or nothing: false. */
static bool add_whole(struct message_line *line, const char *text, size_t length)
{
    line->cut = line->cut || length > room(line);
    if (!line->cut)
        put(line, text, length);
    return !line->cut;
}

/* ---- text ---- */

static void add_text(struct message_line *line, const char *text)
{
    add_some(line, text, strlen(text));
}

/* What a terminal or a line-by-line reader could misunderstand is written as an escape. */
static void add_escaped(struct message_line *line, const char *text, bool quoted)
{
    for (const char *at = text; *at != '\0' && !line->cut; at++) {
        unsigned char byte = (unsigned char)*at;
        char escape[5] = {'\\', 0, 0, 0, 0};
        if (byte == '\n')
            escape[1] = 'n';
        else if (byte == '\r')
            escape[1] = 'r';
        else if (byte == '\t')
            escape[1] = 't';
        else if (quoted && (byte == '"' || byte == '\\'))
            escape[1] = *at;
        else if (byte < 0x20 || byte >= 0x7f)
            (void)snprintf(escape, sizeof escape, "\\x%02x", byte);
        if (escape[1] != '\0')
            add_text(line, escape);
        else
            add_some(line, at, 1);
    }
}

static bool is_bare(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=')
            return false;
    }
    return true;
}

static void begin_text(struct message_line *line, const char *level,
                       const struct message_head *head)
{
    add_text(line, head->time);
    add_text(line, head->time[0] != '\0' ? " " : "");
    add_text(line, level);
    add_text(line, " ");
    add_text(line, head->program);
    add_text(line, ": ");
    add_escaped(line, head->message, false);
}

static void add_text_field(struct message_line *line, const char *key, const char *value)
{
    add_text(line, " ");
    add_text(line, key);
    add_text(line, "=");
    if (is_bare(value)) {
        add_text(line, value);
        return;
    }
    add_text(line, "\"");
    add_escaped(line, value, true);
    add_text(line, "\"");
}

/* ---- JSON ---- */

/* One character in ASCII; the length of the escape. What is no UTF-8 becomes U+FFFD. */
static size_t escape(char out[16], const char *text, size_t length, size_t *taken)
{
    uint32_t point = 0;

    *taken = utf8_decode(text, length, &point);
    if (*taken == 0) {
        *taken = 1;
        point = 0xfffd;
    }
    if (point == '"' || point == '\\')
        return (size_t)snprintf(out, 16, "\\%c", (char)point);
    if (point < 0x10000)
        return (size_t)snprintf(out, 16, "\\u%04x", (unsigned)point);
    point -= 0x10000;
    return (size_t)snprintf(out, 16, "\\u%04x\\u%04x", 0xd800u | (unsigned)(point >> 10),
                            0xdc00u | (unsigned)(point & 0x3ff));
}

/* How many of the first characters stand for themselves. */
static size_t plain_run(const char *text)
{
    size_t run = 0;

    while (text[run] >= 0x20 && text[run] < 0x7f && text[run] != '"' && text[run] != '\\')
        run++;
    return run;
}

/* The rest of a string that is open, and its end, if there is room for all of it. */
static void add_string(struct message_line *line, const char *text)
{
    size_t left = strlen(text);

    line->in_string = true;
    while (left > 0 && !line->cut) {
        char escaped[16];
        size_t plain = plain_run(text), taken = 0;
        if (plain > 0) {
            add_some(line, text, plain);
        } else {
            size_t length = escape(escaped, text, left, &taken);
            (void)add_whole(line, escaped, length);
        }
        text += plain + taken;
        left -= plain + taken;
    }
    line->in_string = !add_whole(line, "\"", 1);
}

/* Opens a string or lets a number follow. False without room: nothing was added. */
static bool add_key(struct message_line *line, const char *key, const char *value)
{
    char text[128];
    int length = snprintf(text, sizeof text, ",\"%.60s\":%s", key, value);

    return add_whole(line, text, (size_t)length);
}

static void add_json_text(struct message_line *line, const char *key, const char *value)
{
    if (add_key(line, key, "\""))
        add_string(line, value);
}

static void begin_json(struct message_line *line, const char *level,
                       const struct message_head *head)
{
    if (head->time[0] != '\0') {
        add_text(line, "{\"time\":\"");
        add_string(line, head->time);
        add_json_text(line, "level", level);
    } else {
        add_text(line, "{\"level\":\"");
        add_string(line, level);
    }
    add_json_text(line, "program", head->program);
    add_json_text(line, "message", head->message);
}

/* ---- both ---- */

void message_line_begin(struct message_line *line, enum message_format format,
                        const struct message_head *head)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};

    line->length = 0;
    line->format = format;
    line->cut = line->in_string = false;
    add_text(line, head->priority);
    if (format == MESSAGE_AS_JSON)
        begin_json(line, names[head->level], head);
    else
        begin_text(line, names[head->level], head);
}

void message_line_add(struct message_line *line, const struct message_field *field)
{
    char number[24];

    if (field->text == NULL)
        (void)snprintf(number, sizeof number, "%" PRId64, field->number);
    const char *text = field->text != NULL ? field->text : number;
    if (line->cut)
        return;
    if (line->format != MESSAGE_AS_JSON)
        add_text_field(line, field->key, text);
    else if (field->text == NULL)
        (void)add_key(line, field->key, number);
    else
        add_json_text(line, field->key, text);
}

size_t message_line_end(struct message_line *line)
{
    if (line->format == MESSAGE_AS_JSON) {
        if (line->in_string)
            put(line, json_mark, sizeof json_mark - 1);
        if (line->cut)
            put(line, json_note, sizeof json_note - 1);
        put(line, "}\n", 2);
        return line->length;
    }
    if (line->cut)
        put(line, text_mark, sizeof text_mark - 1);
    put(line, "\n", 1);
    return line->length;
}
