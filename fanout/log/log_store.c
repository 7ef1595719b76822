#include "log/log_store.h"

#include "clock.h"
#include "messages.h"
#include "trouble.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct queued {
    struct queued *next;
    struct log_entry entry; /* its texts are in bytes */
    size_t size;
    bool stored;
    char bytes[];
};

struct queue {
    struct queued *first, **last;
};

struct log_store {
    struct log_database *database; /* the thread's while it runs */
    struct log_state state;        /* likewise */
    struct log_store_options options;
    struct trouble failing; /* likewise */

    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct queue waiting, back;
    bool stopping, hurry;
    uint64_t writing_since;           /* ms of the monotonic clock; 0: nothing is being written */
    struct log_store_figures figures; /* but unsynced_bytes, which is the loop's */

    bool started;            /* the thread runs */
    bool has_joined;         /* the loop */
    struct queued *borrowed; /* given back, still the caller's */
    uint64_t unsynced_bytes;
    uv_async_t tell;
    void (*done)(void *context);
    void *context;
};

static void queue_add(struct queue *queue, struct queued *item)
{
    item->next = NULL;
    *queue->last = item;
    queue->last = &item->next;
}

static struct queued *queue_take_all(struct queue *queue)
{
    struct queued *first = queue->first;

    *queue = (struct queue){.last = &queue->first};
    return first;
}

static struct queued *queue_take(struct queue *queue)
{
    struct queued *first = queue->first;

    if (first == NULL)
        return NULL;
    queue->first = first->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return first;
}

static void free_all(struct queued *item)
{
    while (item != NULL) {
        struct queued *next = item->next;
        free(item);
        item = next;
    }
}

static struct log_store *new_store(const struct log_store_options *options,
                                   char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "no memory for the event log");
        return NULL;
    }
    store->options = *options;
    store->options.path = NULL;
    store->waiting.last = &store->waiting.first;
    store->back.last = &store->back.first;
    return store;
}

struct log_store *log_store_open(const struct log_store_options *options,
                                 char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_store *store = new_store(options, error);

    if (store == NULL)
        return NULL;
    store->database = log_database_open(options->path, options->sync != LOG_SYNC_NEVER, error);
    if (store->database == NULL)
        log_store_close(&store);
    return store;
}

struct log_store *log_store_take_up(const struct log_store_options *options,
                                    struct log_state *state, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_store *store = new_store(options, error);

    if (store == NULL)
        return NULL;
    store->database =
        log_database_take_up(options->path, options->sync != LOG_SYNC_NEVER, &store->state, error);
    *state = store->state;
    if (store->database == NULL)
        log_store_close(&store);
    return store;
}

bool log_store_load(struct log_store *store, struct log_past *past,
                    void (*visit)(const struct stored_event *event, void *context), void *context,
                    char error[LOG_DATABASE_ERROR_SIZE])
{
    bool loaded = log_database_load(store->database, past, visit, context, error);

    store->state = past->state;
    return loaded;
}

bool log_store_load_revocations(struct log_store *store,
                                void (*visit)(const struct log_revocation *, void *context),
                                void *context, char error[LOG_DATABASE_ERROR_SIZE])
{
    return log_database_load_revocations(store->database, visit, context, error);
}

bool log_store_load_values(struct log_store *store,
                           void (*visit)(const struct event *, void *context), void *context,
                           char error[LOG_DATABASE_ERROR_SIZE])
{
    return log_database_load_values(store->database, visit, context, error);
}

/* ---- the thread ---- */

static bool write_entry(struct log_store *store, const struct log_entry *entry)
{
    return entry->revocation.kind != 0 ? log_database_revoke(store->database, &entry->revocation)
                                       : log_database_add(store->database, &entry->stored);
}

static bool write_all(struct log_store *store, const struct queued *batch)
{
    uint64_t forgotten = 0, let_go = 0;

    if (!log_database_begin(store->database))
        return false;
    for (; batch != NULL; batch = batch->next) {
        if (!write_entry(store, &batch->entry))
            return false;
        if (batch->entry.forgotten > forgotten)
            forgotten = batch->entry.forgotten;
        if (batch->entry.let_go > let_go)
            let_go = batch->entry.let_go;
    }
    return log_database_commit(store->database, &store->state, forgotten, let_go);
}

static bool write_batch(struct log_store *store, const struct queued *batch)
{
    bool written = write_all(store, batch);

    enum trouble_change change = trouble_note(&store->failing, !written);
    if (change == TROUBLE_BEGINS)
        message_error("cannot write the event log",
                      message_text("error", log_database_error(store->database)));
    if (change == TROUBLE_ENDS)
        message_warning("the event log can be written again");
    if (!written)
        log_database_undo(store->database);
    return written;
}

/* Marks each with the verdict; those that were delivered before they were stored are lost to
 * whoever comes back after the next start, who must be told. */
static void store_batch(struct log_store *store, struct queued *batch)
{
    uint64_t begun_ns = clock_monotonic_ns(), count = 0;
    bool written = write_batch(store, batch);
    uint64_t took_ns = clock_monotonic_ns() - begun_ns;

    for (struct queued *item = batch; item != NULL; item = item->next) {
        item->stored = written;
        count++;
        if (!written && store->options.sync != LOG_SYNC_ALWAYS && item->entry.revocation.kind == 0)
            store->state.lost_through = item->entry.stored.event.sequence;
    }
    pthread_mutex_lock(&store->lock);
    store->figures.transactions++;
    histogram_add(&store->figures.times, &histogram_times, took_ns, 1);
    *(written ? &store->figures.stored : &store->figures.failed) += count;
    store->writing_since = 0;
    while (batch != NULL) {
        struct queued *next = batch->next;
        queue_add(&store->back, batch);
        batch = next;
    }
    pthread_mutex_unlock(&store->lock);
    (void)uv_async_send(&store->tell);
}

/* Lets more come until the interval is over. */
static void wait_interval(struct log_store *store)
{
    uint64_t due = clock_monotonic_ms() + store->options.interval_ms;
    const struct timespec until = {.tv_sec = (time_t)(due / 1000),
                                   .tv_nsec = (long)(due % 1000) * 1000000};
    int result = 0;

    while (!store->stopping && !store->hurry && result == 0)
        result = pthread_cond_timedwait(&store->wake, &store->lock, &until);
    store->hurry = false;
}

/* Everything that is queued, or NULL when it is time to end. */
static struct queued *take_batch(struct log_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->waiting.first == NULL && !store->stopping)
        pthread_cond_wait(&store->wake, &store->lock);
    if (store->options.sync == LOG_SYNC_INTERVAL)
        wait_interval(store);
    struct queued *batch = queue_take_all(&store->waiting);
    store->writing_since = clock_monotonic_ms();
    pthread_mutex_unlock(&store->lock);
    return batch;
}

static void *serve(void *context)
{
    struct log_store *store = context;
    struct queued *batch;

    while ((batch = take_batch(store)) != NULL)
        store_batch(store, batch);
    return NULL;
}

/* ---- the loop ---- */

static void on_tell(uv_async_t *tell)
{
    struct log_store *store = tell->data;

    store->done(store->context);
}

static bool start_thread(struct log_store *store)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error)
        return false;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(&store->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (error)
        return false;
    if (pthread_mutex_init(&store->lock, NULL) == 0) {
        if (pthread_create(&store->thread, NULL, serve, store) == 0)
            return true;
        (void)pthread_mutex_destroy(&store->lock);
    }
    (void)pthread_cond_destroy(&store->wake);
    return false;
}

static bool write_state(struct log_store *store)
{
    bool written = log_database_begin(store->database) &&
                   log_database_commit(store->database, &store->state, 0, 0);

    if (!written)
        log_database_undo(store->database);
    return written;
}

static void end_thread(struct log_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    (void)pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    (void)pthread_join(store->thread, NULL);
    (void)pthread_mutex_destroy(&store->lock);
    (void)pthread_cond_destroy(&store->wake);
}

/* The thread first: it tells nobody anything before something was queued, and is ended at once. */
static const char *start(struct log_store *store, uv_loop_t *loop)
{
    if (!write_state(store))
        return log_database_error(store->database);
    if (!start_thread(store))
        return "no thread for it";
    int failure = uv_async_init(loop, &store->tell, on_tell);
    if (!failure)
        return NULL;
    end_thread(store);
    return uv_strerror(failure);
}

bool log_store_start(struct log_store *store, uint64_t epoch, uint64_t lost_through,
                     uv_loop_t *loop, void (*done)(void *context), void *context,
                     char error[LOG_DATABASE_ERROR_SIZE])
{
    store->state.epoch = epoch;
    store->state.lost_through = lost_through;
    store->state.unsure = store->options.sync != LOG_SYNC_ALWAYS;
    store->done = done;
    store->context = context;
    store->tell.data = store;
    const char *fault = start(store, loop);
    if (fault != NULL)
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot write the event log: %.200s", fault);
    store->started = store->has_joined = fault == NULL;
    return store->started;
}

static char *copy_text(char *at, const char **text, size_t length)
{
    if (length > 0)
        memcpy(at, *text, length);
    *text = at;
    return at + length;
}

static struct queued *queued_new(const struct log_entry *entry)
{
    const struct event *from = &entry->stored.event;
    size_t texts = from->topic_length + from->json_length + from->allowed_length +
                   entry->revocation.name_length;
    struct queued *item = malloc(sizeof *item + texts);

    if (item == NULL)
        return NULL;
    item->entry = *entry;
    item->size = sizeof *item + texts;
    struct event *event = &item->entry.stored.event;
    char *at = copy_text(item->bytes, &event->topic, event->topic_length);
    at = copy_text(at, &event->json, event->json_length);
    at = copy_text(at, &event->allowed, event->allowed_length);
    (void)copy_text(at, &item->entry.revocation.name, item->entry.revocation.name_length);
    return item;
}

static bool has_room(const struct log_store *store, size_t size)
{
    return store->unsynced_bytes == 0 || store->unsynced_bytes + size <= store->options.max_bytes;
}

static bool hangs(const struct log_store *store)
{
    return store->options.max_wait_ms > 0 && store->writing_since > 0 &&
           clock_monotonic_ms() - store->writing_since > store->options.max_wait_ms;
}

bool log_store_append(struct log_store *store, const struct log_entry *entry)
{
    struct queued *item = queued_new(entry);

    if (item == NULL)
        return false;
    pthread_mutex_lock(&store->lock);
    bool taken = has_room(store, item->size) && !hangs(store);
    if (taken) {
        store->unsynced_bytes += item->size;
        store->hurry = store->hurry || entry->revocation.kind != 0 ||
                       store->unsynced_bytes > store->options.max_bytes / 2;
        /* The thread sleeps without an end only while nothing is queued. */
        if (store->waiting.first == NULL || store->hurry)
            (void)pthread_cond_signal(&store->wake);
        queue_add(&store->waiting, item);
    }
    pthread_mutex_unlock(&store->lock);
    if (!taken)
        free(item);
    return taken;
}

const struct log_entry *log_store_next(struct log_store *store, bool *stored)
{
    if (store->borrowed != NULL)
        store->unsynced_bytes -= store->borrowed->size;
    free(store->borrowed);
    if (store->started)
        pthread_mutex_lock(&store->lock);
    struct queued *item = queue_take(&store->back);
    if (store->started)
        pthread_mutex_unlock(&store->lock);
    store->borrowed = item;
    if (item == NULL)
        return NULL;
    *stored = item->stored;
    return &item->entry;
}

void log_store_call_again(struct log_store *store)
{
    if (store->started)
        (void)uv_async_send(&store->tell);
}

/* Says in the file that nothing is missing; false when it cannot. */
static bool end_cleanly(struct log_store *store)
{
    store->state.unsure = false;
    if (log_database_sync_each(store->database) && write_state(store))
        return true;
    message_error("cannot note the clean end of the event log",
                  message_text("error", log_database_error(store->database)));
    return false;
}

void log_store_stop(struct log_store *store)
{
    if (store == NULL || !store->has_joined || uv_is_closing((uv_handle_t *)&store->tell))
        return;
    if (store->started) {
        end_thread(store);
        store->started = false;
        (void)end_cleanly(store);
    }
    uv_close((uv_handle_t *)&store->tell, NULL);
}

bool log_store_rest(struct log_store *store)
{
    if (!store->started)
        return true;
    end_thread(store);
    store->started = false;
    if (!end_cleanly(store))
        return false;
    log_database_close(&store->database);
    return true;
}

/* It was let go of, and nobody else may have written to it. */
static bool take_up_again(struct log_store *store, const char *path,
                          char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_state state;

    store->database =
        log_database_take_up(path, store->options.sync != LOG_SYNC_NEVER, &state, error);
    if (store->database == NULL)
        return false;
    if (state.epoch == store->state.epoch && state.head == store->state.head)
        return true;
    (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "another program has written to the event log");
    return false;
}

bool log_store_go_on(struct log_store *store, const char *path, char error[LOG_DATABASE_ERROR_SIZE])
{
    if (store->database == NULL && !take_up_again(store, path, error))
        return false;
    store->state.unsure = store->options.sync != LOG_SYNC_ALWAYS;
    store->stopping = store->hurry = false;
    store->writing_since = 0;
    if (!write_state(store)) /* the first event that can be written brings it along */
        message_error("cannot write the event log",
                      message_text("error", log_database_error(store->database)));
    if (!start_thread(store)) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "no thread for the event log");
        return false;
    }
    store->started = true;
    return true;
}

void log_store_close(struct log_store **store)
{
    struct log_store *old = *store;

    if (old == NULL)
        return;
    *store = NULL;
    log_database_close(&old->database);
    free_all(old->waiting.first);
    free_all(old->back.first);
    free(old->borrowed);
    free(old);
}

struct log_store_figures log_store_figures(struct log_store *store)
{
    if (store->started)
        pthread_mutex_lock(&store->lock);
    struct log_store_figures figures = store->figures;
    if (store->started)
        pthread_mutex_unlock(&store->lock);
    figures.unsynced_bytes = store->unsynced_bytes;
    return figures;
}
