#include "log_files.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool log_files_make(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return file >= 0 && close(file) == 0;
}

bool log_files_set_aside(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-mark"};
    unsigned long long now = clock_wall_ms();
    char from[LOG_FILES_PATH_SIZE + 16], to[LOG_FILES_PATH_SIZE + 48];

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        (void)snprintf(to, sizeof to, "%s.damaged-%llu%s", path, now, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return false;
    }
    (void)snprintf(to, sizeof to, "%s.damaged-%llu", path, now);
    log_error("the event log on disk is damaged: it is set aside and a new one begun",
              log_text("file", path), log_text("set_aside", to));
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
        log_debug("cannot write how far the event log goes", log_error_code(errno));
}

bool log_mark_is_ahead(int mark, uint64_t epoch, uint64_t head)
{
    struct mark found;

    return pread(mark, &found, sizeof found, 0) == (ssize_t)sizeof found &&
           found.check == make_mark(found.epoch, found.head).check && found.head > head &&
           (found.epoch == epoch || epoch == 0);
}
