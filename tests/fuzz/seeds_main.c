/* Stands in for libFuzzer: feeds a target the files that are named, or those of its own folder
 * under $srcdir/tests/fuzz/seeds. So the seeds are tried with any compiler. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned tried;

static bool try_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    bool whole = false;

    if (file == NULL || fstat(fileno(file), &status) != 0) {
        perror(path);
        if (file != NULL)
            (void)fclose(file);
        return false;
    }
    /* Of the exact size, so that reading past the end is caught. */
    uint8_t *data = malloc(status.st_size > 0 ? (size_t)status.st_size : 1);
    if (data != NULL)
        whole = fread(data, 1, (size_t)status.st_size, file) == (size_t)status.st_size;
    if (whole) {
        (void)LLVMFuzzerTestOneInput(data, (size_t)status.st_size);
        tried++;
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(data);
    (void)fclose(file);
    return whole;
}

static bool try_folder(const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);
    bool all = count > 0;
    char path[4096];

    if (count < 0)
        perror(folder);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.')
            all &=
                snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name) < (int)sizeof path &&
                try_file(path);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return all;
}

static bool try_path(const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return try_folder(path);
    return try_file(path);
}

static bool try_own_seeds(const char *program)
{
    static const char prefix[] = "fuzz_";
    const char *slash = strrchr(program, '/'), *srcdir = getenv("srcdir");
    const char *name = slash != NULL ? slash + 1 : program;
    char folder[4096];

    if (strncmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    return snprintf(folder, sizeof folder, "%s/tests/fuzz/seeds/%s", srcdir != NULL ? srcdir : ".",
                    name) < (int)sizeof folder &&
           try_folder(folder);
}

int main(int argc, char **argv)
{
    bool all = true;

    for (int i = 1; i < argc; i++)
        all &= try_path(argv[i]);
    if (argc == 1)
        all = try_own_seeds(argv[0]);
    printf("%u inputs tried\n", tried);
    return all && tried > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
