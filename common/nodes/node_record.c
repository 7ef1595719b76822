#include "nodes/node_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char form[] = "1";
static const char no_way[] = "-";

bool node_way_is_address(const char *way)
{
    return strncmp(way, "http://", 7) == 0 || strncmp(way, "https://", 8) == 0;
}

/* What stands in header lines and configurations of web servers as it is. */
static bool is_plain(const char *text)
{
    return text[strspn(text,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")] ==
           '\0';
}

const char *node_way_fault(const char *way)
{
    size_t length = strlen(way);
    if (length >= NODE_WAY_SIZE)
        return "shorter than 512 characters";
    if (length == 0 || way[length - 1] != '/')
        return "a path or an address that ends with \"/\"";
    if (node_way_is_address(way)) {
        const char *host = strchr(way, '/') + 2;
        bool printable = true;
        for (const char *at = way; *at != '\0'; at++)
            printable =
                printable && *at > ' ' && *at < 0x7f && strchr("\"<>\\^`{|}?#", *at) == NULL;
        return printable && *host != '/' ? NULL
                                         : "an address such as https://node3.example/notify/";
    }
    if (way[0] == '/' || strstr(way, "//") != NULL || strstr(way, "./") != NULL || !is_plain(way))
        return "a path below the web server's prefix such as \"node/3/\", of letters, digits, - . "
               "_ ~ and /";
    return NULL;
}

size_t node_record_write(char out[NODE_RECORD_SIZE], const struct node_record *record)
{
    int length = snprintf(out, NODE_RECORD_SIZE, "%s %s %" PRIu64 " %" PRIu64 " %s %" PRIu64, form,
                          record->boot, record->counter, record->streams,
                          record->way[0] != '\0' ? record->way : no_way, record->renewed_ms);
    return length > 0 && length < NODE_RECORD_SIZE ? (size_t)length : 0;
}

/* The next word, which is moved past; its length, 0 at the end. */
static size_t take_word(const char **word, const char **text, const char *end)
{
    *word = *text;
    const char *blank = memchr(*text, ' ', (size_t)(end - *text));
    const char *over = blank != NULL ? blank : end;
    *text = blank != NULL ? blank + 1 : end;
    return (size_t)(over - *word);
}

static bool take_text(char *out, size_t size, const char **text, const char *end)
{
    const char *word;
    size_t length = take_word(&word, text, end);
    if (length == 0 || length >= size || memchr(word, '\0', length) != NULL)
        return false;
    memcpy(out, word, length);
    out[length] = '\0';
    return true;
}

static bool take_number(uint64_t *number, const char **text, const char *end)
{
    const char *word;
    size_t length = take_word(&word, text, end);
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(word[i] - '0');
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return length > 0;
}

bool node_record_read(struct node_record *record, const char *text, size_t length)
{
    const char *end = text + length;
    char said[sizeof form];
    *record = (struct node_record){0};
    if (!take_text(said, sizeof said, &text, end) || strcmp(said, form) != 0 ||
        !take_text(record->boot, sizeof record->boot, &text, end) ||
        !take_number(&record->counter, &text, end) || !take_number(&record->streams, &text, end) ||
        !take_text(record->way, sizeof record->way, &text, end))
        return false;
    (void)take_number(&record->renewed_ms, &text, end);
    if (strcmp(record->way, no_way) == 0)
        record->way[0] = '\0';
    return record->way[0] == '\0' || node_way_fault(record->way) == NULL;
}

bool node_number_read(unsigned *node, const char *text, size_t length)
{
    uint64_t number;
    const char *at = text;
    if (memchr(text, ' ', length) != NULL || !take_number(&number, &at, text + length) ||
        number >= NODE_NUMBERS)
        return false;
    *node = (unsigned)number;
    return true;
}
