#include "process_metrics.h"

#include "exposition.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_SIZE = 1024 };

static bool read_file(const char *path, char text[FILE_SIZE])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t length = read(descriptor, text, FILE_SIZE - 1);
    (void)close(descriptor);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static void write_processor_time(struct exposition *exposition)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return;
    exposition_counter(exposition, "process_cpu_seconds",
                       "Processor time of this process, in user and in system mode.");
    exposition_fraction(exposition, (double)used.tv_sec + (double)used.tv_nsec / 1e9);
}

/* proc_pid_statm(5). */
static void write_memory(struct exposition *exposition)
{
    char text[FILE_SIZE], *rest;
    if (!read_file("/proc/self/statm", text))
        return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t size = strtoull(text, &rest, 10), resident = strtoull(rest, NULL, 10);
    exposition_one_gauge(exposition, "process_virtual_memory_bytes", "Address space in use.",
                         size * page);
    exposition_one_gauge(exposition, "process_resident_memory_bytes", "Memory in use.",
                         resident * page);
}

/* The folder's size is the number of its files since Linux 6.2; before, it is 0, and reading it
 * would last as long as there are files. */
static void write_descriptors(struct exposition *exposition)
{
    struct stat folder;
    struct rlimit limit;
    if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0)
        exposition_one_gauge(exposition, "process_open_fds", "Open file descriptors.",
                             (uint64_t)folder.st_size);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        exposition_one_gauge(exposition, "process_max_fds", "Most file descriptors.",
                             limit.rlim_cur);
}

/* proc_pid_stat(5): field 22, in ticks since the machine started. The command in field 2 may have
 * blanks and brackets of its own. */
static bool find_start_ticks(unsigned long long *ticks)
{
    char text[FILE_SIZE];
    if (!read_file("/proc/self/stat", text))
        return false;
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return false;
    *ticks = strtoull(at + 1, NULL, 10);
    return true;
}

static void write_start(struct exposition *exposition)
{
    struct timespec wall, since_boot;
    unsigned long long ticks;
    if (!find_start_ticks(&ticks) || clock_gettime(CLOCK_REALTIME, &wall) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0)
        return;
    double now = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
    double running = (double)since_boot.tv_sec + (double)since_boot.tv_nsec / 1e9 -
                     (double)ticks / (double)sysconf(_SC_CLK_TCK);
    exposition_gauge(exposition, "process_start_time_seconds",
                     "When this process was started, since 1970-01-01 UTC.");
    exposition_fraction(exposition, now - running);
}

void process_metrics_write(struct exposition *exposition)
{
    write_processor_time(exposition);
    write_memory(exposition);
    write_descriptors(exposition);
    write_start(exposition);
}
