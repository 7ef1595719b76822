/* What the log of events on disk would cost in three kinds of stores: SQLite as the daemon uses it
 * (fanout/log/log_database.c), LMDB, and a file that is only appended to. Each takes batches of
 * events of 200 bytes, with and without a sync per batch, keeps the newest, and is loaded whole;
 * all check every event by SHA-256.
 *
 *     log_stores FOLDER      on the disk that is to be measured; prints a table as Markdown */
#include "log/log_database.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    JSON_SIZE = 200,
    KEPT = 200000, /* events; older ones are deleted */
    TURN_MS = 2000,
    SEGMENT = 4 << 20,
    MOST_SEGMENTS = 4096
};

struct store {
    const char *name;
    bool (*open)(const char *folder, bool sync);
    bool (*append)(uint64_t first, unsigned count, uint64_t forgotten);
    bool (*load)(uint64_t *events);
    void (*close)(void);
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void make_event(struct stored_event *event, uint64_t sequence)
{
    static char json[JSON_SIZE + 1];

    (void)snprintf(json, sizeof json, "{\"type\":\"x\",\"detail\":\"%0*llu\"}", JSON_SIZE - 24,
                   (unsigned long long)sequence);
    *event = (struct stored_event){.wall_ms = sequence};
    event->event = (struct event){.sequence = sequence,
                                  .topic = "shop/orders/4711",
                                  .topic_length = 16,
                                  .json = json,
                                  .json_length = JSON_SIZE};
    memcpy(event->key, &sequence, sizeof sequence);
}

/* ---- records of the two stores that know only bytes ---- */

struct record {
    uint64_t sequence, wall_ms, checksum;
    uint32_t length;
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
    char bytes[16 + JSON_SIZE];
};

static EVP_MD_CTX *digest;

static uint64_t checksum(const struct record *record)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    struct record copy = *record;
    uint64_t sum = 0;

    copy.checksum = 0;
    if (EVP_DigestInit_ex2(digest, NULL, NULL) == 1 &&
        EVP_DigestUpdate(digest, &copy, sizeof copy) == 1 &&
        EVP_DigestFinal_ex(digest, out, NULL) == 1)
        memcpy(&sum, out, sizeof sum);
    return sum;
}

static void make_record(struct record *record, uint64_t sequence)
{
    struct stored_event event;

    make_event(&event, sequence);
    memset(record, 0, sizeof *record);
    record->sequence = sequence;
    record->wall_ms = event.wall_ms;
    record->length = sizeof *record;
    memcpy(record->key, event.key, sizeof record->key);
    memcpy(record->bytes, event.event.topic, 16);
    memcpy(record->bytes + 16, event.event.json, JSON_SIZE);
    record->checksum = checksum(record);
}

/* ---- SQLite ---- */

static struct log_database *database;
static struct log_state state;

static void count_event(const struct stored_event *event, void *context)
{
    (void)event;
    ++*(uint64_t *)context;
}

static bool sqlite_load(uint64_t *events)
{
    struct log_past past;
    char error[LOG_DATABASE_ERROR_SIZE];

    return log_database_load(database, &past, count_event, events, error);
}

static bool sqlite_open(const char *folder, bool sync)
{
    char path[256], error[LOG_DATABASE_ERROR_SIZE];
    uint64_t events = 0;

    (void)snprintf(path, sizeof path, "%s/sqlite", folder);
    state = (struct log_state){.epoch = 1};
    database = log_database_open(path, sync, error);
    return database != NULL && sqlite_load(&events);
}

static bool sqlite_append(uint64_t first, unsigned count, uint64_t forgotten)
{
    struct stored_event event;

    if (!log_database_begin(database))
        return false;
    for (unsigned i = 0; i < count; i++) {
        make_event(&event, first + i);
        if (!log_database_add(database, &event))
            return false;
    }
    return log_database_commit(database, &state, forgotten, 0);
}

static void sqlite_close(void)
{
    log_database_close(&database);
}

/* ---- LMDB ---- */

static MDB_env *environment;
static MDB_dbi table;

static bool lmdb_open(const char *folder, bool sync)
{
    char path[256];
    MDB_txn *transaction;

    (void)snprintf(path, sizeof path, "%s/lmdb", folder);
    if (mdb_env_create(&environment) != 0 || mdb_env_set_mapsize(environment, 1 << 30) != 0 ||
        mdb_env_open(environment, path, MDB_NOSUBDIR | (sync ? 0 : MDB_NOSYNC), 0600) != 0 ||
        mdb_txn_begin(environment, NULL, 0, &transaction) != 0)
        return false;
    return mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY | MDB_CREATE, &table) == 0 &&
           mdb_txn_commit(transaction) == 0;
}

static bool lmdb_forget(MDB_txn *transaction, uint64_t through)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    bool good = mdb_cursor_open(transaction, table, &cursor) == 0;

    while (good && mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0 &&
           *(uint64_t *)key.mv_data <= through)
        good = mdb_cursor_del(cursor, 0) == 0;
    if (good)
        mdb_cursor_close(cursor);
    return good;
}

static bool lmdb_append(uint64_t first, unsigned count, uint64_t forgotten)
{
    MDB_txn *transaction;
    struct record record;

    if (mdb_txn_begin(environment, NULL, 0, &transaction) != 0)
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint64_t sequence = first + i;
        MDB_val key = {sizeof sequence, &sequence}, value = {sizeof record, &record};
        make_record(&record, sequence);
        if (mdb_put(transaction, table, &key, &value, MDB_APPEND) != 0)
            return false;
    }
    return lmdb_forget(transaction, forgotten) && mdb_txn_commit(transaction) == 0;
}

static bool lmdb_load(uint64_t *events)
{
    MDB_txn *transaction;
    MDB_cursor *cursor;
    MDB_val key, value;

    if (mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction) != 0 ||
        mdb_cursor_open(transaction, table, &cursor) != 0)
        return false;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        struct record record;
        memcpy(&record, value.mv_data, sizeof record);
        *events += checksum(&record) == record.checksum;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(transaction);
    return true;
}

static void lmdb_close(void)
{
    mdb_env_close(environment);
}

/* ---- a file that is only appended to, in segments ---- */

static struct {
    char folder[200];
    bool sync;
    int file;
    size_t size;
    unsigned oldest, newest;
    uint64_t last_of[MOST_SEGMENTS]; /* newest sequence in each */
} segments;

static void segment_path(char path[256], unsigned number)
{
    (void)snprintf(path, 256, "%s/segment-%u", segments.folder, number);
}

static bool next_segment(void)
{
    char path[256];

    if (segments.file >= 0 && close(segments.file) != 0)
        return false;
    segment_path(path, ++segments.newest % MOST_SEGMENTS);
    segments.size = 0;
    segments.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return segments.file >= 0;
}

static bool file_open(const char *folder, bool sync)
{
    segments.file = -1;
    segments.sync = sync;
    segments.oldest = 1;
    segments.newest = 0;
    (void)snprintf(segments.folder, sizeof segments.folder, "%s", folder);
    return next_segment();
}

static bool file_append(uint64_t first, unsigned count, uint64_t forgotten)
{
    static struct record records[1024];
    const size_t size = count * sizeof *records;
    char path[256];

    for (unsigned i = 0; i < count; i++)
        make_record(&records[i], first + i);
    if (segments.size + size > SEGMENT && !next_segment())
        return false;
    if (write(segments.file, records, size) != (ssize_t)size ||
        (segments.sync && fdatasync(segments.file) != 0))
        return false;
    segments.size += size;
    segments.last_of[segments.newest % MOST_SEGMENTS] = first + count - 1;
    while (segments.oldest < segments.newest &&
           segments.last_of[segments.oldest % MOST_SEGMENTS] <= forgotten) {
        segment_path(path, segments.oldest++ % MOST_SEGMENTS);
        if (unlink(path) != 0)
            return false;
    }
    return true;
}

static bool file_load(uint64_t *events)
{
    for (unsigned number = segments.oldest; number <= segments.newest; number++) {
        struct record record;
        char path[256];

        segment_path(path, number % MOST_SEGMENTS);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            return false;
        while (fread(&record, sizeof record, 1, file) == 1)
            *events += checksum(&record) == record.checksum;
        (void)fclose(file);
    }
    return true;
}

static void file_close(void)
{
    (void)close(segments.file);
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* Prints events a second, and how long a batch took. */
static bool measure(const struct store *store, uint64_t *sequence, unsigned batch, const char *how)
{
    static uint64_t times[1 << 20];
    size_t count = 0;
    uint64_t began = now_ns(), first = *sequence;

    while (now_ns() - began < (uint64_t)TURN_MS * 1000000 && count < sizeof times / sizeof *times) {
        uint64_t before = now_ns();
        if (!store->append(*sequence + 1, batch, *sequence > KEPT ? *sequence - KEPT : 0))
            return false;
        *sequence += batch;
        times[count++] = now_ns() - before;
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    qsort(times, count, sizeof *times, compare);
    printf("| %s | %s | %u | %.0f | %.2f | %.2f | %.2f |\n", store->name, how, batch,
           (double)(*sequence - first) / seconds, (double)times[count / 2] / 1e6,
           (double)times[count * 99 / 100] / 1e6, (double)times[count - 1] / 1e6);
    return true;
}

static bool fill(const struct store *store, uint64_t *sequence)
{
    for (; *sequence < KEPT; *sequence += 1000)
        if (!store->append(*sequence + 1, 1000, 0))
            return false;
    return true;
}

static bool measure_load(const struct store *store)
{
    uint64_t events = 0, began = now_ns();

    if (!store->load(&events))
        return false;
    printf("| %s | load %llu | | | %.0f | | |\n", store->name, (unsigned long long)events,
           (double)(now_ns() - began) / 1e6);
    return true;
}

static bool measure_store(const struct store *store, const char *folder, bool sync)
{
    static const unsigned batches[] = {1, 16, 256};
    char own[200];
    uint64_t sequence = 0;

    (void)snprintf(own, sizeof own, "%s/%s-%s", folder, store->name, sync ? "sync" : "loose");
    bool good = mkdir(own, 0700) == 0 && store->open(own, sync) && fill(store, &sequence);
    for (size_t i = 0; good && i < sizeof batches / sizeof *batches; i++)
        good = measure(store, &sequence, batches[i], sync ? "synced" : "not synced");
    if (good && sync)
        good = measure_load(store);
    if (good)
        store->close();
    return good;
}

int main(int argc, char **argv)
{
    static const struct store stores[] = {
        {"SQLite", sqlite_open, sqlite_append, sqlite_load, sqlite_close},
        {"LMDB", lmdb_open, lmdb_append, lmdb_load, lmdb_close},
        {"file", file_open, file_append, file_load, file_close}};

    if (argc != 2) {
        fputs("usage: log_stores FOLDER (an empty one)\n", stderr);
        return 2;
    }
    digest = EVP_MD_CTX_new();
    if (digest == NULL || EVP_DigestInit_ex2(digest, EVP_sha256(), NULL) != 1)
        return EXIT_FAILURE;
    puts("| store | what | batch | events/s | ms, half | ms, 99 % | longest |\n"
         "|---|---|---:|---:|---:|---:|---:|");
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
        for (int sync = 1; sync >= 0; sync--)
            if (!measure_store(&stores[i], argv[1], sync == 1)) {
                (void)fprintf(stderr, "%s failed: %s\n", stores[i].name, strerror(errno));
                return EXIT_FAILURE;
            }
    EVP_MD_CTX_free(digest);
    return EXIT_SUCCESS;
}
