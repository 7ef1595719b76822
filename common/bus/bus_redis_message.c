#include "bus/bus_redis_message.h"

#include "big_endian.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Offsets; docs/bus.md has them as tables. */
enum {
    AT_VERSION = 3,
    HEADER_SIZE = 4,
    LENGTH_SIZE = 4,
    AT_NODE = 4,
    AT_BOOT = 8,
    AT_NUMBER = 16,
    NOTE_HEADER_SIZE = 24,
    MESSAGE_VERSION = 1
};

static const char message_magic[] = "ESM";
static const char note_magic[] = "ESN";

static void append_header(struct bytes *out, const char *magic)
{
    bytes_append(out, magic, AT_VERSION);
    bytes_append(out, &(unsigned char){MESSAGE_VERSION}, 1);
}

static bool has_header(const char *data, size_t length, const char *magic)
{
    return length >= HEADER_SIZE && memcmp(data, magic, AT_VERSION) == 0 &&
           data[AT_VERSION] == MESSAGE_VERSION;
}

void redis_message_write(struct bytes *out, const struct bus_part parts[BUS_EVENT_PARTS])
{
    append_header(out, message_magic);
    for (int i = 0; i < BUS_EVENT_PARTS; i++) {
        unsigned char length[LENGTH_SIZE];
        big_endian_write(length, sizeof length, parts[i].length);
        bytes_append(out, length, sizeof length);
        bytes_append(out, parts[i].data, parts[i].length);
    }
}

bool redis_message_read(struct bus_part parts[BUS_EVENT_PARTS], const char *data, size_t length)
{
    if (!has_header(data, length, message_magic))
        return false;
    data += HEADER_SIZE;
    length -= HEADER_SIZE;
    for (int i = 0; i < BUS_EVENT_PARTS; i++) {
        if (length < LENGTH_SIZE)
            return false;
        size_t size = big_endian_read(data, LENGTH_SIZE);
        data += LENGTH_SIZE;
        length -= LENGTH_SIZE;
        if (size > length)
            return false;
        parts[i] = (struct bus_part){data, size};
        data += size;
        length -= size;
    }
    return length == 0;
}

void redis_note_write(struct bytes *out, const struct redis_note *note)
{
    unsigned char header[NOTE_HEADER_SIZE - HEADER_SIZE] = {0};
    append_header(out, note_magic);
    big_endian_write(header + AT_NODE - HEADER_SIZE, 4, note->node);
    big_endian_write(header + AT_BOOT - HEADER_SIZE, 8, note->boot);
    big_endian_write(header + AT_NUMBER - HEADER_SIZE, 8, note->number);
    bytes_append(out, header, sizeof header);
    bytes_append(out, note->text, note->length);
}

bool redis_note_read(struct redis_note *note, const char *data, size_t length)
{
    if (length < NOTE_HEADER_SIZE || !has_header(data, length, note_magic))
        return false;
    *note = (struct redis_note){
        .node = (unsigned)big_endian_read(data + AT_NODE, 4),
        .boot = big_endian_read(data + AT_BOOT, 8),
        .number = big_endian_read(data + AT_NUMBER, 8),
        .text = data + NOTE_HEADER_SIZE,
        .length = length - NOTE_HEADER_SIZE,
    };
    return note->node < BUS_NODES_MOST;
}

void redis_ack_write_node(unsigned char out[REDIS_ACK_NODE_SIZE], unsigned node)
{
    big_endian_write(out, REDIS_ACK_NODE_SIZE, node);
}

bool redis_ack_read_node(unsigned *node, const char **data, size_t *length)
{
    if (*length < REDIS_ACK_NODE_SIZE)
        return false;
    *node = (unsigned)big_endian_read(*data, REDIS_ACK_NODE_SIZE);
    *data += REDIS_ACK_NODE_SIZE;
    *length -= REDIS_ACK_NODE_SIZE;
    return *node < BUS_NODES_MOST;
}

void redis_record_write(struct bytes *out, const struct redis_record *record)
{
    bytes_append_format(out, "%016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
                        record->boot, record->counter, record->notes, record->streams,
                        record->renewed_ms, record->url);
}

bool redis_record_read(struct redis_record *record, const char *text)
{
    int read = 0;
    if (sscanf(text, "%16" SCNx64 " %20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "%n",
               &record->boot, &record->counter, &record->notes, &record->streams,
               &record->renewed_ms, &read) != 5 ||
        text[read] != ' ')
        return false;
    record->url = text + read + 1;
    return true;
}
