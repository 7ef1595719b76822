#include "saved_state.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER = 8, HEAD = 3 * NUMBER /* section, length, checksum */ };

static const char magic[NUMBER + 1] = "ESNSTATE";

static const char *const names[SAVED_SECTIONS] = {
    [SAVED_SERVICE] = "service",   [SAVED_LISTENERS] = "listeners",
    [SAVED_SECRETS] = "secrets",   [SAVED_TICKETS] = "tickets",
    [SAVED_RATES] = "rates",       [SAVED_REVOCATIONS] = "revocations",
    [SAVED_SEEN] = "seen events",  [SAVED_EVENTS] = "events",
    [SAVED_VALUES] = "values",     [SAVED_PRESENCE] = "presence",
    [SAVED_NODES] = "nodes",       [SAVED_DECISIONS] = "decisions",
    [SAVED_DEPARTED] = "departed", [SAVED_CONNECTIONS] = "connections",
    [SAVED_GAPS] = "gaps",
};

const char *saved_section_name(enum saved_section section)
{
    return names[section];
}

/* Little-endian, whatever machine it is. */
static void write_number(unsigned char *out, uint64_t number)
{
    for (int i = 0; i < NUMBER; i++, number >>= 8)
        out[i] = (unsigned char)number;
}

static uint64_t read_number(const unsigned char *from)
{
    uint64_t number = 0;

    for (int i = NUMBER; i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

/* Finds what was cut off or mixed up, eight bytes at a time since there may be many; it is no
 * defence against who writes it. */
static uint64_t checksum_of(const unsigned char *bytes, size_t length)
{
    const uint64_t prime = 0x9e3779b97f4a7c15; /* 2^64 by the golden ratio, odd */
    uint64_t sum = (length + 1) * prime;

    for (; length >= NUMBER; bytes += NUMBER, length -= NUMBER)
        sum = ((sum ^ read_number(bytes)) * prime) ^ (sum >> 29);
    for (; length > 0; bytes++, length--)
        sum = ((sum ^ *bytes) * prime) ^ (sum >> 29);
    return sum;
}

/* ---- writing ---- */

void saved_put(struct saved_writer *writer, uint64_t number)
{
    unsigned char bytes[NUMBER];

    write_number(bytes, number);
    bytes_append(&writer->out, bytes, sizeof bytes);
}

void saved_put_bytes(struct saved_writer *writer, const void *bytes, size_t length)
{
    saved_put(writer, length);
    if (length > 0)
        bytes_append(&writer->out, bytes, length);
}

void saved_put_text(struct saved_writer *writer, const char *text)
{
    saved_put_bytes(writer, text, strlen(text) + 1);
}

void saved_begin(struct saved_writer *writer)
{
    bytes_append(&writer->out, magic, NUMBER);
    saved_put(writer, SAVED_FORM);
}

void saved_begin_section(struct saved_writer *writer, enum saved_section section)
{
    writer->section = writer->out.length;
    saved_put(writer, section);
    saved_put(writer, 0);
    saved_put(writer, 0);
}

void saved_end_section(struct saved_writer *writer)
{
    if (writer->out.failed)
        return;
    unsigned char *head = (unsigned char *)writer->out.data + writer->section;
    size_t length = writer->out.length - writer->section - HEAD;
    write_number(head + NUMBER, length);
    write_number(head + 2 * (size_t)NUMBER, checksum_of(head + HEAD, length));
}

/* ---- reading ---- */

static size_t left_of(const struct saved_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static void fail(struct saved_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
}

uint64_t saved_take(struct saved_reader *reader)
{
    if (left_of(reader) < NUMBER) {
        fail(reader);
        return 0;
    }
    uint64_t number = read_number(reader->at);
    reader->at += NUMBER;
    return number;
}

uint64_t saved_take_within(struct saved_reader *reader, uint64_t most)
{
    uint64_t number = saved_take(reader);

    if (number <= most)
        return number;
    fail(reader);
    return 0;
}

size_t saved_take_count(struct saved_reader *reader, size_t least)
{
    uint64_t count = saved_take(reader);

    if (count <= left_of(reader) / least)
        return (size_t)count;
    fail(reader);
    return 0;
}

const char *saved_take_bytes(struct saved_reader *reader, size_t *length)
{
    *length = saved_take_count(reader, 1);
    const char *bytes = reader->failed ? "" : (const char *)reader->at;
    reader->at += *length;
    return bytes;
}

void saved_take_exactly(struct saved_reader *reader, void *out, size_t size)
{
    size_t length;
    const char *bytes = saved_take_bytes(reader, &length);

    memset(out, 0, size);
    if (length == size)
        memcpy(out, bytes, size);
    else
        fail(reader);
}

const char *saved_take_text(struct saved_reader *reader, size_t *length)
{
    size_t size;
    const char *text = saved_take_bytes(reader, &size);

    if (size == 0 || memchr(text, '\0', size) != text + size - 1) {
        fail(reader);
        text = "";
        size = 1;
    }
    if (length != NULL)
        *length = size - 1;
    return text;
}

bool saved_is_read(const struct saved_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

static bool read_section(struct saved_reader *all, enum saved_section wanted,
                         struct saved_reader *section)
{
    uint64_t number = saved_take(all), length = saved_take(all), checksum = saved_take(all);

    if (all->failed || number != wanted || length > left_of(all) ||
        checksum != checksum_of(all->at, (size_t)length))
        return false;
    *section = (struct saved_reader){.at = all->at, .end = all->at + length};
    all->at += length;
    return true;
}

bool saved_read(struct saved_state *state, const void *bytes, size_t length,
                char error[SAVED_ERROR_SIZE])
{
    const unsigned char *at = bytes;
    struct saved_reader all = {.at = at, .end = at + length};

    *state = (struct saved_state){0};
    if (length < 2 * (size_t)NUMBER || memcmp(at, magic, NUMBER) != 0) {
        (void)snprintf(error, SAVED_ERROR_SIZE, "it is no state of esn-fanout");
        return false;
    }
    all.at += NUMBER;
    uint64_t form = saved_take(&all);
    if (form != SAVED_FORM) {
        (void)snprintf(error, SAVED_ERROR_SIZE, "the state is of form %llu, this program reads %d",
                       (unsigned long long)form, SAVED_FORM);
        return false;
    }
    for (int section = 1; section < SAVED_SECTIONS; section++) {
        if (read_section(&all, (enum saved_section)section, &state->sections[section]))
            continue;
        (void)snprintf(error, SAVED_ERROR_SIZE, "the section \"%s\" of the state is damaged",
                       names[section]);
        return false;
    }
    if (saved_is_read(&all))
        return true;
    (void)snprintf(error, SAVED_ERROR_SIZE, "something follows the state");
    return false;
}
