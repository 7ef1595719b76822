#include "sql/sqlite_pair.h"

#include "big_endian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* https://www.sqlite.org/fileformat.html section 4 and https://www.sqlite.org/walformat.html
 * section 2. */
enum {
    WAL_HEADER = 32,
    WAL_PAGE_SIZE = 8,
    WAL_SALTS = 16,
    FRAME_HEADER = 24,
    FRAME_SALTS = 8,
    PAGE_MAX = 65536,
    SHM_REGION = 32768,
    SHM_SALTS = 32,
    SHM_COPIED = 96,
    SHM_BEGUN = 128,
    FRAMES_LOOKED_AT = 4096, /* by far more than are there when SQLite checkpoints by itself */
    WATCH_TRIES = 3
};

static const char mark_name[] = "user.es-web-notify.database";
static const char spoiled_mark[] = "spoiled";
enum { MARK_SIZE = 128, PATH_SIZE = 4200 };

static int64_t nanoseconds(const struct statx_timestamp *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static bool look(struct sqlite_file *file, const char *path)
{
    struct statx found;
    *file = (struct sqlite_file){0};
    if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &found) != 0)
        return false;
    file->inode = found.stx_ino;
    file->device = makedev(found.stx_dev_major, found.stx_dev_minor);
    file->born_ns = found.stx_mask & STATX_BTIME ? nanoseconds(&found.stx_btime) : 0;
    file->changed_ns = nanoseconds(&found.stx_mtime);
    return true;
}

static bool wal_path(char out[PATH_SIZE], const char *path)
{
    int length = snprintf(out, PATH_SIZE, "%s-wal", path);
    return length > 0 && length < PATH_SIZE;
}

bool sqlite_pair_look(struct sqlite_pair *pair, const char *path)
{
    char wal[PATH_SIZE];
    *pair = (struct sqlite_pair){0};
    if (!look(&pair->database, path))
        return false;
    if (wal_path(wal, path))
        (void)look(&pair->wal, wal);
    return true;
}

static bool is_same(const struct sqlite_file *one, const struct sqlite_file *other)
{
    return one->inode == other->inode && one->device == other->device &&
           one->born_ns == other->born_ns;
}

bool sqlite_pair_is_of_same_files(const struct sqlite_pair *one, const struct sqlite_pair *other)
{
    return is_same(&one->database, &other->database) && is_same(&one->wal, &other->wal);
}

/* ---- the mark ---- */

/* Names the -wal as well: a mark that was copied along with its file is none. */
static void write_mark(char out[MARK_SIZE], const struct sqlite_pair *pair)
{
    (void)snprintf(out, MARK_SIZE, "%llu.%lld of %llu.%lld", (unsigned long long)pair->wal.inode,
                   (long long)pair->wal.born_ns, (unsigned long long)pair->database.inode,
                   (long long)pair->database.born_ns);
}

static bool is_marked_for_another(const struct sqlite_pair *pair, const char *wal)
{
    char mark[MARK_SIZE], found[MARK_SIZE] = "";
    if (getxattr(wal, mark_name, found, sizeof found - 1) <= 0)
        return false;
    write_mark(mark, pair);
    size_t own = (size_t)(strstr(mark, " of ") - mark);
    return strcmp(found, spoiled_mark) == 0 ||
           (strncmp(found, mark, own + 1) == 0 && strcmp(found, mark) != 0);
}

static void set_mark(const char *path, const char *mark)
{
    char wal[PATH_SIZE];
    if (wal_path(wal, path))
        (void)setxattr(wal, mark_name, mark, strlen(mark), 0);
}

void sqlite_pair_mark(const struct sqlite_pair *pair, const char *path)
{
    char mark[MARK_SIZE];
    if (pair->wal.inode == 0)
        return;
    write_mark(mark, pair);
    set_mark(path, mark);
}

/* ---- what is in the files ---- */

static sqlite3_file *file_of(sqlite3 *database)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL)
        return NULL;
    return file;
}

struct wal_reader {
    FILE *file;
    unsigned char header[WAL_HEADER];
    uint32_t page_size;
    unsigned char frame[FRAME_HEADER];
    unsigned char *page, *other; /* PAGE_MAX each */
};

/* False at the first frame that is none of this -wal, which is where it ends. */
static bool read_frame(struct wal_reader *wal)
{
    return fread(wal->frame, FRAME_HEADER, 1, wal->file) == 1 &&
           memcmp(wal->frame + FRAME_SALTS, wal->header + WAL_SALTS, 8) == 0 &&
           big_endian_read(wal->frame, 4) > 0 &&
           fread(wal->page, wal->page_size, 1, wal->file) == 1;
}

static bool is_in_database(const struct wal_reader *wal, sqlite3_file *database)
{
    sqlite3_int64 at = ((sqlite3_int64)big_endian_read(wal->frame, 4) - 1) * wal->page_size;
    return database->pMethods->xRead(database, wal->other, (int)wal->page_size, at) == SQLITE_OK &&
           memcmp(wal->page, wal->other, wal->page_size) == 0;
}

/* True when frames are there and no page of the database is as one of them: no checkpoint has
 * copied any. */
static bool nothing_was_copied(struct wal_reader *wal, sqlite3_file *database)
{
    if (fread(wal->header, WAL_HEADER, 1, wal->file) != 1)
        return false;
    wal->page_size = (uint32_t)big_endian_read(wal->header + WAL_PAGE_SIZE, 4);
    if (wal->page_size < 512 || wal->page_size > PAGE_MAX)
        return false; /* SQLite does not read it either */
    int frames = 0;
    for (; frames < FRAMES_LOOKED_AT && read_frame(wal); frames++) {
        if (is_in_database(wal, database))
            return false;
    }
    return frames > 0;
}

static bool holds_nothing_of(const char *wal_name, sqlite3 *database)
{
    sqlite3_file *file = file_of(database);
    struct wal_reader wal = {
        .file = fopen(wal_name, "rbe"), .page = malloc(PAGE_MAX), .other = malloc(PAGE_MAX)};
    bool nothing = file != NULL && wal.file != NULL && wal.page != NULL && wal.other != NULL &&
                   nothing_was_copied(&wal, file);
    free(wal.page);
    free(wal.other);
    if (wal.file != NULL)
        (void)fclose(wal.file);
    return nothing;
}

/* The database was written after the -wal, which only a checkpoint does; but none has. */
static bool was_written_by_others(const struct sqlite_pair *pair, const char *path,
                                  const char *wal_name, sqlite3 *database)
{
    struct sqlite_pair after;
    return pair->database.changed_ns > pair->wal.changed_ns &&
           holds_nothing_of(wal_name, database) &&
           /* Else a -wal that has begun anew meanwhile was read. */
           sqlite_pair_look(&after, path) && after.wal.changed_ns == pair->wal.changed_ns &&
           after.database.changed_ns == pair->database.changed_ns &&
           sqlite_pair_is_of_same_files(&after, pair);
}

const char *sqlite_pair_find_fault(const struct sqlite_pair *pair, const struct sqlite_pair *before,
                                   const char *path, sqlite3 *database)
{
    char wal[PATH_SIZE];
    if (pair->wal.inode == 0 || !wal_path(wal, path))
        return NULL;
    bool kept = before->wal.inode != 0 && is_same(&pair->wal, &before->wal);
    if ((kept && !is_same(&pair->database, &before->database)) || is_marked_for_another(pair, wal))
        return SQLITE_PAIR_FAULT;
    if (!was_written_by_others(pair, path, wal, database))
        return NULL;
    set_mark(path, spoiled_mark);
    return SQLITE_PAIR_FAULT;
}

/* ---- while it is read ---- */

/* The index of the -wal, which its readers and writers share. */
static bool read_index(struct sqlite_pair *pair, sqlite3 *database)
{
    sqlite3_file *file = file_of(database);
    volatile void *region = NULL;
    if (file == NULL || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, SHM_REGION, 0, &region) != SQLITE_OK || region == NULL)
        return false;
    const volatile uint32_t *words = region;
    for (int i = 0; i < 2; i++)
        pair->salts[i] = words[SHM_SALTS / 4 + i];
    pair->copied = words[SHM_COPIED / 4];
    pair->begun = words[SHM_BEGUN / 4];
    return true;
}

void sqlite_pair_watch(struct sqlite_pair *pair, const char *path, sqlite3 *database)
{
    struct sqlite_pair after;
    bool settled = false;
    for (int i = 0; i < WATCH_TRIES && !settled; i++) {
        if (!sqlite_pair_look(pair, path) || pair->wal.inode == 0 || !read_index(pair, database))
            return;
        /* Else a checkpoint was at work in between, and the figures are not of one moment. */
        settled = sqlite_pair_look(&after, path) &&
                  after.database.changed_ns == pair->database.changed_ns;
    }
    if (!settled)
        memset(pair->salts, 0, sizeof pair->salts);
}

bool sqlite_pair_was_overwritten(const struct sqlite_pair *before, struct sqlite_pair *pair,
                                 const char *path, sqlite3 *database)
{
    bool known = before->salts[0] != 0 || before->salts[1] != 0;
    if (!known || before->begun != before->copied || !read_index(pair, database))
        return false;
    /* A checkpoint says what it begins before it writes a page. */
    if (memcmp(pair->salts, before->salts, sizeof pair->salts) != 0 ||
        pair->begun != before->begun || pair->copied != before->copied)
        return false;
    set_mark(path, spoiled_mark);
    return true;
}
