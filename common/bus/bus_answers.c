#include "bus/bus_answers.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct bus_answers *answers)
{
    if (answers->count < answers->capacity)
        return true;
    size_t capacity = answers->capacity * 2 + 8;
    struct bus_answer *more = reallocarray(answers->list, capacity, sizeof *more);
    if (more == NULL)
        return false;
    memset(more + answers->capacity, 0, (capacity - answers->capacity) * sizeof *more);
    answers->list = more;
    answers->capacity = capacity;
    return true;
}

static struct bus_answer *find_answer(struct bus_answers *answers, uint64_t publisher,
                                      uint64_t epoch)
{
    for (size_t i = answers->count; i-- > 0;) {
        if (answers->list[i].publisher == publisher)
            return &answers->list[i];
    }
    if (!make_room(answers))
        return NULL;
    struct bus_answer *answer = &answers->list[answers->count++];
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, epoch);
    answer->publisher = publisher;
    bytes_append(&answer->text, header, sizeof header);
    return answer;
}

void bus_answers_add(struct bus_answers *answers, uint64_t publisher, uint64_t epoch,
                     const struct ack *ack)
{
    struct bus_answer *answer = find_answer(answers, publisher, epoch);
    if (answer == NULL)
        return;
    unsigned char record[ACK_RECORD_SIZE];
    ack_record_write(record, ack);
    bytes_append(&answer->text, record, sizeof record);
}

void bus_answers_clear(struct bus_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++)
        bytes_clear(&answers->list[i].text);
    answers->count = 0;
}

void bus_answers_free(struct bus_answers *answers)
{
    for (size_t i = 0; i < answers->capacity; i++)
        bytes_free(&answers->list[i].text);
    free(answers->list);
    *answers = (struct bus_answers){0};
}

void bus_answer_write(struct bytes *out, uint64_t epoch, const struct ack *ack, const char *text,
                      size_t length)
{
    unsigned char header[ACK_HEADER_SIZE], record[ACK_RECORD_SIZE];
    answer_header_write(header, epoch);
    ack_record_write(record, ack);
    bytes_append(out, header, sizeof header);
    bytes_append(out, record, sizeof record);
    bytes_append(out, text, length);
}
