#include "requests/moved_elsewhere.h"

#include "net/connection.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"

void moved_elsewhere_note(struct service *service, uint64_t connid, uint32_t least, unsigned node)
{
    struct streams *streams = service->streams;

    /* It may have come here since. */
    if (!moved_streams_note(&streams->secrets.moved, connid, least, (uint16_t)node,
                            loop_now(&service->net->loop)))
        return;
    if (least == MOVED_STREAM_NONE) { /* one that is there is ended by the drop itself */
        departed_forget(&streams->departed, connid);
        return;
    }
    struct presence_entry *between = poll_gap_take(&streams->polls, connid);
    if (between != NULL)
        streaming_leave_presence(service, between);
    /* Who polls shows one secret again and again: which of two polls is the later one nobody knows. */
    struct stream *stream = streams_find(streams, connid);
    if (stream != NULL && !stream->transport->answers_once)
        connection_close(&stream->connection, CLOSE_REPLACED);
    departed_forget(&streams->departed, connid);
}
