/* Frames of a stream: the same ones however the bytes are cut. The first byte says how. */
#include "frame_reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all; what came is told as text. Ends at a fault. */
static void read_all(const char *bytes, size_t size, size_t piece, struct bytes *told)
{
    struct frame_reader reader = {0};
    enum frame_reader_result result = FRAME_READER_MORE;

    for (size_t at = 0; at < size && result != FRAME_READER_FAULT; at += piece) {
        const char *data = bytes + at;
        size_t length = piece < size - at ? piece : size - at;
        do {
            const char *before = data;
            result = frame_reader_feed(&reader, &data, &length);
            if (data < before || (result == FRAME_READER_MORE && length > 0))
                abort();
            bytes_append_number(told, (uint64_t)result);
            if (result == FRAME_READER_MORE)
                told->length--;
            if (result == FRAME_READER_FRAME)
                bytes_append(told, reader.frame.data, reader.frame.length);
        } while (result != FRAME_READER_MORE && result != FRAME_READER_FAULT);
    }
    if (result == FRAME_READER_FAULT && reader.fault == NULL)
        abort();
    bytes_append_number(told, frame_reader_is_between(&reader));
    frame_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes whole = BYTES_EMPTY, cut = BYTES_EMPTY;
    const char *bytes = (const char *)data + 1;

    if (size < 2)
        return 0;
    read_all(bytes, size - 1, size - 1, &whole);
    read_all(bytes, size - 1, 1 + data[0] % 11, &cut);
    if (whole.failed || cut.failed || whole.length != cut.length ||
        memcmp(whole.data, cut.data, whole.length) != 0)
        abort();
    bytes_free(&whole);
    bytes_free(&cut);
    return 0;
}
