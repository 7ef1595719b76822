#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char number_mark[] = "{{ID}}";
static const char stamp_mark[] = "~000000000000000000000000~";

enum { NUMBER_SIZE = sizeof number_mark - 1 };

static bool read_file(struct message *message, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t capacity = 65536;
    message->data = malloc(capacity);
    while (message->data != NULL) {
        message->length +=
            fread(message->data + message->length, 1, capacity - message->length, file);
        if (message->length < capacity)
            break;
        capacity *= 2;
        char *larger = realloc(message->data, capacity);
        if (larger == NULL)
            free(message->data);
        message->data = larger;
    }
    bool ok = message->data != NULL && !ferror(file) && message->length > 0;
    fclose(file);
    if (!ok)
        fprintf(stderr, "%s: cannot be read, or is empty\n", path);
    return ok;
}

static bool find_number_places(struct message *message)
{
    const char *at = message->data;
    const char *end = message->data + message->length;
    while ((at = memmem(at, (size_t)(end - at), number_mark, NUMBER_SIZE)) != NULL) {
        size_t *more = realloc(message->number_places, (message->number_count + 1) * sizeof *more);
        if (more == NULL)
            return false;
        message->number_places = more;
        more[message->number_count++] = (size_t)(at - message->data);
        at += NUMBER_SIZE;
    }
    return true;
}

bool message_load(struct message *message, const char *path)
{
    *message = (struct message){0};
    if (!read_file(message, path) || !find_number_places(message)) {
        message_free(message);
        return false;
    }
    const char *stamp = memmem(message->data, message->length, stamp_mark, STAMP_SIZE);
    message->has_stamp = stamp != NULL;
    if (stamp != NULL)
        message->stamp_place = (size_t)(stamp - message->data);
    return true;
}

void message_free(struct message *message)
{
    free(message->data);
    free(message->number_places);
    *message = (struct message){0};
}

void message_set_number(struct message *message, unsigned number)
{
    char digits[NUMBER_SIZE];
    for (int i = NUMBER_SIZE - 1; i >= 0; i--) {
        digits[i] = (char)('0' + number % 10);
        number /= 10;
    }
    for (size_t i = 0; i < message->number_count; i++)
        memcpy(message->data + message->number_places[i], digits, NUMBER_SIZE);
}

void message_set_stamp(struct message *message, const struct stamp *stamp)
{
    stamp_write(message->data + message->stamp_place, stamp);
}

bool marker_parse(struct marker *marker, const char *hex)
{
    size_t digits = strlen(hex);
    if (digits == 0 || digits % 2 != 0 || digits / 2 > sizeof marker->bytes)
        return false;
    marker->length = digits / 2;
    for (size_t i = 0; i < marker->length; i++) {
        unsigned value;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1)
            return false;
        marker->bytes[i] = (char)value;
    }
    return true;
}
