#include "question.h"

#include "big_endian.h"

#include <string.h>

enum { AT_KIND = 0, AT_ZERO = 1, ZERO_SIZE = 3, AT_EPOCH = 4, AT_SEQUENCE = 12 };

void question_write(unsigned char out[QUESTION_SIZE], const struct question *question)
{
    memset(out, 0, QUESTION_SIZE);
    out[AT_KIND] = (unsigned char)question->kind;
    big_endian_write(out + AT_EPOCH, 8, question->epoch);
    big_endian_write(out + AT_SEQUENCE, 8, question->sequence);
}

bool question_read(struct question *question, const void *bytes, size_t length)
{
    const unsigned char *in = bytes;
    if (length != QUESTION_SIZE || in[AT_KIND] != QUESTION_REPORT ||
        big_endian_read(in + AT_ZERO, ZERO_SIZE) != 0)
        return false;
    *question = (struct question){.kind = QUESTION_REPORT,
                                  .epoch = big_endian_read(in + AT_EPOCH, 8),
                                  .sequence = big_endian_read(in + AT_SEQUENCE, 8)};
    return true;
}
