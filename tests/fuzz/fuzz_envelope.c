/* The bus's records: what is read and written again are the same bytes. */
#include "envelope.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_acks(const uint8_t *data, size_t size)
{
    uint64_t epoch;
    int count = ack_count(data, size, &epoch);
    unsigned char header[ACK_HEADER_SIZE], record[ACK_RECORD_SIZE];
    struct ack ack, again;

    if (count < 0)
        return;
    if (size != ACK_HEADER_SIZE + (size_t)count * ACK_RECORD_SIZE)
        abort();
    ack_header_write(header, epoch);
    if (memcmp(header, data, sizeof header) != 0)
        abort();
    for (int i = 0; i < count; i++) {
        unsigned char message[ACK_HEADER_SIZE + ACK_RECORD_SIZE];
        if (!ack_read(&ack, data, i))
            continue;
        ack_record_write(record, &ack);
        memcpy(message, header, sizeof header);
        memcpy(message + sizeof header, record, sizeof record);
        if (!ack_read(&again, message, 0) || again.sequence != ack.sequence ||
            again.event_sequence != ack.event_sequence || again.receivers != ack.receivers ||
            again.status != ack.status)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct envelope envelope;
    unsigned char written[ENVELOPE_SIZE_MAX];

    if (envelope_read(&envelope, data, size)) {
        if (envelope_write(written, &envelope) != size || memcmp(written, data, size) != 0)
            abort();
    }
    check_acks(data, size);
    return 0;
}
