#include "log/log_files.h"

#include "clock.h"
#include "messages.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool log_files_make(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return file >= 0 && close(file) == 0;
}

bool log_files_set_aside(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-mark", "-key"};
    unsigned long long now = clock_wall_ms();
    char from[LOG_FILES_PATH_SIZE + 16], to[LOG_FILES_PATH_SIZE + 48];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        (void)snprintf(to, sizeof to, "%s.damaged-%llu%s", path, now, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return false;
    }
    (void)snprintf(to, sizeof to, "%s.damaged-%llu", path, now);
    message_error("the event log on disk is damaged: it is set aside and a new one begun",
                  message_text("file", path), message_text("set_aside", to));
    return true;
}

struct mark {
    uint64_t epoch, head, check;
};

static struct mark make_mark(uint64_t epoch, uint64_t head)
{
    return (struct mark){epoch, head, ~(epoch ^ (head * 0x9e3779b97f4a7c15ULL))};
}

int log_mark_open(const char *path)
{
    char own[LOG_FILES_PATH_SIZE + 8];

    (void)snprintf(own, sizeof own, "%s-mark", path);
    return open(own, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

void log_mark_write(int mark, uint64_t epoch, uint64_t head)
{
    struct mark written = make_mark(epoch, head);

    if (pwrite(mark, &written, sizeof written, 0) != (ssize_t)sizeof written)
        message_debug("cannot write how far the event log goes", message_error_code(errno));
}

bool log_mark_is_ahead(int mark, uint64_t epoch, uint64_t head)
{
    struct mark found;

    return pread(mark, &found, sizeof found, 0) == (ssize_t)sizeof found &&
           found.check == make_mark(found.epoch, found.head).check && found.head > head &&
           (found.epoch == epoch || epoch == 0);
}

struct key_file {
    unsigned char key[LOG_KEY_SIZE];
    uint64_t check; /* a file full of zeros is no key: anybody would know it */
};

static uint64_t key_check(const unsigned char key[LOG_KEY_SIZE])
{
    return secret_id((const char *)key, LOG_KEY_SIZE);
}

static bool read_key(const char *own, struct key_file *found)
{
    int file = open(own, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return false;
    bool whole = read(file, found, sizeof *found) == (ssize_t)sizeof *found &&
                 found->check == key_check(found->key);
    (void)close(file);
    if (!whole)
        message_error("the key of the event log is damaged: clients of before are not known again",
                      message_text("file", own));
    return whole;
}

/* Never half there: under another name until it is on the disk. */
static bool write_key(const char *own, const struct key_file *made)
{
    char fresh[LOG_FILES_PATH_SIZE + 16];

    (void)snprintf(fresh, sizeof fresh, "%s.new", own);
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool good = write(file, made, sizeof *made) == (ssize_t)sizeof *made && fsync(file) == 0;
    return close(file) == 0 && good && rename(fresh, own) == 0;
}

bool log_key_open(const char *path, unsigned char key[LOG_KEY_SIZE])
{
    struct key_file file = {.check = 0};

    char own[LOG_FILES_PATH_SIZE + 8];
    (void)snprintf(own, sizeof own, "%s-key", path);
    errno = EIO;
    if (!read_key(own, &file)) {
        if (!secret_random(file.key, sizeof file.key))
            return false;
        file.check = key_check(file.key);
        if (!write_key(own, &file))
            return false;
    }
    memcpy(key, file.key, LOG_KEY_SIZE);
    return true;
}
