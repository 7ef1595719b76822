#include "requests/dropping.h"

#include "net/connection.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "streams/stream.h"
#include "streams/streams.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_LEAST = 16, LOOKS = 64 }; /* streams, and steps of a walk */

enum drop_phase { PHASE_STREAMS, PHASE_POLLS, PHASE_DONE };

struct drop_job {
    STAILQ_ENTRY(drop_job) next;
    struct drop drop; /* its name is in text */
    struct drop_receipt receipt;
    struct identity_list identities; /* of a user or session, still to be ended */
    enum drop_phase phase;           /* of a client id, like the next: which table is at hand ... */
    size_t cursor;                   /* ... and how far it was walked */
    uint32_t dropped;
    char text[];
};

/* ---- one ---- */

static bool drop_stream(struct drop_job *job, struct stream *stream)
{
    if (stream == NULL)
        return false;
    streaming_drop(&stream->connection);
    job->dropped++;
    return true;
}

/* A client of long-poll that is between two requests is there, and then no more. */
static void drop_poll(struct service *service, struct drop_job *job, uint64_t connid)
{
    struct presence_entry *presence = poll_gap_take(&service->streams->polls, connid);

    if (presence == NULL)
        return;
    streaming_leave_presence(service, presence);
    job->dropped++;
}

static void drop_connid(struct service *service, struct drop_job *job, uint64_t connid)
{
    if (drop_stream(job, streams_find(service->streams, connid)))
        return;
    drop_poll(service, job, connid);
    departed_forget(&service->streams->departed, connid);
    (void)stream_secrets_refuse(&service->streams->secrets, connid, loop_now(&service->net->loop));
}

/* ---- of a user or session ---- */

/* False when there are no more. */
static bool drop_next_identity(struct service *service, struct drop_job *job)
{
    struct stream_identity *identity = LIST_FIRST(&job->identities);

    if (identity == NULL)
        return false;
    if (drop_stream(job, identity->stream))
        return true;
    uint64_t connid = identity->connid;
    drop_poll(service, job, connid);
    streams_bar(service->streams, connid, loop_now(&service->net->loop));
    return true;
}

/* ---- of a client id ---- */

static bool is_of_client(const struct presence_entry *presence, const struct drop *drop)
{
    return presence->length == drop->name_length &&
           memcmp(presence->clid, drop->name, drop->name_length) == 0;
}

/* A table is not changed while it is walked: what is found is dropped after that. */
struct client_look {
    const struct drop *drop;
    bool found;
    uint64_t connid;
};

static void look_at_stream(struct hash_node *by_connid, void *context)
{
    struct client_look *look = context;
    const struct stream *stream = stream_of_connid_node(by_connid);

    if (look->found || !is_of_client(stream->presence, look->drop))
        return;
    look->found = true;
    look->connid = stream->connid;
}

static void look_at_poll(struct hash_node *by_connid, void *context)
{
    struct client_look *look = context;

    if (look->found || !is_of_client(poll_gap_presence(by_connid), look->drop))
        return;
    look->found = true;
    look->connid = by_connid->hash;
}

static void drop_found(struct service *service, struct drop_job *job, uint64_t connid)
{
    if (job->phase == PHASE_STREAMS) {
        (void)drop_stream(job, streams_find(service->streams, connid));
        return;
    }
    drop_poll(service, job, connid);
    streams_bar(service->streams, connid, loop_now(&service->net->loop));
}

/* Looks at the same place again until nothing is found there. False when all is done. */
static bool look_further(struct service *service, struct drop_job *job)
{
    const struct streams *streams = service->streams;
    bool streams_first = job->phase == PHASE_STREAMS;
    struct client_look look = {.drop = &job->drop};
    size_t next =
        hash_table_walk(streams_first ? &streams->by_connid : &streams->polls.by_connid,
                        job->cursor, streams_first ? look_at_stream : look_at_poll, &look);

    if (look.found) {
        drop_found(service, job, look.connid);
        return true;
    }
    job->cursor = next;
    job->phase += next == 0;
    return job->phase != PHASE_DONE;
}

static bool drop_next_of_client(struct service *service, struct drop_job *job)
{
    uint32_t before = job->dropped;

    for (int i = 0; i < LOOKS && job->dropped == before; i++)
        if (!look_further(service, job))
            return false;
    return true;
}

/* ---- all ---- */

static bool drop_next(struct service *service, struct drop_job *job)
{
    switch (job->drop.kind) {
    case DROP_CONNECTION:
        drop_connid(service, job, job->drop.connid);
        return false;
    case DROP_CLIENT:
        return drop_next_of_client(service, job);
    default:
        return drop_next_identity(service, job);
    }
}

static struct drop_job *job_new(struct service *service, const struct drop *drop,
                                const struct drop_receipt *receipt)
{
    struct drop_job *job = calloc(1, sizeof *job + drop->name_length + 1);
    struct identity_name *name = NULL;

    if (job == NULL)
        return NULL;
    if (drop->name_length > 0)
        memcpy(job->text, drop->name, drop->name_length);
    job->drop = *drop;
    job->drop.name = job->text;
    job->receipt = *receipt;
    LIST_INIT(&job->identities);
    if (drop->kind == DROP_USER || drop->kind == DROP_SESSION)
        name = identities_find(&service->streams->identities, drop->kind, drop->name,
                               drop->name_length);
    if (name != NULL)
        identities_take(name, &job->identities);
    return job;
}

void dropping_open(struct dropping *dropping, struct service *service)
{
    dropping->service = service;
    STAILQ_INIT(&dropping->jobs);
}

bool dropping_begin(struct dropping *dropping, const struct drop *drop,
                    const struct drop_receipt *receipt)
{
    struct drop_job *job = job_new(dropping->service, drop, receipt);

    if (job == NULL)
        return false;
    STAILQ_INSERT_TAIL(&dropping->jobs, job, next);
    return true;
}

static void end_job(struct dropping *dropping, struct drop_job *job)
{
    STAILQ_REMOVE_HEAD(&dropping->jobs, next);
    dropping->service->streams->dropped += job->dropped;
    dropping->done(dropping->context, &job->receipt, job->dropped);
    free(job);
}

bool dropping_run(struct dropping *dropping)
{
    struct service *service = dropping->service;
    struct drop_job *job;

    for (unsigned done = 0; (job = STAILQ_FIRST(&dropping->jobs)) != NULL; done++) {
        if (done >= RUN_LEAST && !loop_watch_has_time(&service->net->loop.watch))
            return false;
        if (!drop_next(service, job))
            end_job(dropping, job);
    }
    return true;
}

void dropping_close(struct dropping *dropping)
{
    struct drop_job *job;

    while (dropping->service != NULL && (job = STAILQ_FIRST(&dropping->jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(&dropping->jobs, next);
        free(job);
    }
}
