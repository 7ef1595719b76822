/* Reads the frames of a stream, ''LENGTH''JSON, from bytes that come in any pieces
 * (docs/protocol.md). LENGTH counts UTF-16 units, as JavaScript does. Pure: no I/O. */
#ifndef ESN_FRAME_READER_H
#define ESN_FRAME_READER_H

#include "bytes.h"

enum frame_reader_result {
    FRAME_READER_MORE,       /* all bytes are used up; more are needed */
    FRAME_READER_FRAME,      /* `frame` holds the text of a whole frame, until the next feeding */
    FRAME_READER_KEEP_ALIVE, /* an empty frame came */
    FRAME_READER_FAULT       /* `fault` says why the stream cannot be read on */
};

/* Start it as {0}. */
struct frame_reader {
    struct bytes frame;
    const char *fault; /* a static sentence */
    int state;
    uint32_t length; /* units announced */
    uint32_t units;  /* units that came */
    uint32_t trail;  /* bytes missing of the character that was begun */
};

/* Uses bytes from *data (moved on, with *length made smaller) up to the end of one frame. */
enum frame_reader_result frame_reader_feed(struct frame_reader *reader, const char **data,
                                           size_t *length);
/* True when the stream may end here: no frame has begun. */
bool frame_reader_is_between(const struct frame_reader *reader);
void frame_reader_free(struct frame_reader *reader);

#endif
