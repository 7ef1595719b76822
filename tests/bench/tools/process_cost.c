#include "process_cost.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool process_set_parse(struct process_set *set, const char *text)
{
    set->count = 0;
    while (*text != '\0') {
        char *end;
        long pid = strtol(text, &end, 10);
        if (end == text || pid <= 0 || set->count == PROCESS_MAX || (*end != ',' && *end != '\0'))
            return false;
        set->pids[set->count++] = (pid_t)pid;
        text = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool read_thread_ns(pid_t pid, const char *thread, uint64_t *out)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool ok = fscanf(file, "%" SCNu64, out) == 1;
    fclose(file);
    return ok;
}

static bool process_cpu_ns(pid_t pid, uint64_t *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return false;
    *out = 0;
    const struct dirent *thread;
    while ((thread = readdir(threads)) != NULL) {
        uint64_t ns;
        /* A thread may end between the listing and the reading. */
        if (thread->d_name[0] != '.' && read_thread_ns(pid, thread->d_name, &ns))
            *out += ns;
    }
    closedir(threads);
    return true;
}

bool process_set_cpu_ns(const struct process_set *set, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint64_t ns;
        if (!process_cpu_ns(set->pids[i], &ns)) {
            fprintf(stderr, "process %d is gone\n", (int)set->pids[i]);
            return false;
        }
        *out += ns;
    }
    return true;
}

static bool read_kib_line(const char *path, const char *name, uint64_t *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    char line[256];
    bool found = false;
    size_t length = strlen(name);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, name, length) == 0 && sscanf(line + length, "%" SCNu64, out) == 1;
    fclose(file);
    return found;
}

bool process_set_pss_kib(const struct process_set *set, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < set->count; i++) {
        char path[64];
        uint64_t kib;
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)set->pids[i]);
        if (!read_kib_line(path, "Pss:", &kib)) {
            fprintf(stderr, "cannot read %s\n", path);
            return false;
        }
        *out += kib;
    }
    return true;
}

bool kernel_slab_kib(uint64_t *out)
{
    return read_kib_line("/proc/meminfo", "Slab:", out);
}
