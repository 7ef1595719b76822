#include "stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const suffixes[] = {"", "-wal", "-mark"};

void stored_files_make(struct stored_files *files)
{
    /* In memory where there is such a place: what is tested is not the disk. */
    (void)snprintf(files->folder, sizeof files->folder, "%s/esn-log-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(files->folder));
    (void)snprintf(files->path, sizeof files->path, "%s/log", files->folder);
}

static void each_file(const struct stored_files *files,
                      void (*visit)(const char *path, const char *name, void *context),
                      void *context)
{
    DIR *folder = opendir(files->folder);
    const struct dirent *entry;
    char path[400];

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", files->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            visit(path, entry->d_name, context);
    }
    assert_int_equal(closedir(folder), 0);
}

static void remove_one(const char *path, const char *name, void *context)
{
    (void)name;
    (void)context;
    assert_int_equal(unlink(path), 0);
}

void stored_files_remove(const struct stored_files *files)
{
    each_file(files, remove_one, NULL);
    assert_int_equal(rmdir(files->folder), 0);
}

struct counting {
    const char *part;
    int count;
};

static void count_one(const char *path, const char *name, void *context)
{
    struct counting *counting = context;

    (void)path;
    if (strstr(name, counting->part) != NULL)
        counting->count++;
}

int stored_files_count(const struct stored_files *files, const char *part)
{
    struct counting counting = {.part = part};

    each_file(files, count_one, &counting);
    return counting.count;
}

static FILE *open_file(const struct stored_files *files, const char *suffix, const char *mode)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s%s", files->path, suffix);
    return fopen(path, mode);
}

char *stored_files_read(const struct stored_files *files, const char *suffix, size_t *length)
{
    FILE *file = open_file(files, suffix, "r");
    struct stat status;

    *length = 0;
    if (file == NULL)
        return NULL;
    assert_int_equal(fstat(fileno(file), &status), 0);
    *length = (size_t)status.st_size;
    char *bytes = malloc(*length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

void stored_files_write(const struct stored_files *files, const char *suffix, const char *bytes,
                        size_t length)
{
    FILE *file = open_file(files, suffix, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void stored_files_copy(const struct stored_files *from, const struct stored_files *to)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t length;
        char *bytes = stored_files_read(from, suffixes[i], &length);
        if (bytes != NULL)
            stored_files_write(to, suffixes[i], bytes, length);
        free(bytes);
    }
}

/* Each flag, and each by itself, but those that go together. */
static bool excepts(uint64_t sequence)
{
    return sequence % 5 != 0 && sequence % 7 == 3;
}

static uint16_t flags_of(uint64_t sequence)
{
    uint16_t flags = (uint16_t)(sequence % 64);

    if (excepts(sequence))
        return (uint16_t)(ENVELOPE_EXCEPT | (flags & ENVELOPE_PATTERN));
    if (sequence % 4 == 0)
        return (uint16_t)(ENVELOPE_PRIVATE | (flags & (ENVELOPE_PATTERN | ENVELOPE_WHISPER)));
    return (flags & ENVELOPE_TARGETED) != 0 && sequence % 2 != 0 ? flags | ENVELOPE_ADDRESSED
                                                                 : flags;
}

const struct stored_event *stored_event_make(uint64_t sequence)
{
    static char topic[64], json[256], allowed[64];
    static struct stored_event event;

    event = (struct stored_event){.wall_ms = 1700000000000 + sequence};
    event.event = (struct event){
        .sequence = sequence,
        .topic = topic,
        .topic_length =
            (size_t)snprintf(topic, sizeof topic, "t/%llu", (unsigned long long)sequence % 7),
        .json = json,
        .json_length = (size_t)snprintf(json, sizeof json, "{\"type\":\"x\",\"detail\":\"%0*llu\"}",
                                        20 + (int)(sequence % 150), (unsigned long long)sequence),
        .allowed = allowed,
        .allowed_length = sequence % 3 ? 0
                                       : (size_t)snprintf(allowed, sizeof allowed, "user%llu",
                                                          (unsigned long long)sequence) +
                                             1,
        .flags = flags_of(sequence),
        .whisper = sequence % 5 ? 0 : UINT64_MAX - sequence,
        .except = excepts(sequence) ? UINT64_MAX - sequence : 0};
    memset(event.key, (int)(sequence % 251), sizeof event.key);
    memcpy(event.key, &sequence, sizeof sequence);
    return &event;
}

static bool same_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

bool stored_event_is_made(const struct stored_event *event)
{
    const struct stored_event *made = stored_event_make(event->event.sequence);
    const struct event *a = &event->event, *b = &made->event;

    return event->wall_ms == made->wall_ms &&
           memcmp(event->key, made->key, sizeof event->key) == 0 && a->flags == b->flags &&
           a->whisper == b->whisper && a->except == b->except &&
           same_bytes(a->topic, a->topic_length, b->topic, b->topic_length) &&
           same_bytes(a->json, a->json_length, b->json, b->json_length) &&
           same_bytes(a->allowed, a->allowed_length, b->allowed, b->allowed_length);
}

void stored_list_visit(const struct stored_event *event, void *context)
{
    struct stored_list *list = context;

    if (list->count == sizeof list->sequences / sizeof *list->sequences ||
        !stored_event_is_made(event) ||
        (list->count > 0 && event->event.sequence <= list->sequences[list->count - 1])) {
        list->wrong++;
        return;
    }
    list->sequences[list->count++] = event->event.sequence;
}

void stored_list_forget(struct stored_list *list, uint64_t through)
{
    size_t gone = 0;

    while (gone < list->count && list->sequences[gone] <= through)
        gone++;
    memmove(list->sequences, list->sequences + gone,
            (list->count - gone) * sizeof *list->sequences);
    list->count -= gone;
}

static struct log_database *open_log(const struct stored_files *files)
{
    char error[LOG_DATABASE_ERROR_SIZE] = "";
    struct log_database *database = log_database_open(files->path, true, error);

    if (database == NULL)
        fail_msg("%s", error);
    return database;
}

static void fill_log(struct log_database *database, uint64_t count)
{
    struct log_state state = {.epoch = STORED_EPOCH};

    for (uint64_t sequence = 1; sequence <= count; sequence++) {
        if (sequence % 4 == 1)
            assert_true(log_database_begin(database));
        assert_true(log_database_add(database, stored_event_make(sequence)));
        if (sequence % 4 == 0 || sequence == count)
            assert_true(log_database_commit(database, &state, 0, 0));
    }
}

void stored_log_write(const struct stored_files *files, uint64_t count, bool killed)
{
    char error[LOG_DATABASE_ERROR_SIZE];
    struct stored_files alive = *files;
    struct stored_list list = {0};
    struct log_past past;

    if (killed)
        stored_files_make(&alive);
    struct log_database *database = open_log(&alive);
    if (!log_database_load(database, &past, stored_list_visit, &list, error))
        fail_msg("%s", error);
    assert_int_equal(past.state.epoch, 0);
    assert_int_equal(list.count, 0);
    fill_log(database, count);
    if (killed)
        stored_files_copy(&alive, files);
    log_database_close(&database);
    if (killed)
        stored_files_remove(&alive);
}

const char *stored_log_fault(const struct stored_files *files, uint64_t count, bool tail_known)
{
    char error[LOG_DATABASE_ERROR_SIZE];
    struct stored_list list = {0};
    struct log_past past;
    struct log_database *database = log_database_open(files->path, true, error);
    bool loaded =
        database != NULL && log_database_load(database, &past, stored_list_visit, &list, error);

    log_database_close(&database);
    if (!loaded || past.state.epoch == 0)
        return NULL;
    stored_list_forget(&list, past.forgotten);
    if (list.wrong > 0 || past.state.epoch != STORED_EPOCH || past.state.head > count)
        return "wrong events were believed";
    for (size_t i = 0; i < list.count; i++)
        if (list.sequences[i] != past.forgotten + 1 + i)
            return "a gap was not seen";
    if (tail_known && past.forgotten + list.count < count && past.forgotten < count &&
        !past.tail_missing)
        return "nobody knows that events are missing";
    return NULL;
}
